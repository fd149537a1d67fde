/*
 * Content of files that the job writes, saved in the image's directory `files`
 * under numbers (OutputFile.copy): regular files with holes where there are
 * zeros, never changed once written, shared by hard links with the next image
 * as long as the original does not change.
 */
#ifndef CRAGON_IMAGE_SAVED_H
#define CRAGON_IMAGE_SAVED_H

#include "image/layout.h"

#define IMAGE_FILES_NAME "files"
#define IMAGE_MAX_SAVED (1u << 20)

/* The directory of an image's saved files; `create` makes it. -errno, -ENOENT. */
int saved_open_dir(int image_fd, bool create);

/* `bytes` bytes from the beginning of `from` become files/NUMBER; what is missing
 * at its end reads as zeros. Not synced. */
int saved_copy(int dir, uint32_t number, int from, uint64_t bytes, struct digest *ret);
/* The same by sharing blocks where the file system can (FICLONE); without a digest. */
int saved_clone(int dir, uint32_t number, int from);
/* Of the first `bytes` bytes of a file. */
int saved_digest(int fd, uint64_t bytes, struct digest *ret);

int saved_open(int dir, uint32_t number); /* for reading */

/* Is the content that meta promises all there, as it was? */
int saved_verify(int image_fd, const Cragon__Image *, struct err *);

#endif

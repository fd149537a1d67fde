/*
 * The directory checkpoint_images/ as file names: which entry is an image,
 * which is being written or deleted, and which numbers have been given out.
 */
#ifndef CRAGON_STORE_DIRS_H
#define CRAGON_STORE_DIRS_H

#include "base/err.h"

#define STORE_IMAGES_NAME "checkpoint_images"
#define STORE_WRITING_PREFIX ".writing-"   /* + final name */
#define STORE_DELETING_PREFIX ".deleting-" /* + final name */
#define STORE_NUMBER_NAME ".last_number"

struct store_name {
	uint64_t number;
	char *name; /* NUMBER_user@host */
};

/* Opens JOBDIR/checkpoint_images; -ENOENT without an error message when it is not there. */
int store_open_dir(const char *jobdir, int *ret_fd, struct err *);

/* Finished images by number, newest first, complete or not. */
int store_names(int dirfd, struct store_name **ret, size_t *ret_n, struct err *);
void store_names_free(struct store_name *, size_t n);

/* The next number that was never used, remembered on disk. */
int store_take_number(int dirfd, uint64_t *ret, struct err *);

/* Removes what dead writers and interrupted deletions left behind. Best effort. */
void store_sweep(int dirfd);

/* Deletes one image: first its name goes, so that half an image is never seen. */
int store_delete(int dirfd, const char *name);
/* Deletes a directory and what is in it. */
int store_remove_tree(int dirfd, const char *name, int depth);

#endif

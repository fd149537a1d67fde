/*
 * checkpoint_info with its list of files: what image_info_read() gives to
 * everybody, and the digests that reader and verify need besides.
 */
#ifndef CRAGON_IMAGE_MANIFEST_H
#define CRAGON_IMAGE_MANIFEST_H

#include "image/layout.h"

#define MANIFEST_MAX_FILES 64

struct manifest_file {
	char name[64];
	uint64_t bytes;
	struct digest digest;
};

struct manifest {
	struct manifest_file files[MANIFEST_MAX_FILES]; /* by name */
	size_t n;
};

/* NULL when the manifest does not list it. */
const struct manifest_file *manifest_find(const struct manifest *, const char *name);

/* From memory; `text` is NUL-terminated at text[bytes]. */
int manifest_parse(const char *text, size_t bytes, struct image_info *ret, struct manifest *ret_m,
	struct err *);
/* Reads checkpoint_info; every file it lists must be there in its size. */
int manifest_read(int dirfd, struct image_info *ret, struct manifest *ret_m, struct err *);

#endif

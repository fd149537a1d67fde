/*
 * Where images live: DIR/checkpoint_images/N_user@host/. Numbers are never
 * reused. An image is written under a temporary name, and exists only once
 * renamed; old ones go only after a newer one has been published.
 */
#ifndef CRAGON_STORE_STORE_H
#define CRAGON_STORE_STORE_H

#include "base/err.h"
#include "image/image.h"

struct store_entry {
	uint64_t number;
	char *path;           /* absolute or as DIR was given */
	struct image_info info;
};

struct store_pending; /* an image being written */

/* Starts image N+1 as a hidden temporary directory of mode 0700 (leftovers of
 * dead writers are removed first). */
int store_begin(struct store_pending **ret, const char *jobdir, const char *user,
	const char *hostname, struct err *);
int store_pending_fd(const struct store_pending *);         /* directory to write into */
uint64_t store_pending_number(const struct store_pending *);
/* Directory fsync, rename, fsync of the parent. *ret_path is the caller's. */
int store_publish(struct store_pending *, char **ret_path, struct err *);
/* Removes what was written unless published; NULL is fine. */
void store_pending_free(struct store_pending *);

/* Valid images (complete checkpoint_info of a known version), newest first.
 * Damaged ones are left out, counted in *ret_damaged when not NULL. */
int store_list(const char *jobdir, struct store_entry **ret, size_t *ret_n, size_t *ret_damaged,
	struct err *);
void store_entries_free(struct store_entry *, size_t n);

/* Keeps the `keep` newest valid images and deletes older ones, never the newest
 * valid one. Returns how many were deleted or -errno. */
int store_retain(const char *jobdir, unsigned keep, struct err *);

#endif

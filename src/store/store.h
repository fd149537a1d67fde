/*
 * Where images live: DIR/checkpoint_images/N_user@host/. Numbers are never
 * reused. An image is written under a temporary name, and exists only once
 * renamed; old ones go only after a newer one has been published.
 */
#ifndef CRAGON_STORE_STORE_H
#define CRAGON_STORE_STORE_H

#include "base/err.h"
#include "image/image.h"

#include <stdbool.h>

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
void store_entry_done(struct store_entry *);
void store_entries_free(struct store_entry *, size_t n);

struct store_policy {
	unsigned keep;		/* newest valid images, at least 1 */
	unsigned keep_hourly;	/* and the newest of each of so many hours that have one */
	unsigned keep_daily;	/* and of so many days */
	uint64_t quota_bytes;	/* of all that stay; 0: none */
};

/* keep[i] for each of `n` images, newest first; the first one is always kept. */
void store_select(const struct store_entry *, size_t n, const struct store_policy *, bool *keep);

/* Deletes what the policy does not keep, oldest first; `dry` only tells. Returns
 * how many went, or -errno. `gone` may be NULL. */
typedef void store_gone_fn(void *ctx, uint64_t number, const char *name);
int store_prune(const char *jobdir, const struct store_policy *, bool dry, store_gone_fn *gone,
	void *ctx, struct err *);

/* Before an image is begun: makes room under the quota for one of the size of the
 * newest. WHY_NO_SPACE when the quota cannot hold both. */
int store_room(const char *jobdir, const struct store_policy *, struct err *);

#endif

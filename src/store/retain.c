/*
 * Retention: the newest `keep` valid images stay, and whatever is older than
 * the oldest of these goes, damaged ones included. While there are not more
 * than `keep` valid ones nothing goes. Left out: time-based thinning, quota,
 * and images that are parents of others.
 */
#include "store/dirs.h"
#include "store/store.h"

#include <errno.h>

int store_retain(const char *jobdir, unsigned keep, struct err *e)
{
	cleanup_fd int dirfd = -1;
	struct store_entry *entries = NULL;
	struct store_name *names = NULL;
	size_t n = 0, n_names = 0;
	uint64_t oldest = 0; /* number of the oldest that stays */
	int deleted = 0, r = store_open_dir(jobdir, &dirfd, e);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = store_list(jobdir, &entries, &n, NULL, e);
	if (r < 0)
		return r;
	keep = MAX(keep, 1u);
	if (n > keep)
		oldest = entries[keep - 1].number;
	store_entries_free(entries, n);
	r = store_names(dirfd, &names, &n_names, e);
	for (size_t i = 0; r >= 0 && i < n_names; i++) {
		if (names[i].number >= oldest)
			continue;
		r = store_delete(dirfd, names[i].name);
		if (r < 0)
			err_sys(e, r, "cannot delete the old image %s/" STORE_IMAGES_NAME "/%s",
				jobdir, names[i].name);
		else
			deleted++;
	}
	store_names_free(names, n_names);
	return r < 0 ? r : deleted;
}

/*
 * Retention: which valid images stay. The newest `keep`; the newest of each of the
 * last hours and days that have one; then, when that is more than the quota, the
 * oldest of these go. The newest valid image stays in any case. An image that is
 * not valid goes when it is older than the newest `keep` valid ones: there is no
 * use for it. Left out: images that are parents of others.
 */
#include "store/dirs.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

#define HOUR_NS (3600 * NS_PER_SEC)
#define DAY_NS (24 * HOUR_NS)

/* Marks the newest image of each of the `n` newest periods that have one. Images
 * come newest first. */
static void keep_periods(
	const struct store_entry *e, size_t n_entries, uint64_t period_ns, unsigned n, bool *keep)
{
	uint64_t last = UINT64_MAX;

	for (size_t i = 0; i < n_entries && n; i++) {
		uint64_t period = e[i].info.timestamp_ns / period_ns;

		if (period == last)
			continue;
		last = period;
		keep[i] = true;
		n--;
	}
}

void store_select(const struct store_entry *e, size_t n, const struct store_policy *p, bool *keep)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		keep[i] = i < MAX(p->keep, 1u);
	keep_periods(e, n, HOUR_NS, p->keep_hourly, keep);
	keep_periods(e, n, DAY_NS, p->keep_daily, keep);
	for (size_t i = 0; p->quota_bytes && i < n; i++) {
		if (!keep[i])
			continue;
		if (i && (sum > p->quota_bytes || e[i].info.stored_bytes > p->quota_bytes - sum)) {
			/* Older ones would fit, but are worth less: all of them go. */
			memset(keep + i, 0, n - i);
			return;
		}
		sum += e[i].info.stored_bytes;
	}
}

static int delete_one(int dirfd, const char *jobdir, const char *name, bool dry, struct err *e)
{
	int r = dry ? 0 : store_delete(dirfd, name);

	return r < 0 ? err_sys(e, r, "cannot delete the old image %s/" STORE_IMAGES_NAME "/%s",
			       jobdir, name)
		     : 0;
}

struct pruning {
	struct store_entry *entries;
	struct store_name *names;
	size_t n, n_names;
	bool *keep;
};

static void pruning_done(struct pruning *p)
{
	store_entries_free(p->entries, p->n);
	store_names_free(p->names, p->n_names);
	free(p->keep);
}

/* A valid image goes unless it is to be kept, another one when it is too old. */
static bool goes(const struct pruning *p, uint64_t number, unsigned keep)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].number == number)
			return !p->keep[i];
	return p->n >= keep && number < p->entries[keep - 1].number;
}

int store_prune(const char *jobdir, const struct store_policy *policy, bool dry,
	store_gone_fn *gone, void *ctx, struct err *e)
{
	cleanup(pruning_done) struct pruning p = {0};
	cleanup_fd int dirfd = -1;
	int deleted = 0, r = store_open_dir(jobdir, &dirfd, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = store_list(jobdir, &p.entries, &p.n, NULL, e);
	if (r == 0)
		r = store_names(dirfd, &p.names, &p.n_names, e);
	if (r < 0)
		return r;
	p.keep = calloc(p.n + 1, sizeof *p.keep);
	if (!p.keep)
		return err_sys(e, -ENOMEM, "choosing images");
	store_select(p.entries, p.n, policy, p.keep);
	for (size_t i = p.n_names; r == 0 && i-- > 0;) { /* oldest first */
		if (!goes(&p, p.names[i].number, MAX(policy->keep, 1u)))
			continue;
		r = delete_one(dirfd, jobdir, p.names[i].name, dry, e);
		if (r == 0 && gone)
			gone(ctx, p.names[i].number, p.names[i].name);
		deleted += r == 0;
	}
	return r < 0 ? r : deleted;
}

int store_room(const char *jobdir, const struct store_policy *policy, struct err *e)
{
	struct store_policy tight = *policy;
	struct store_entry *entries = NULL;
	size_t n = 0;
	uint64_t last;
	int r;

	if (!policy->quota_bytes)
		return 0;
	r = store_list(jobdir, &entries, &n, NULL, e);
	if (r < 0 || !n) {
		store_entries_free(entries, n);
		return r;
	}
	last = entries[0].info.stored_bytes;
	store_entries_free(entries, n);
	/* The newest stays until the next one is there: both have to fit. */
	if (2 * last > policy->quota_bytes)
		return err_set(e, -EDQUOT, WHY_NO_SPACE,
			"--quota %llu bytes is too small for two images of %llu bytes: the newest "
			"has to stay until the next is complete; give more, or fewer images a "
			"place elsewhere",
			(unsigned long long)policy->quota_bytes, (unsigned long long)last);
	tight.quota_bytes -= last;
	r = store_prune(jobdir, &tight, false, NULL, NULL, e);
	return r < 0 ? r : 0;
}

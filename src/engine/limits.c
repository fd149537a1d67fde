/*
 * Resource limits. What a program set itself comes back as it was. Limits of
 * memory, CPU time and file size that it merely inherited belong to where it
 * runs: after the resume they are those of the shell, or batch job, that called
 * restart. A run that stopped because such a limit was reached goes on under a
 * higher one that way.
 *
 * Which ones were inherited shows in comparison with the reaper, which has the
 * limits that cragon was started with (Tree.outside_limit).
 */
#include "engine/dump.h"
#include "engine/restore.h"

#include <errno.h>
#include <sys/resource.h>

static bool belongs_outside(size_t resource)
{
	return resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_CPU ||
	       resource == RLIMIT_FSIZE;
}

int dump_limits(struct dump *d, pid_t pid, Cragon__Limit ***list, size_t *n)
{
	for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
		Cragon__Limit *limit = dump_new(d, Limit);
		struct rlimit value;

		if (!limit || arena_push(&d->arena, (void ***)list, n, limit) < 0)
			return -ENOMEM;
		cragon__limit__init(limit);
		if (prlimit(pid, (enum __rlimit_resource)resource, NULL, &value) < 0)
			return -errno;
		limit->soft = value.rlim_cur;
		limit->hard = value.rlim_max;
	}
	return 0;
}

/* Soft and hard limit each follow if they were what they were outside. */
static struct rlimit wanted(const struct restore *r, const Cragon__Process *p, size_t i)
{
	const Cragon__Tree *tree = r->meta->tree;
	struct rlimit want = {p->limit[i]->soft, p->limit[i]->hard}, outside;

	if (!belongs_outside(i) || i >= tree->n_outside_limit || !r->limits)
		return want;
	outside = r->limits[i];
	if (want.rlim_max == tree->outside_limit[i]->hard)
		want.rlim_max = outside.rlim_max;
	if (p->limit[i]->soft == tree->outside_limit[i]->soft)
		want.rlim_cur = outside.rlim_cur;
	want.rlim_cur = want.rlim_cur < want.rlim_max ? want.rlim_cur : want.rlim_max;
	return want;
}

/* Hard limits can only be lowered without privilege. */
void restore_limits(struct restore *r, struct restored *p)
{
	for (size_t i = 0; i < p->process->n_limit && i < RLIM_NLIMITS; i++) {
		struct rlimit want = wanted(r, p->process, i), have;
		pid_t pid = p->threads[0].pid;

		if (prlimit(pid, (enum __rlimit_resource)i, &want, NULL) == 0 ||
			prlimit(pid, (enum __rlimit_resource)i, NULL, &have) < 0)
			continue;
		want.rlim_max = MIN(want.rlim_max, have.rlim_max);
		want.rlim_cur = MIN(want.rlim_cur, want.rlim_max);
		(void)prlimit(pid, (enum __rlimit_resource)i, &want, NULL);
		buf_printf(&r->remarks,
			"process %d: a resource limit is lower here than where it was "
			"checkpointed\n",
			p->process->pid);
	}
}

/* The next checkpoint compares with the reaper. */
void restore_outside_limits(const struct restore *r)
{
	for (size_t i = 0; r->limits && i < RLIM_NLIMITS; i++)
		if (belongs_outside(i))
			(void)prlimit(
				r->reaper.pid, (enum __rlimit_resource)i, &r->limits[i], NULL);
}

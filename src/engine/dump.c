/* One checkpoint, step by step: see dump.h and engine_checkpoint(). */
#include "engine/dump.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* A vfork parent cannot stop before its child has called exec: usually a
 * matter of microseconds. Threads of a loaded machine may need milliseconds. */
#define FREEZE_PATIENCE_NS (2 * NS_PER_SEC)

void dump_done(struct dump *d)
{
	for (size_t i = 0; d->processes && i < d->frozen.n; i++)
		free(d->processes[i].whole);
	thaw_tree(&d->frozen);
	free(d->processes);
	free(d->files);
	buf_done(&d->obstacles);
	arena_done(&d->arena);
}

/* Describing a job takes a duplicate of each of its descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int dump_begin(
	struct dump *d, struct job *job, const struct engine_checkpoint *how, struct err *e)
{
	int r;

	*d = (struct dump){.job = job, .how = how};
	cragon__image__init(&d->image);
	raise_descriptor_limit();
	r = freeze_tree(&d->frozen, job->reaper.pid, FREEZE_PATIENCE_NS, e);
	if (r < 0)
		return r;
	if (d->frozen.n == 0)
		return err_set(e, -ESRCH, WHY_TRACEE_DIED, "the job has just ended");
	return dump_describe(d, e);
}

static int refuse(const struct dump *d, struct err *e)
{
	const char *text = d->obstacles.data, *end = strchr(text, '\n');
	size_t more = 0;

	for (const char *p = end + 1; (p = strchr(p, '\n')); p++)
		more++;
	if (more)
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED, "%.*s (and %zu more obstacles)",
			(int)(end - text), text, more);
	return err_set(e, -ENOTSUP, WHY_UNSUPPORTED, "%.*s", (int)(end - text), text);
}

static int dump_hold(
	struct dump *d, struct job *job, const struct engine_checkpoint *q, struct err *e)
{
	int r;

	outputs_look_around(job);
	r = dump_begin(d, job, q, e);
	if (r < 0)
		return r;
	if (d->obstacles.len)
		return refuse(d, e);
	r = dump_query(d, e);
	if (r == 0)
		r = outputs_dump(d, q, e);
	return r < 0 ? r : snapshot_take(d, q->writer, e);
}

static void count(const struct dump *d, struct engine_dump_result *ret)
{
	ret->processes = d->frozen.n;
	for (size_t i = 0; i < d->frozen.n; i++)
		ret->threads += d->frozen.processes[i].n_threads;
}

/* Everything to the disk, and published. */
static int complete(struct dump *d, const struct engine_checkpoint *q,
	struct engine_dump_result *ret, struct err *e)
{
	uint64_t files_bytes = 0;
	int r;

	files_sync(&d->image);
	r = outputs_finish(d, q->dirfd, &files_bytes, e);
	if (r < 0)
		return r;
	r = image_check(&d->image, e);
	if (r < 0)
		return err_in(e, "it could not be resumed from this image");
	r = image_writer_finish(q->writer, &d->image, &ret->totals, e);
	ret->totals.stored_bytes += files_bytes;
	if (r == 0 && q->publish)
		r = q->publish(q->ctx, ret, e);
	if (r == 0)
		(void)outputs_remember(&d->job->outputs, d->image.outputs, q->dirfd);
	return r;
}

int engine_checkpoint(struct job *job, const struct engine_checkpoint *q,
	struct engine_dump_result *ret, struct err *e)
{
	cleanup(dump_done) struct dump d = {0};
	struct err writer_error = {0};
	int r = dump_hold(&d, job, q, e);

	*ret = (struct engine_dump_result){0};
	count(&d, ret);
	if (d.frozen.n)
		ret->pause_ns = now_mono_ns() - d.frozen.since_ns;
	if (r < 0 || q->after == AFTER_CONTINUE) {
		for (size_t i = 0; d.processes && i < d.frozen.n; i++) {
			free(d.processes[i].whole);
			d.processes[i].whole = NULL;
		}
		thaw_tree(&d.frozen);
	}
	if (r < 0) {
		/* A full disk shows in the workers first. */
		if (image_writer_failed(q->writer) &&
			image_writer_finish(q->writer, &d.image, &ret->totals, &writer_error) < 0)
			*e = writer_error;
		return r;
	}
	r = complete(&d, q, ret, e);
	if (r == 0 && q->after == AFTER_KILL) {
		kill_tree(&d.frozen);
		job_end(job);
	}
	return r;
}

int engine_plan(struct job *job, struct buf *ret_obstacles, struct err *e)
{
	cleanup(dump_done) struct dump d = {0};
	int r = dump_begin(&d, job, NULL, e), n = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < d.obstacles.len; i++)
		n += d.obstacles.data[i] == '\n';
	return buf_add(ret_obstacles, d.obstacles.data, d.obstacles.len) < 0 ? -ENOMEM : n;
}

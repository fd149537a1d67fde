/* A restore, step by step: see restore.h and engine_restore(). */
#include "engine/restore.h"
#include "base/io.h"
#include "sys/calls.h"
#include "sys/procfs.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define STOP_PATIENCE_NS (10 * NS_PER_SEC)

static void kill_built(struct restore *r)
{
	for (size_t i = 0; r->processes && i < r->meta->n_process; i++)
		for (size_t k = r->processes[i].n_threads; k-- > 0;)
			tracee_kill(&r->processes[i].threads[k]);
	tracee_kill(&r->above);
	reaper_end(&r->reaper);
}

static void restore_done(struct restore *r)
{
	kill_built(r);
	for (size_t i = 0; r->processes && i < r->meta->n_process; i++)
		free(r->processes[i].threads);
	free(r->processes);
	files_restore_done(&r->files);
	outputs_restore_done(&r->outputs);
	buf_done(&r->remarks);
}

/* All open files of the whole job pass through cragon and the reaper. */
static int make_room_for_descriptors(const struct restore *r, struct err *e)
{
	uint64_t need = (uint64_t)r->fd_base + r->meta->n_object + r->meta->n_shared + 16;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_sys(e, -errno, "cannot read the descriptor limit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < need)
		return err_set(e, -EMFILE, WHY_SYSTEM,
			"the job needs %llu descriptors while it is resumed; raise the limit "
			"(ulimit -Hn %llu)",
			(unsigned long long)need, (unsigned long long)need);
	return 0;
}

static int *all_descriptors(const struct restore *r)
{
	size_t n = r->meta->n_object + r->meta->n_shared;
	int *all = malloc((n + 1) * sizeof *all);

	if (!all)
		return NULL;
	if (r->meta->n_object)
		memcpy(all, r->files.fds, r->meta->n_object * sizeof *all);
	if (r->meta->n_shared)
		memcpy(all + r->meta->n_object, r->files.shared, r->meta->n_shared * sizeof *all);
	return all;
}

static int start_reaper(struct restore *r, enum engine_namespaces namespaces, struct err *e)
{
	cleanup_free int *inherit = all_descriptors(r);
	struct reaper_options options = {
		.namespaces = namespaces,
		.want_time = true,
		.monotonic_ns = (int64_t)r->meta->clock->monotonic_ns,
		.boottime_ns = (int64_t)r->meta->clock->boottime_ns,
		.inherit = inherit,
		.n_inherit = r->meta->n_object + r->meta->n_shared,
		.notes = r->notes,
	};
	int n;

	if (!inherit)
		return err_sys(e, -ENOMEM, "resuming the job");
	/* The agreed numbers must not be in use here yet. */
	for (size_t i = 0; i < options.n_inherit; i++)
		r->fd_base = MAX(r->fd_base, inherit[i] + 1);
	options.inherit_base = r->fd_base;
	n = reaper_start(&r->reaper, &options, e);
	if (n < 0)
		return n;
	r->choose_ids =
		r->reaper.has_pid_namespace && r->meta->tree->pids == CRAGON__TREE__NAMESPACE__OWN;
	if (!r->reaper.has_time_namespace)
		buf_str(&r->remarks,
			"no time namespace: the job will see its monotonic clock jump\n");
	if (!r->choose_ids)
		buf_str(&r->remarks, "process ids differ from those before the checkpoint\n");
	n = tracee_seize(&r->above, r->reaper.pid, r->reaper.pid, true, e);
	if (n < 0)
		return n;
	if (tracee_await_stop(&r->above, now_mono_ns() + STOP_PATIENCE_NS) < 1)
		return err_set(e, -ETIME, WHY_SYSTEM, "the job's reaper does not answer");
	return tracee_prepare(&r->above, e);
}

typedef int process_step(struct restore *, struct restored *, struct err *);

static int each_live(struct restore *r, process_step *step, struct err *e)
{
	for (size_t i = 0; i < r->meta->n_process; i++) {
		int n;

		if (r->meta->process[i]->state == CRAGON__PROCESS__STATE__ZOMBIE ||
			r->processes[i].threads[0].state == TRACEE_NONE)
			continue; /* a stopped one has been released already */
		n = step(r, &r->processes[i], e);
		if (n < 0)
			return n;
	}
	return 0;
}

static int build(struct restore *r, struct err *e)
{
	int n = restore_tree(r, e);

	if (n == 0)
		n = each_live(r, restore_exec, e);
	if (n == 0)
		n = each_live(r, restore_space, e);
	if (n == 0)
		n = restore_fill(r, e);
	if (n == 0)
		n = each_live(r, restore_process_state, e);
	if (n == 0)
		n = each_live(r, restore_threads, e);
	if (n == 0)
		n = restore_owners(r, e);
	if (n == 0)
		n = restore_zombies(r, e);
	if (n == 0)
		n = restore_stopped(r, e);
	if (n == 0)
		n = each_live(r, restore_signals, e);
	return n;
}

static void tell_remarks(struct restore *r)
{
	char *line = r->remarks.data, *end;

	for (; line && *line && (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		if (r->notes.fn)
			r->notes.fn(r->notes.ctx, line);
	}
}

/* Nothing can fail any more: children first, so that no parent waits in vain. */
static void let_go(struct restore *r)
{
	for (size_t i = r->meta->n_process; i-- > 0;)
		for (size_t k = r->processes[i].n_threads; k-- > 0;)
			tracee_release(&r->processes[i].threads[k]);
	tracee_release(&r->above);
}

static int hand_over(struct restore *r, struct job **ret, struct err *e)
{
	pid_t root = r->meta->tree->root_pid;
	struct job *job = calloc(1, sizeof *job);
	int n;

	if (!job)
		return err_sys(e, -ENOMEM, "resuming the job");
	(void)outputs_inherit(&job->outputs, r->meta->outputs, image_dirfd(r->image));
	n = outputs_commit(&r->outputs, e);
	if (n == 0)
		n = files_commit(&r->files, e);
	if (n == 0)
		n = reaper_order(&r->reaper, ORDER_WATCH, restore_id(r, root));
	if (n < 0) {
		outputs_done(&job->outputs);
		free(job);
		return e->code ? e->code : err_sys(e, n, "resuming the job");
	}
	for (size_t i = 0; i < r->meta->n_process; i++)
		if (r->meta->process[i]->pid == root)
			job->root = r->processes[i].threads[0].pid;
	restore_outside_limits(r);
	let_go(r);
	tell_remarks(r);
	job->reaper = r->reaper;
	r->reaper = (struct reaper){.control = -1, .events = -1};
	*ret = job;
	return 0;
}

static const char *name_now(const void *ctx, const char *path, bool *ret_kept)
{
	*ret_kept = outputs_file(ctx, path) != NULL;
	return outputs_now(ctx, path);
}

int engine_restore(
	struct job **ret, struct image *image, const struct engine_restore *options, struct err *e)
{
	cleanup(restore_done) struct restore r = {
		.image = image,
		.meta = image_meta(image),
		.notes = options->notes,
		.limits = options->limits,
		.reaper = {.control = -1, .events = -1},
		.new_vdso = sys_without("vdso"),
		.outputs = OUTPUTS_RESTORE_NONE,
	};
	const struct files_moved moved = {options->jobdir, name_now, &r.outputs};
	int n = outputs_restore_begin(&r.outputs, r.meta->outputs, options, &r.remarks, e);

	if (n == 0)
		n = restore_check(&r, e);
	if (n == 0)
		n = make_room_for_descriptors(&r, e);
	if (n < 0)
		return n;
	r.processes = calloc(r.meta->n_process, sizeof *r.processes);
	if (!r.processes)
		return err_sys(e, -ENOMEM, "resuming the job");
	for (size_t i = 0; i < r.meta->n_process; i++)
		r.processes[i].process = r.meta->process[i];
	n = outputs_stage(&r.outputs, image_dirfd(image), e);
	if (n == 0)
		n = files_make(&r.files, r.meta, &moved, &r.remarks, e);
	if (n == 0)
		n = start_reaper(&r, options->namespaces, e);
	if (n == 0)
		n = build(&r, e);
	return n < 0 ? n : hand_over(&r, ret, e);
}

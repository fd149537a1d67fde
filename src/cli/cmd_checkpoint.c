/*
 * cragon checkpoint: asks the cragon that runs the job, over the control
 * socket in its directory. Where that could not be made (some network file
 * systems have no sockets), the checkpoint signal does, without --stop.
 */
#include "cli/options.h"
#include "cli/print.h"
#include "base/io.h"
#include "job/control.h"
#include "job/jobdir.h"
#include "job/journal.h"
#include "job/workdir.h"
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define SIGNAL_PATIENCE_NS (600 * NS_PER_SEC)
#define SIGNAL_STEP_NS (200 * NS_PER_MSEC)

static enum why why_of(const char *name)
{
	for (enum why w = WHY_NONE; w <= WHY_INTERRUPTED; w++)
		if (name && !strcmp(why_name(w), name))
			return w;
	return WHY_SYSTEM;
}

static int print_path(const char *path)
{
	cleanup_buf struct buf out = {0};

	buf_printf(&out, "%s\n", path);
	return cli_print(&out);
}

static int refused(const json_t *reply, struct err *e)
{
	const char *text = json_string_value(json_object_get(reply, "text"));

	return err_set(e, -EIO, why_of(json_string_value(json_object_get(reply, "why"))),
		"no checkpoint: %s", text ? text : "cragon gave no reason");
}

/* Fetches the path into *ret, malloc'd. */
static int ask(const struct job_view *job, bool stop, char **ret, struct err *e)
{
	json_t *request = json_pack("{s:s, s:b}", "op", "checkpoint", "stop", stop), *reply = NULL;
	const char *path;
	int r = control_ask(job->directory, request, &reply, e);

	json_decref(request);
	if (r < 0)
		return r;
	path = json_string_value(json_object_get(reply, "path"));
	if (!json_is_true(json_object_get(reply, "ok")))
		r = refused(reply, e);
	else if (!path || !(*ret = strdup(path)))
		r = err_set(e, -EPROTO, WHY_SYSTEM, "cragon did not say where the image is");
	json_decref(reply);
	return r;
}

static int checkpoint_signal_of(const struct job_view *job, struct err *e)
{
	cleanup(workdir_done) struct workdir dir = WORKDIR_NONE;
	cleanup(journal_done) struct journal journal = {0};
	struct journal_attempt last;
	int r = workdir_open(&dir, job->directory, e);

	if (r == 0)
		r = journal_load(&journal, dir.fd, e);
	if (r == 0 && journal_last(&journal, &last) == 0 && last.checkpoint_signal > 0)
		return last.checkpoint_signal;
	return r < 0 ? r : err_set(e, -ENOENT, WHY_NO_JOB, "job.json names no checkpoint signal");
}

/* Sends the signal and waits until a newer image is there. */
static int by_signal(const struct job_view *job, struct job_view *ret_after, struct err *e)
{
	uint64_t until = now_mono_ns() + SIGNAL_PATIENCE_NS;
	int sig = checkpoint_signal_of(job, e);

	if (sig < 0)
		return sig;
	if (kill(job->pid, sig) < 0)
		return err_sys(e, -errno, "cannot signal cragon %d", (int)job->pid);
	while (now_mono_ns() < until) {
		struct job_view now = {0};
		int r;

		sleep_ns(SIGNAL_STEP_NS);
		r = job_find(job->directory, &now, e);
		if (r < 0)
			return r;
		if (now.last_image > job->last_image) {
			*ret_after = now;
			return 0;
		}
		if (now.state != JOB_RUNNING)
			until = 0;
		job_view_done(&now);
	}
	return err_set(e, -ETIMEDOUT, WHY_BUSY, "no new image appeared: %s/cragon.log may tell why",
		job->directory);
}

static int newest_path(const char *directory, char **ret, struct err *e)
{
	struct store_entry *images = NULL;
	size_t n = 0;
	int r = store_list(directory, &images, &n, NULL, e);

	if (r < 0)
		return r;
	*ret = n ? strdup(images[0].path) : NULL;
	store_entries_free(images, n);
	return *ret ? 0 : err_set(e, -ENOENT, WHY_NO_IMAGE, "the new image is gone again");
}

static int without_socket(const struct job_view *job, bool stop)
{
	cleanup(job_view_done) struct job_view after = {0};
	cleanup_free char *path = NULL;
	struct err e = {0};

	if (stop) {
		err_set(&e, -ENOTCONN, WHY_NO_JOB,
			"this job has no control socket, which --stop needs: take an image without "
			"--stop, then end the job with \"kill %d\"",
			(int)job->pid);
		return cli_fail(&e);
	}
	if (by_signal(job, &after, &e) < 0 || newest_path(after.directory, &path, &e) < 0)
		return cli_fail(&e);
	return print_path(path);
}

static int checkpoint_exec(struct invocation *inv)
{
	cleanup(job_view_done) struct job_view job = {0};
	cleanup_free char *path = NULL;
	struct err e = {0};
	int r = job_find(inv->argc ? inv->argv[0] : NULL, &job, &e);

	if (r < 0)
		return cli_fail(&e);
	if (job.state != JOB_RUNNING) {
		err_set(&e, -ESRCH, WHY_NO_JOB,
			"the job in %s does not run on this machine (%s%s%s)", job.directory,
			job_state_name(job.state), *job.hostname ? "; last on " : "", job.hostname);
		return cli_fail(&e);
	}
	r = ask(&job, inv->stop, &path, &e);
	if (r == 0)
		return print_path(path);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return without_socket(&job, inv->stop);
	return cli_fail(&e);
}

const struct command cmd_checkpoint = {
	.name = "checkpoint",
	.operands = "[JOB]",
	.summary = "take a checkpoint now; with --stop, end the job after it",
	.text = "Prints where the image is. JOB is a job directory or an id from \"cragon list\"; "
		"left out, it is the only running job or the newest under this directory. With "
		"--stop the job is ended once its image is safe, and its cragon exits with the "
		"stop code.",
	.options = checkpoint_options,
	.max_operands = 1,
	.exec = checkpoint_exec,
};

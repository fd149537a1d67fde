/* A program tried for real: see trial.h. */
#include "job/trial.h"
#include "base/io.h"
#include "job/intercept.h"
#include "image/image.h"
#include "job/checkpoint.h"
#include "store/dirs.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define RUN_MS 1000

struct trial {
	const struct settings *settings;
	char *const *command;
	bool streams;
	trial_report_fn *report;
	void *ctx;
	struct identity who;
	char *cwd;
	char directory[4096];
	struct job *job;
	struct checkpoint_result image;
	int saved[3]; /* standard streams while /dev/null is in their place */
	struct sigaction old_int, old_term, old_hup;
};

static void trial_done(struct trial *t)
{
	job_free(t->job);
	checkpoint_result_done(&t->image);
	if (t->directory[0])
		store_remove_tree(AT_FDCWD, t->directory, 0);
	free(t->cwd);
	sigaction(SIGINT, &t->old_int, NULL);
	sigaction(SIGTERM, &t->old_term, NULL);
	sigaction(SIGHUP, &t->old_hup, NULL);
}

/* Ctrl-C ends the program, which the next step notices; the temporary
 * directory must not be left behind. */
static void outlive_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void default_signals(const struct trial *t)
{
	sigaction(SIGINT, &t->old_int, NULL);
	sigaction(SIGTERM, &t->old_term, NULL);
	sigaction(SIGHUP, &t->old_hup, NULL);
}

static void silence(struct trial *t)
{
	int null = t->streams ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		t->saved[fd] = -1;
	for (int fd = 0; null >= 0 && fd < 3; fd++) {
		t->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		dup2(null, fd);
	}
	close_p(&null);
}

static void unsilence(struct trial *t)
{
	for (int fd = 0; fd < 3; fd++) {
		if (t->saved[fd] >= 0)
			dup2(t->saved[fd], fd);
		close_p(&t->saved[fd]);
	}
}

static int say(struct trial *t, const char *step, bool ok, const char *text)
{
	t->report(t->ctx, step, ok, text);
	return ok;
}

/* 1 and the status when the program ended within the time, else 0. */
static int let_run(struct trial *t, int *ret_status)
{
	struct pollfd end = {.fd = job_event_fd(t->job), .events = POLLIN};

	while (poll(&end, 1, RUN_MS) < 0 && errno == EINTR)
		;
	return end.revents ? job_poll(t->job, ret_status) : 0;
}

static int step_start(struct trial *t)
{
	struct engine_spawn spawn = {t->command, t->settings->namespaces, {NULL, NULL}, NULL};
	struct err e = {0};
	char text[200];
	int status = 0, r;

	silence(t);
	r = engine_spawn(&t->job, &spawn, &e);
	unsilence(t);
	outlive_signals();
	if (r < 0)
		return say(t, "start", false, e.text);
	r = let_run(t, &status);
	if (r < 0)
		return say(t, "start", false, "the job was killed from outside");
	if (r > 0 && WIFSIGNALED(status)) {
		snprintf(text, sizeof text, "killed by signal %d (%s) within a second",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
		return say(t, "start", false, text);
	}
	if (r > 0) {
		snprintf(text, sizeof text,
			"ended by itself (exit code %d) before the first checkpoint: try it with "
			"input that keeps it busy for some seconds",
			WEXITSTATUS(status));
		return say(t, "start", false, text);
	}
	snprintf(text, sizeof text, "process %d, %s", (int)job_root_pid(t->job),
		job_has_namespace(t->job) ? "in a PID namespace of its own"
					  : "in the machine's PID namespace");
	return say(t, "start", true, text);
}

/* Not an obstacle: a job without interception is checkpointed all the same. */
static int step_interception(struct trial *t)
{
	cleanup_buf struct buf reason = {0};
	char path[PATH_MAX];
	struct err e = {0};
	int r = engine_find_program(t->command[0], path, &e);

	if (r == 0)
		r = intercept_applies(path, &reason);
	if (r < 0)
		return say(t, "interception", true, "cannot be told for this program");
	return say(t, "interception", true,
		r ? "failed allocations will be held and checkpointed" : reason.data);
}

static int step_plan(struct trial *t)
{
	cleanup_buf struct buf lines = {0};
	struct err e = {0};
	char *rest, *line;
	int n = engine_plan(t->job, &lines, &e);

	if (n < 0)
		return say(t, "obstacle", false, e.text);
	if (n == 0)
		return 1;
	rest = lines.data;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			say(t, "obstacle", false, line);
	return 0;
}

static int step_checkpoint(struct trial *t)
{
	struct checkpoint_request request = {
		.jobdir = t->directory,
		.command = t->command,
		.directory = t->cwd,
		.who = &t->who,
		.settings = t->settings,
		.reason = "trial",
		.after = AFTER_KILL,
	};
	struct err e = {0};
	char text[200];

	if (checkpoint_take(t->job, &request, &t->image, &e) < 0)
		return say(t, "checkpoint", false, e.text);
	snprintf(text, sizeof text,
		"%llu process%s, %.1f MiB in memory, %.1f MiB on disk, held %.1f ms",
		(unsigned long long)t->image.processes, t->image.processes == 1 ? "" : "es",
		(double)t->image.memory_bytes / (double)MIB,
		(double)t->image.stored_bytes / (double)MIB, (double)t->image.pause_ns / 1e6);
	return say(t, "checkpoint", true, text);
}

static int step_resume(struct trial *t)
{
	struct engine_restore how = {.namespaces = t->settings->namespaces};
	struct image *image = NULL;
	uint64_t began = now_mono_ns();
	struct err e = {0};
	char text[100];
	int r;

	job_free(t->job);
	t->job = NULL;
	r = image_open(&image, t->image.path, &e);
	if (r == 0) {
		default_signals(t);
		silence(t);
		r = engine_restore(&t->job, image, &how, &e);
		unsilence(t);
		outlive_signals();
	}
	image_close(image);
	if (r < 0)
		return say(t, "resume", false, e.text);
	snprintf(text, sizeof text, "took %.0f ms", (double)(now_mono_ns() - began) / 1e6);
	return say(t, "resume", true, text);
}

static int step_run_on(struct trial *t)
{
	char text[100];
	int status = 0, r = let_run(t, &status);

	if (r < 0)
		return say(t, "run on", false, "the job was killed from outside");
	if (r == 0)
		return say(t, "run on", true, "still runs a second later");
	if (WIFSIGNALED(status)) {
		snprintf(text, sizeof text, "killed by signal %d (%s) after the resume",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
		return say(t, "run on", false, text);
	}
	snprintf(text, sizeof text, "ended by itself after the resume (exit code %d)",
		WEXITSTATUS(status));
	return say(t, "run on", true, text);
}

static int make_directory(struct trial *t, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(t->directory, sizeof t->directory, "%s/cragon-check-XXXXXX",
		    tmp && tmp[0] == '/' ? tmp : "/tmp") >= (int)sizeof t->directory ||
		!mkdtemp(t->directory)) {
		t->directory[0] = 0;
		return err_sys(e, -errno, "cannot create a temporary directory (see TMPDIR)");
	}
	return 0;
}

int trial_run(const struct settings *settings, char *const *command, bool streams,
	trial_report_fn *report, void *ctx, struct err *e)
{
	static int (*const steps[])(struct trial *) = {step_start, step_interception, step_plan,
		step_checkpoint, step_resume, step_run_on};
	cleanup(trial_done) struct trial t = {
		.settings = settings,
		.command = command,
		.streams = streams,
		.report = report,
		.ctx = ctx,
		.cwd = getcwd(NULL, 0),
	};
	int r;

	sigaction(SIGINT, NULL, &t.old_int);
	sigaction(SIGTERM, NULL, &t.old_term);
	sigaction(SIGHUP, NULL, &t.old_hup);
	if (!t.cwd)
		return err_sys(e, -errno, "cannot tell the current directory");
	identity_self(&t.who);
	r = make_directory(&t, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (!steps[i](&t))
			return 0;
	return 1;
}

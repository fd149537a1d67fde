/* The event loop: see supervise.h. */
#include "job/supervise.h"
#include "base/io.h"
#include "job/checkpoint.h"
#include "job/control.h"
#include "job/leftover.h"
#include "job/policy.h"
#include "job/signals.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

/* How often the processes that --wait-all waits for are counted. */
#define WAIT_ALL_STEP_NS NS_PER_SEC

struct loop {
	struct supervised *s;
	struct outcome *out;
	struct policy policy;
	struct control control;
	int signals, timer;
	uint64_t next_ns; /* what the timer stands at */
	enum policy_step next;
	char failure[sizeof((struct err *)0)->text]; /* the last one, told already */
	unsigned repeated;
	bool told_unsupported;
	bool journal_broken;
	bool command_ended; /* --wait-all: others still run */
	bool over;
};

static void loop_done(struct loop *l)
{
	control_done(&l->control);
	close_p(&l->signals);
	close_p(&l->timer);
}

void note_to_log(void *ctx, const char *text)
{
	log_info((struct log *)ctx, "%s", text);
}

/* A full disk must not end the job; it is told once. */
static void save_journal(struct loop *l)
{
	int r = journal_save(l->s->journal, l->s->dir->fd);

	if (r < 0 && !l->journal_broken)
		log_warn(l->s->log, "cannot write job.json: %s", strerror(-r));
	l->journal_broken = r < 0;
}

/* ---- the next checkpoint's time ----------------------------------------------- */

static uint64_t real_of(uint64_t mono_ns)
{
	uint64_t now = now_mono_ns();

	return now_real_ns() + (mono_ns > now ? mono_ns - now : 0);
}

static void arm(struct loop *l)
{
	struct itimerspec at = {0};
	uint64_t due;

	l->next = policy_next(&l->policy, &l->next_ns);
	due = l->next_ns;
	if (l->command_ended)
		due = MIN(due, now_mono_ns() + WAIT_ALL_STEP_NS);
	if (due != POLICY_NEVER) {
		at.it_value.tv_sec = (time_t)(due / NS_PER_SEC);
		at.it_value.tv_nsec = (long)(due % NS_PER_SEC);
	}
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void plan(struct loop *l)
{
	arm(l);
	journal_next(l->s->journal, l->next == POLICY_NOTHING ? 0 : real_of(l->next_ns));
	save_journal(l);
}

/* ---- checkpoints ---------------------------------------------------------------- */

/* The same failure every minute for a week is one line and a count. */
static void tell_failure(struct loop *l, const struct err *e)
{
	if (!strcmp(l->failure, e->text)) {
		l->repeated++;
		return;
	}
	if (l->repeated)
		log_info(l->s->log, "the checkpoint failed %u more times for the same reason",
			l->repeated);
	l->repeated = 0;
	snprintf(l->failure, sizeof l->failure, "%s", e->text);
	/* The obstacle may name another process each time; the terminal hears of it once. */
	log_line(l->s->log, e->why == WHY_UNSUPPORTED && l->told_unsupported ? LOG_INFO : LOG_WARN,
		"no checkpoint, the job runs on: %s", e->text);
	l->told_unsupported |= e->why == WHY_UNSUPPORTED;
}

static void tell_success(struct loop *l, const char *reason, const struct checkpoint_result *c)
{
	if (l->repeated)
		log_info(l->s->log, "the checkpoint had failed %u more times", l->repeated);
	l->repeated = 0;
	l->failure[0] = 0;
	log_info(l->s->log,
		"checkpoint %" PRIu64 " (%s): %" PRIu64 " processes, %.1f MiB in memory, "
		"%.1f MiB on disk, held %.1f ms, took %.2f s: %s",
		c->number, reason, c->processes, (double)c->memory_bytes / (double)MIB,
		(double)c->stored_bytes / (double)MIB, (double)c->pause_ns / 1e6,
		(double)c->duration_ns / 1e9, c->path);
}

static void retain(struct loop *l)
{
	struct err e = {0};
	int r = store_retain(l->s->dir->path, l->s->settings->keep, &e);

	if (r < 0)
		log_warn(l->s->log, "old images stay: %s", e.text);
	else if (r > 0)
		log_debug(l->s->log, "%d old image%s deleted", r, r == 1 ? "" : "s");
}

static void note_checkpoint(struct loop *l, const struct checkpoint_result *c)
{
	l->policy.pause_ns = c->pause_ns;
	l->policy.duration_ns = c->duration_ns;
	l->out->checkpoints++;
	l->out->last_image = c->number;
	journal_checkpoint(l->s->journal, c->number);
}

static int take(struct loop *l, const char *reason, enum engine_after after,
	struct checkpoint_result *ret, struct err *e)
{
	struct supervised *s = l->s;
	struct checkpoint_request request = {
		.jobdir = s->dir->path,
		.command = s->command,
		.directory = journal_directory(s->journal),
		.who = s->who,
		.settings = s->settings,
		.reason = reason,
		.after = after,
		.notes = {note_to_log, s->log},
	};
	int r = checkpoint_take(s->job, &request, ret, e);

	l->policy.last_end_ns = now_mono_ns();
	l->policy.failure = r < 0 ? e->why : WHY_NONE;
	if (r < 0) {
		tell_failure(l, e);
	} else {
		tell_success(l, reason, ret);
		note_checkpoint(l, ret);
		retain(l);
		if (after == AFTER_KILL) {
			l->out->how = HOW_STOPPED;
			l->out->exit_code = s->settings->stop_code;
			l->over = true;
		}
	}
	if (!l->over)
		plan(l);
	return r;
}

static void take_and_forget(struct loop *l, const char *reason, enum engine_after after)
{
	cleanup(checkpoint_result_done) struct checkpoint_result c = {0};
	struct err e = {0};

	(void)take(l, reason, after, &c, &e); /* told in the log */
}

/* ---- requests --------------------------------------------------------------------- */

static json_t *answer_checkpoint(struct loop *l, bool stop)
{
	cleanup(checkpoint_result_done) struct checkpoint_result c = {0};
	struct err e = {0};
	json_t *path;

	if (l->over) {
		err_set(&e, -ESRCH, WHY_NO_JOB, "the job has just ended");
		return control_refusal(&e);
	}
	if (take(l, stop ? "stop" : "request", stop ? AFTER_KILL : AFTER_CONTINUE, &c, &e) < 0)
		return control_refusal(&e);
	path = json_string(c.path);
	return json_pack("{s:b, s:I, s:o, s:I, s:I, s:I, s:I}", "ok", 1, "number",
		(json_int_t)c.number, "path", path ? path : json_null(), "pause_ns",
		(json_int_t)c.pause_ns, "duration_ns", (json_int_t)c.duration_ns, "memory_bytes",
		(json_int_t)c.memory_bytes, "stored_bytes", (json_int_t)c.stored_bytes);
}

static json_t *answer_status(struct loop *l)
{
	cleanup_free pid_t *pids = NULL;
	int n = job_processes(l->s->job, &pids);

	return json_pack("{s:b, s:s, s:i, s:i, s:i, s:I}", "ok", 1, "id", journal_id(l->s->journal),
		"pid", (int)l->s->who->pid, "processes", MAX(n, 0), "checkpoints",
		(int)l->out->checkpoints, "last_image", (json_int_t)l->out->last_image);
}

static json_t *answer(void *ctx, const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	struct err e = {0};

	if (op && !strcmp(op, "checkpoint"))
		return answer_checkpoint(ctx, json_is_true(json_object_get(request, "stop")));
	if (op && !strcmp(op, "status"))
		return answer_status(ctx);
	err_set(&e, -EINVAL, WHY_USAGE, "unknown request");
	return control_refusal(&e);
}

/* ---- signals ------------------------------------------------------------------------ */

static void forward(struct loop *l, int sig)
{
	int r = l->command_ended ? job_signal_all(l->s->job, sig) : job_signal(l->s->job, sig);

	log_info(l->s->log, "passed on signal %d (%s)%s%s", sig, strsignal(sig), r < 0 ? ": " : "",
		r < 0 ? strerror(-r) : "");
}

static void on_signal(struct loop *l, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;

	switch (signal_act_of(info, l->s->settings->signal_checkpoint)) {
	case SIGNAL_DROP:
		break;
	case SIGNAL_FORWARD:
		forward(l, sig);
		break;
	case SIGNAL_CHECKPOINT:
		take_and_forget(l, "signal", AFTER_CONTINUE);
		break;
	case SIGNAL_SUSPEND:
		if (info->ssi_code <= 0)
			job_signal_all(l->s->job, SIGTSTP);
		stop_self();
		break;
	case SIGNAL_CONTINUE:
		job_signal_all(l->s->job, SIGCONT);
		break;
	}
}

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo info;

	while (!l->over && read(l->signals, &info, sizeof info) == sizeof info)
		on_signal(l, &info);
}

/* ---- the end -------------------------------------------------------------------------- */

static void set_ending(struct outcome *out, int status)
{
	if (WIFSIGNALED(status)) {
		out->how = HOW_SIGNAL;
		out->signal = WTERMSIG(status);
		out->exit_code = 128 + out->signal;
	} else {
		out->how = HOW_EXIT;
		out->exit_code = WEXITSTATUS(status);
	}
}

static bool others_run(const struct loop *l)
{
	cleanup_free pid_t *pids = NULL;

	return job_processes(l->s->job, &pids) > 0;
}

static void look_at_job(struct loop *l)
{
	int status = 0, r = job_poll(l->s->job, &status);

	if (r == 0)
		return;
	if (r < 0) {
		log_error(l->s->log, "the job was killed from outside, its reaper with it");
		l->out->how = HOW_LOST;
		l->out->exit_code = 128 + SIGKILL;
		l->over = true;
		return;
	}
	set_ending(l->out, status);
	if (l->s->settings->wait_all && others_run(l)) {
		log_info(l->s->log, "the command has ended; waiting for what it left running");
		l->command_ended = true;
		arm(l);
		return;
	}
	l->over = true;
}

static void on_timer(struct loop *l)
{
	uint64_t expirations;

	if (read(l->timer, &expirations, sizeof expirations) < 0)
		return;
	if (l->command_ended && !others_run(l)) {
		l->over = true;
		return;
	}
	if (l->next == POLICY_NOTHING || now_mono_ns() < l->next_ns)
		arm(l);
	else if (l->next == POLICY_LAST)
		take_and_forget(l, "time-limit", AFTER_KILL);
	else
		take_and_forget(l, "periodic", AFTER_CONTINUE);
}

static void tell_ending(const struct loop *l)
{
	const struct outcome *out = l->out;
	const char *job = l->s->dir->path;

	switch (out->how) {
	case HOW_STOPPED:
		log_info(l->s->log,
			"stopped with image %" PRIu64 "; cragon restart -w %s continues",
			out->last_image, job);
		break;
	case HOW_SIGNAL:
		log_info(l->s->log, "the command was killed by signal %d (%s)", out->signal,
			strsignal(out->signal));
		break;
	case HOW_EXIT:
		log_info(l->s->log, "the command exited with %d", out->exit_code);
		break;
	case HOW_RUNNING:
	case HOW_LOST:
		break;
	}
}

/* ---- the loop --------------------------------------------------------------------------- */

/* Limits that were meant for the job would hit cragon's own writing and
 * compressing: its soft ones go up to the hard ones, after the job got its own. */
static void raise_own_limits(void)
{
	static const int limits[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)limits[i], &limit) == 0) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit((__rlimit_resource_t)limits[i], &limit);
		}
	}
}

static int open_loop(struct loop *l, struct err *e)
{
	struct err why = {0};

	l->signals = signals_open();
	if (l->signals < 0)
		return err_sys(e, l->signals, "signalfd");
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer < 0)
		return err_sys(e, -errno, "timerfd");
	if (control_open(&l->control, l->s->dir->fd, &why) < 0)
		log_info(l->s->log, "%s: \"cragon checkpoint\" will use signal %d instead",
			why.text, l->s->settings->signal_checkpoint);
	raise_own_limits();
	return 0;
}

static void wait_once(struct loop *l)
{
	struct pollfd fds[3 + CONTROL_FDS] = {
		{.fd = l->signals, .events = POLLIN},
		{.fd = l->timer, .events = POLLIN},
		{.fd = l->command_ended ? -1 : job_event_fd(l->s->job), .events = POLLIN},
	};

	control_watch(&l->control, fds + 3);
	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return; /* EINTR: stopped and continued */
	/* The end first: what has ended cannot be checkpointed. */
	if (fds[2].revents)
		look_at_job(l);
	if (!l->over && fds[0].revents)
		read_signals(l);
	if (!l->over && fds[1].revents)
		on_timer(l);
	control_serve(&l->control, fds + 3, answer, l);
}

int supervise(struct supervised *s, struct outcome *ret, struct err *e)
{
	const struct settings *set = s->settings;
	cleanup(loop_done) struct loop l = {
		.s = s,
		.out = ret,
		.signals = -1,
		.timer = -1,
		.control = {.listener = -1},
		.policy =
			{
				.mode = set->interval_mode,
				.interval_ns = set->interval_ns,
				.max_time_ns = set->max_time_ns,
				.started_ns = now_mono_ns(),
				.pause_ns = s->pause_ns,
				.duration_ns = s->duration_ns,
			},
	};
	int r;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		l.control.client[i].fd = -1;
	*ret = (struct outcome){.how = HOW_RUNNING};
	r = open_loop(&l, e);
	if (r < 0)
		return r;
	plan(&l);
	while (!l.over)
		wait_once(&l);
	if (l.repeated)
		log_info(s->log, "the checkpoint had failed %u more times", l.repeated);
	tell_ending(&l);
	if (ret->how != HOW_STOPPED)
		leftover_end(s->job, s->log);
	job_end(s->job);
	journal_end(s->journal, ret->how, ret->exit_code, ret->signal);
	save_journal(&l);
	return 0;
}

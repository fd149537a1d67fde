/* The event loop: see supervise.h. */
#include "job/supervise.h"
#include "base/io.h"
#include "base/units.h"
#include "job/facts.h"
#include "job/leftover.h"
#include "job/loop.h"
#include "job/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static const char *const stop_names[] = {
#define X(name, text) [STOP_##name] = text,
	STOP_REASONS(X)
#undef X
};

const char *stop_reason_name(enum stop_reason stop)
{
	return stop_names[stop];
}

void tell_plugins(const struct supervised *s, const char *event, json_t *more)
{
	char when[40];
	json_t *o;

	if (s->plugins->to < 0) {
		json_decref(more);
		return;
	}
	format_time(now_real_ns(), when);
	o = json_pack("{s:s, s:s, s:s, s:s, s:O, s:s, s:s, s:i, s:i}", "event", event, "time", when,
		"id", journal_id(s->journal), "directory", s->dir->path, "command",
		json_object_get(s->journal->root, "command"), "hostname", s->who->host, "user",
		s->who->user, "pid", (int)s->who->pid, "attempt", journal_attempts(s->journal));
	if (o && more)
		json_object_update(o, more);
	json_decref(more);
	plugins_event(s->plugins, event, o, s->log);
}

static void loop_done(struct loop *l)
{
	loop_spend_reserve(l);
	metrics_close(l->metrics);
	control_done(&l->control);
	close_p(&l->signals);
	close_p(&l->timer);
}

void note_to_log(void *ctx, const char *text)
{
	log_info((struct log *)ctx, "%s", text);
}

/* ---- signals ------------------------------------------------------------------------ */

static void forward(struct loop *l, int sig)
{
	int r = l->command_ended ? job_signal_all(l->s->job, sig) : job_signal(l->s->job, sig);

	log_info(l->s->log, "passed on signal %d (%s)%s%s", sig, strsignal(sig), r < 0 ? ": " : "",
		r < 0 ? strerror(-r) : "");
}

/* The batch system says that the end is near: checkpoint and stop. Asked again, or
 * when that cannot be done, the job gets the signal. Of the checkpoint signal it is
 * the sender that tells: the batch system runs under another account. */
static bool is_last_warning(struct loop *l, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;

	if (info->ssi_code > 0 || !sched_is_warning(&l->sched, sig) || l->warned)
		return false;
	if (sig == l->s->settings->signal_checkpoint && info->ssi_uid == getuid())
		return false;
	l->warned = true;
	log_warn(l->s->log, "signal %d (%s) from %s: checkpoint and stop", sig, strsignal(sig),
		sched_name(l->sched.system));
	return loop_stop(l, STOP_SCHEDULER) == 0;
}

static void on_signal(struct loop *l, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;

	if (is_last_warning(l, info))
		return;

	facts_signal(l->s->facts, info);
	switch (signal_act_of(info, l->s->settings->signal_checkpoint)) {
	case SIGNAL_DROP:
		break;
	case SIGNAL_FORWARD:
		forward(l, sig);
		break;
	case SIGNAL_CHECKPOINT:
		(void)loop_checkpoint(l, "signal", AFTER_CONTINUE);
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

/* The job's last moments: it may have ended before we read what led to it. */
static void read_rest(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signals, &info, sizeof info) == sizeof info)
		facts_signal(l->s->facts, &info);
	loop_read_calls(l);
	if (l->metrics)
		facts_metrics(l->s->facts, metrics_last(l->metrics));
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
		journal_command_ended(l->s->journal, l->out->exit_code, l->out->signal);
		loop_save_journal(l);
		loop_arm(l);
		return;
	}
	l->over = true;
}

/* A resume from an image that was taken after COMMAND's end: nobody will report
 * that end again, so the journal has to. */
static void look_at_resumed(struct loop *l)
{
	struct outcome *out = l->out;

	if (!l->s->resumed || job_root_pid(l->s->job) > 0)
		return;
	l->command_ended = true;
	if (journal_command_end(l->s->journal, &out->exit_code, &out->signal) == 0) {
		out->how = out->signal ? HOW_SIGNAL : HOW_EXIT;
		return;
	}
	log_warn(l->s->log, "the command had ended before this image; nobody noted its exit code");
	out->how = HOW_LOST;
	out->exit_code = 125;
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
	if (now_mono_ns() >= l->sample_ns)
		loop_sample(l);
	if (l->over)
		return;
	if (l->next == POLICY_NOTHING || now_mono_ns() < l->next_ns)
		loop_arm(l);
	else if (l->next == POLICY_LAST)
		(void)loop_stop(l, STOP_TIME_LIMIT);
	else
		(void)loop_checkpoint(l, "periodic", AFTER_CONTINUE);
}

static uint64_t lost_work(const struct loop *l)
{
	const struct outcome *out = l->out;
	bool wished = out->how == HOW_STOPPED ? out->stop != STOP_HANG
					      : out->how == HOW_EXIT && out->exit_code == 0;

	if (wished)
		return 0;
	return now_mono_ns() - (out->saved_ns ? out->saved_ns : l->policy.started_ns);
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
	static const int limits[] = {
		RLIMIT_AS, RLIMIT_DATA, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)limits[i], &limit) == 0) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit((__rlimit_resource_t)limits[i], &limit);
		}
	}
}

/* -m counts from our start; the batch system's limit may be nearer. */
static void learn_time_limit(struct loop *l)
{
	uint64_t left;
	char text[32];
	int r;

	sched_detect(&l->sched);
	if (l->sched.system == SCHED_NONE)
		return;
	r = sched_time_left(&l->sched, &left);
	facts_time_limit(
		l->s->facts, sched_name(l->sched.system), r < 0 ? 0 : now_real_ns() + left);
	if (r < 0) {
		log_line(l->s->log, r == -ENODATA ? LOG_INFO : LOG_WARN,
			"%s does not tell how much time is left%s%s", sched_name(l->sched.system),
			r == -ENODATA ? "" : ": ", r == -ENODATA ? "" : strerror(-r));
		return;
	}
	duration_format(left, text);
	log_info(l->s->log, "%s gives this run %s", sched_name(l->sched.system), text);
	if (!l->policy.max_time_ns || left < l->policy.max_time_ns)
		l->policy.max_time_ns = MAX(left, 1ull);
}

static int open_loop(struct loop *l, struct err *e)
{
	l->signals = signals_open();
	if (l->signals < 0)
		return err_sys(e, l->signals, "signalfd");
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer < 0)
		return err_sys(e, -errno, "timerfd");
	raise_own_limits();
	loop_reserve(l);
	return 0;
}

/* Once job.json says that the job runs: who finds the socket may ask at once. */
static void open_control(struct loop *l)
{
	struct err why = {0};

	if (control_open(&l->control, l->s->dir->fd, &why) < 0)
		log_info(l->s->log, "%s: \"cragon checkpoint\" will use signal %d instead",
			why.text, l->s->settings->signal_checkpoint);
}

static void wait_once(struct loop *l)
{
	struct pollfd fds[4 + CONTROL_FDS] = {
		{.fd = l->signals, .events = POLLIN},
		{.fd = l->timer, .events = POLLIN},
		{.fd = l->command_ended ? -1 : job_event_fd(l->s->job), .events = POLLIN},
		{.fd = intercept_fd(l->s->intercept), .events = POLLIN},
	};

	control_watch(&l->control, fds + 4);
	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return; /* EINTR: stopped and continued */
	/* The end first: what has ended cannot be checkpointed. */
	if (fds[2].revents)
		look_at_job(l);
	if (!l->over && fds[3].revents)
		loop_read_calls(l);
	if (!l->over && fds[0].revents)
		read_signals(l);
	if (!l->over && fds[1].revents)
		on_timer(l);
	control_serve(&l->control, fds + 4, loop_answer, l);
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
		.memory_max_bytes = set->memory_max_bytes,
		.policy =
			{
				.mode = set->interval_mode,
				.interval_ns = set->interval_ns,
				.max_time_ns = set->max_time_ns,
				.started_ns = now_mono_ns(),
				.pause_ns = s->pause_ns,
				.duration_ns = s->duration_ns,
				.memory_bytes = s->memory_bytes,
				.mtbf_ns = set->mtbf_ns,
			},
	};
	int r;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		l.control.client[i].fd = -1;
	*ret = (struct outcome){.how = HOW_RUNNING};
	r = open_loop(&l, e);
	if (r < 0)
		return r;
	journal_history(s->journal, &l.policy.failures, &l.policy.run_ns);
	learn_time_limit(&l);
	look_at_resumed(&l);
	loop_begin_sampling(&l);
	loop_plan(&l); /* writes job.json */
	open_control(&l);
	tell_plugins(s, s->resumed ? "restart" : "start", NULL);
	while (!l.over)
		wait_once(&l);
	read_rest(&l);
	if (l.repeated)
		log_info(s->log, "the checkpoint had failed %u more times", l.repeated);
	tell_ending(&l);
	ret->lost_ns = lost_work(&l);
	if (ret->how != HOW_STOPPED)
		leftover_end(s->job, s->log);
	job_end(s->job);
	journal_end(s->journal, ret->how, ret->exit_code, ret->signal);
	loop_save_journal(&l);
	return 0;
}

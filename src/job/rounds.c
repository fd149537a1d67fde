/*
 * Checkpoints while the job runs: when the next one is due, taking it, telling
 * what came of it, and the requests of other cragon commands.
 */
#include "job/loop.h"
#include "base/io.h"
#include "job/checkpoint.h"
#include "job/room.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

/* A full disk must not end the job; it is told once. */
void loop_save_journal(struct loop *l)
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

void loop_arm(struct loop *l)
{
	struct itimerspec at = {0};
	uint64_t due;

	l->next = policy_next(&l->policy, &l->next_ns);
	due = l->next_ns;
	if (l->command_ended)
		due = MIN(due, now_mono_ns() + WAIT_ALL_STEP_NS);
	if (l->metrics)
		due = MIN(due, l->sample_ns);
	if (due != POLICY_NEVER) {
		at.it_value.tv_sec = (time_t)(due / NS_PER_SEC);
		at.it_value.tv_nsec = (long)(due % NS_PER_SEC);
	}
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

void loop_plan(struct loop *l)
{
	cleanup_buf struct buf reason = {0};

	loop_arm(l);
	journal_next(l->s->journal, l->next == POLICY_NOTHING ? 0 : real_of(l->next_ns));
	policy_reason(&l->policy, &reason);
	journal_interval(l->s->journal, policy_interval(&l->policy), reason.data);
	loop_save_journal(l);
}

/* ---- checkpoints ---------------------------------------------------------------- */

/* The same failure every minute for a week is one line and a count. */
static void tell_failure(struct loop *l, const struct err *e)
{
	if (e->why == WHY_TRACEE_DIED) {
		log_info(l->s->log, "no checkpoint: %s", e->text);
		return;
	}
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
		"checkpoint %" PRIu64 " (%s): %" PRIu64 " process%s, %.1f MiB in memory, "
		"%.1f MiB on disk, held %.1f ms, took %.2f s: %s",
		c->number, reason, c->processes, c->processes == 1 ? "" : "es",
		(double)c->memory_bytes / (double)MIB, (double)c->stored_bytes / (double)MIB,
		(double)c->pause_ns / 1e6, (double)c->duration_ns / 1e9, c->path);
}

static void retain(struct loop *l)
{
	struct store_policy policy = settings_retention(l->s->settings);
	struct err e = {0};
	int r = store_prune(l->s->dir->path, &policy, false, NULL, NULL, &e);

	if (r < 0)
		log_warn(l->s->log, "old images stay: %s", e.text);
	else if (r > 0)
		log_debug(l->s->log, "%d old image%s deleted", r, r == 1 ? "" : "s");
}

static void note_checkpoint(struct loop *l, const char *reason, const struct checkpoint_result *c)
{
	l->policy.pause_ns = c->pause_ns;
	l->policy.duration_ns = c->duration_ns;
	l->policy.memory_bytes = c->memory_bytes;
	l->out->checkpoints++;
	l->out->last_image = c->number;
	l->out->saved_ns = now_mono_ns() - c->duration_ns;
	journal_checkpoint(l->s->journal, c, reason);
}

#define RESERVE_BYTES (96 * MIB) /* compression contexts and buffers of the workers */

void loop_reserve(struct loop *l)
{
	void *p;

	if (l->reserve)
		return;
	p = mmap(NULL, RESERVE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	l->reserve = p == MAP_FAILED ? NULL : p;
}

void loop_spend_reserve(struct loop *l)
{
	if (l->reserve)
		munmap(l->reserve, RESERVE_BYTES);
	l->reserve = NULL;
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
	struct store_policy policy = settings_retention(s->settings);
	uint64_t began;
	int r;

	began = now_mono_ns();
	tell_plugins(s, "checkpoint", json_pack("{s:s}", "reason", reason));
	loop_spend_reserve(l);
	r = store_room(s->dir->path, &policy, e);
	if (r == 0)
		r = checkpoint_take(s->job, &request, ret, e);
	loop_reserve(l);
	l->policy.last_end_ns = now_mono_ns();
	hang_watch_pardon(&l->hang_watch, l->policy.last_end_ns - began,
		l->metrics ? metrics_last(l->metrics)->processes : 1);
	l->policy.failure = r < 0 ? e->why : WHY_NONE;
	if (r < 0) {
		tell_failure(l, e);
		tell_plugins(s, "checkpoint_failed",
			json_pack("{s:s, s:s, s:s}", "reason", reason, "why", why_name(e->why),
				"text", e->text));
	} else {
		tell_plugins(s, "checkpoint_done",
			json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I}", "reason", reason, "number",
				(json_int_t)ret->number, "image", ret->path, "pause_ns",
				(json_int_t)ret->pause_ns, "duration_ns",
				(json_int_t)ret->duration_ns, "memory_bytes",
				(json_int_t)ret->memory_bytes, "stored_bytes",
				(json_int_t)ret->stored_bytes));
		tell_success(l, reason, ret);
		note_checkpoint(l, reason, ret);
		retain(l);
		if (after == AFTER_KILL) {
			l->out->how = HOW_STOPPED;
			l->out->exit_code = s->settings->stop_code;
			l->over = true;
		}
	}
	if (!l->over)
		loop_plan(l);
	return r;
}

int loop_checkpoint(struct loop *l, const char *reason, enum engine_after after)
{
	cleanup(checkpoint_result_done) struct checkpoint_result c = {0};
	struct err e = {0};

	return take(l, reason, after, &c, &e);
}

int loop_stop(struct loop *l, enum stop_reason why)
{
	int r;

	l->out->stop = why;
	r = loop_checkpoint(l, stop_reason_name(why), AFTER_KILL);
	if (r < 0)
		l->out->stop = STOP_NONE;
	return r;
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
	l->out->stop = stop ? STOP_REQUEST : STOP_NONE;
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

static json_t *answer_memory(struct loop *l, const json_t *request)
{
	json_int_t bytes = json_integer_value(json_object_get(request, "bytes"));
	cleanup_buf struct buf text = {0};
	cleanup_free pid_t *pids = NULL;
	struct err e = {0};
	int n = job_processes(l->s->job, &pids);

	if (bytes <= 0) {
		err_set(&e, -EINVAL, WHY_USAGE, "no size");
		return control_refusal(&e);
	}
	for (int i = 0; i < n; i++) {
		buf_clear(&text);
		(void)room_set(pids[i], (uint64_t)bytes, &text);
	}
	if (l->memory_max_bytes) {
		l->memory_max_bytes = (uint64_t)bytes;
		buf_printf(&text, "%s--memory-max is changed", text.len ? ", " : "");
	}
	if (!text.len)
		buf_str(&text, "the job has no limit of memory of its own");
	log_info(l->s->log, "asked to change limits of memory: %s", text.data);
	return json_pack("{s:b, s:s}", "ok", 1, "text", text.data);
}

json_t *loop_answer(void *ctx, const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	struct err e = {0};

	if (op && !strcmp(op, "checkpoint"))
		return answer_checkpoint(ctx, json_is_true(json_object_get(request, "stop")));
	if (op && !strcmp(op, "status"))
		return answer_status(ctx);
	if (op && !strcmp(op, "memory"))
		return answer_memory(ctx, request);
	err_set(&e, -EINVAL, WHY_USAGE, "unknown request");
	return control_refusal(&e);
}

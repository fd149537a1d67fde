/*
 * Memory while the job runs: failed calls that the preloaded object reports, and
 * threads that wait in one. The checkpoint is taken while they wait; then either
 * a limit is raised here and they go on, or the run stops and they try again
 * after the resume.
 */
#include "job/facts.h"
#include "job/loop.h"
#include "job/room.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

#define WAITING_MAX 256 /* processes; the others are held again when let go */

struct waiting {	/* a process with threads that wait */
	pid_t pid;	/* as the job sees it */
	pid_t outer;	/* as cragon sees it */
	uint64_t bytes; /* wanted by all of them */
};

struct held {
	struct waiting process[WAITING_MAX];
	size_t n;
	unsigned threads;
	struct intercept_call first;
};

static void take_call(struct loop *l, const struct intercept_call *c, struct held *held)
{
	size_t i = 0;

	intercept_log(l->s->intercept, c);
	facts_call(l->s->facts, c);
	l->out->failed_calls++;
	if (!c->held)
		return;
	if (!held->threads++)
		held->first = *c;
	while (i < held->n && held->process[i].pid != c->pid)
		i++;
	if (i == WAITING_MAX)
		return;
	held->process[i].pid = c->pid;
	held->process[i].bytes += c->bytes;
	held->n = MAX(held->n, i + 1);
}

/* What refused them: 1 when all of it can be raised here. */
static int look_at_limits(struct loop *l, struct held *h, struct buf *text)
{
	int raisable = 1;

	for (size_t i = 0; i < h->n; i++) {
		struct waiting *w = &h->process[i];
		int r;

		w->outer = job_outer_pid(l->s->job, w->pid);
		l->out->wanted_bytes = MAX(l->out->wanted_bytes, w->bytes);
		if (!w->outer)
			continue; /* it has ended meanwhile */
		buf_clear(text);
		r = room_obstacle(w->outer, w->bytes, text);
		if (r <= 0)
			return 0;
		raisable = MIN(raisable, r);
	}
	return raisable;
}

static void tell_held(struct loop *l, const struct held *h, const char *obstacle)
{
	char size[32], more[48] = "";

	size_format(h->first.bytes, size);
	if (h->threads > 1)
		snprintf(more, sizeof more, " (and %u more calls)", h->threads - 1);
	log_warn(l->s->log, "%s of %s%s failed in process %d: refused by %s",
		intercept_function(&h->first), size, more, h->first.pid, obstacle);
}

/* Nothing could be saved: the program has to deal with it, as without Cragon. */
static void pass_on(struct loop *l)
{
	log_warn(l->s->log, "the failed allocation is passed on to the program");
	intercept_pass(l->s->intercept, true);
	(void)intercept_release(l->s->intercept);
}

static void raise_here(struct loop *l, const struct held *h)
{
	cleanup_buf struct buf text = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < h->n; i++)
		if (h->process[i].outer)
			r = room_raise(h->process[i].outer, h->process[i].bytes, &text);
	if (r >= 0)
		r = intercept_release(l->s->intercept);
	if (r < 0) {
		log_warn(l->s->log, "the limit cannot be raised: %s", strerror(-r));
		pass_on(l);
		return;
	}
	log_info(l->s->log, "raised: %s", text.data ? text.data : "nothing");
}

static void on_held(struct loop *l, struct held *h)
{
	cleanup_buf struct buf obstacle = {0};
	bool raisable = look_at_limits(l, h, &obstacle) > 0;

	tell_held(l, h, obstacle.data ? obstacle.data : "an unknown limit");
	if (!raisable) {
		if (loop_stop(l, STOP_ALLOCATION) < 0 && !l->over)
			pass_on(l);
		return;
	}
	if (loop_checkpoint(l, "allocation", AFTER_CONTINUE) < 0) {
		if (!l->over)
			pass_on(l);
		return;
	}
	intercept_pass(l->s->intercept, false);
	raise_here(l, h);
}

void loop_read_calls(struct loop *l)
{
	struct held held = {0};
	struct intercept_call c;

	while (intercept_next(l->s->intercept, &c) > 0)
		take_call(l, &c, &held);
	if (held.threads && !l->over && !l->command_ended)
		on_held(l, &held);
	else if (held.threads)
		(void)intercept_release(l->s->intercept);
}

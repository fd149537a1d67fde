/*
 * Memory while the job runs: failed calls that the preloaded object reports, and
 * threads that wait in one. The checkpoint is taken while they wait; then either
 * a limit is raised here and they go on, or the run stops and they try again
 * after the resume.
 */
#include "job/loop.h"
#include "job/room.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

struct held {			    /* what waits now */
	struct intercept_call call; /* the largest of them */
	unsigned threads;
	pid_t pid; /* of that call, as cragon sees it */
};

static void take_call(struct loop *l, const struct intercept_call *c, struct held *held)
{
	intercept_log(l->s->intercept, c);
	l->out->failed_calls++;
	if (!c->held)
		return;
	if (!held->threads++ || c->bytes > held->call.bytes)
		held->call = *c;
}

static void tell_held(struct loop *l, const struct held *h, const char *obstacle)
{
	char size[32];

	size_format(h->call.bytes, size);
	log_warn(l->s->log, "%s of %s failed in process %d%s: refused by %s",
		intercept_function(&h->call), size, h->call.pid,
		h->threads > 1 ? " and other threads' calls too" : "", obstacle);
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
	int r = room_raise(h->pid, h->call.bytes, &text);

	if (r < 0) {
		log_warn(l->s->log, "the limit cannot be raised: %s", strerror(-r));
		pass_on(l);
		return;
	}
	log_info(l->s->log, "raised: %s", text.data ? text.data : "nothing");
	r = intercept_release(l->s->intercept);
	if (r < 0)
		log_error(l->s->log, "held threads cannot be let go: %s", strerror(-r));
}

static void on_held(struct loop *l, struct held *h)
{
	cleanup_buf struct buf obstacle = {0};
	int raisable;

	h->pid = job_outer_pid(l->s->job, h->call.pid);
	raisable = h->pid > 0 ? room_obstacle(h->pid, h->call.bytes, &obstacle) : 0;
	tell_held(l, h, obstacle.data ? obstacle.data : "an unknown limit");
	l->out->wanted_bytes = h->call.bytes;
	l->out->stop = raisable > 0 ? STOP_NONE : STOP_ALLOCATION;
	if (loop_checkpoint(l, "allocation", raisable > 0 ? AFTER_CONTINUE : AFTER_KILL) < 0) {
		l->out->stop = STOP_NONE;
		if (!l->over)
			pass_on(l);
		return;
	}
	intercept_pass(l->s->intercept, false);
	if (raisable > 0)
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

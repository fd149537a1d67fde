/*
 * The state of the event loop, shared by supervise.c (waiting, signals, the
 * end) and rounds.c (checkpoints and requests). Nobody else includes it.
 */
#ifndef CRAGON_JOB_LOOP_H
#define CRAGON_JOB_LOOP_H

#include "job/control.h"
#include "job/metrics.h"
#include "job/policy.h"
#include "job/supervise.h"
#include "job/watch.h"
#include "sched/sched.h"

/* How often the processes that --wait-all waits for are counted. */
#define WAIT_ALL_STEP_NS NS_PER_SEC

struct loop {
	struct supervised *s;
	struct outcome *out;
	struct policy policy;
	struct control control;
	struct sched sched;
	bool warned; /* by the batch system, and tried to stop */
	int signals, timer;
	uint64_t next_ns; /* what the timer stands at */
	enum policy_step next;
	struct metrics *metrics; /* NULL: none to be had */
	struct memory_watch memory_watch;
	struct hang_watch hang_watch;
	uint64_t memory_max_bytes; /* --memory-max, or what "cragon memory" made of it */
	uint64_t sample_ns;	   /* when to look at memory and progress again */
	uint64_t row_ns;	   /* when to write rows again */
	uint64_t note_ns;   /* when to look for files that are open for writing again */
	uint64_t early_ns;	   /* pace of the first looks, doubled each time */
	uint64_t patience_until_ns;
	char failure[sizeof((struct err *)0)->text]; /* the last one, told already */
	unsigned repeated;
	bool told_unsupported;
	bool journal_broken;
	bool command_ended; /* --wait-all: others still run */
	bool over;
	void *reserve; /* see loop_reserve() */
};

/*
 * Address space that nobody uses, given back for the time of a checkpoint: where
 * the machine refuses to promise more memory (vm.overcommit_memory=2), the very
 * checkpoint that shall save the job would fail. What is never touched costs
 * nothing. Left out where it is not to be had.
 */
void loop_reserve(struct loop *);
void loop_spend_reserve(struct loop *);

/* Publishes job.json; a failure is told once. */
void loop_save_journal(struct loop *);

/* Sets the timer; loop_plan() also writes the time into job.json. */
void loop_arm(struct loop *);
void loop_plan(struct loop *);

/* One checkpoint; what comes of it is in the log. */
int loop_checkpoint(struct loop *, const char *reason, enum engine_after);

/* The last checkpoint: the job ends with it. When it cannot be taken the job
 * runs on. */
int loop_stop(struct loop *, enum stop_reason);

/* sampling.c */
void loop_begin_sampling(struct loop *);
void loop_sample(struct loop *);

/* memory.c: what the preloaded object reports. */
void loop_read_calls(struct loop *);

/* Answers a request on the control socket; ctx is the loop. */
control_answer_fn loop_answer;

#endif

/*
 * What each signal that cragon gets while a job runs means, and the two acts
 * that concern cragon itself. See supervise.h.
 */
#ifndef CRAGON_JOB_SIGNALS_H
#define CRAGON_JOB_SIGNALS_H

#include <signal.h>
#include <sys/signalfd.h>

enum signal_act {
	SIGNAL_DROP,
	SIGNAL_FORWARD, /* to COMMAND */
	SIGNAL_CHECKPOINT,
	SIGNAL_SUSPEND,	 /* the job, if it was only sent to us, then ourselves */
	SIGNAL_CONTINUE, /* the job */
};

enum signal_act signal_act_of(const struct signalfd_siginfo *, int checkpoint_signal);

/* Blocks what concerns us: before the job exists, so that no signal finds
 * cragon unprepared. COMMAND gets the mask there was. 0 or -errno. */
int signals_block(sigset_t *ret_before);

/* A signalfd for what is blocked, or -errno. */
int signals_open(void);

/* Stops cragon the way SIGTSTP would have; returns when continued. */
void stop_self(void);

#endif

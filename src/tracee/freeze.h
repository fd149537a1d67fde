/*
 * A frozen process tree: every thread of every descendant of the reaper, held.
 *
 * Frozen means that nothing in the tree can create a task any more: threads are
 * seized until a complete listing shows none that is not held.
 */
#ifndef CRAGON_TRACEE_FREEZE_H
#define CRAGON_TRACEE_FREEZE_H

#include "tracee/tracee.h"

struct frozen_thread {
	struct tracee tracee;
	int64_t blocked_ns; /* how long it had been off the CPU when we came; -1 unknown */
};

struct frozen_process {
	pid_t pid, ppid; /* as cragon sees them */
	bool zombie;
	int dumpable;  /* PR_GET_DUMPABLE; -1 not asked */
	bool revealed; /* made dumpable while it is held, so that /proc can be read */
	struct frozen_thread *threads; /* leader first */
	size_t n_threads;
};

struct frozen {
	struct frozen_process *processes; /* parents before children */
	size_t n;
	uint64_t since_ns; /* now_mono_ns() when the first thread was stopped */
};

/* Freezes all descendants of `reaper` (not itself). On failure everything runs
 * again. WHY_BUSY when a thread does not stop (the parent of a vfork that has not
 * called exec yet cannot) in several tries, the longest of `patience_ns`. */
int freeze_tree(struct frozen *ret, pid_t reaper, uint64_t patience_ns, struct err *);

/* Lets everything run again and frees the structure. */
void thaw_tree(struct frozen *);

/* Kills everything that is held, and frees the structure. */
void kill_tree(struct frozen *);

#endif

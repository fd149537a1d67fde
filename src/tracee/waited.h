/*
 * How long a thread has been off the CPU: for a blocked one, how much of its
 * time-out has passed. Asked before the thread is stopped, because stopping
 * puts it on a CPU.
 *
 * /proc/PID/task/TID/sched shows when the thread last ran (se.exec_start), by
 * the clock of the CPU it ran on. Those clocks leave out time stolen by a
 * hypervisor and time spent in interrupts, so that they differ between CPUs, by
 * seconds on virtual machines. Each CPU's clock is therefore read by running on
 * it for a moment.
 */
#ifndef CRAGON_TRACEE_WAITED_H
#define CRAGON_TRACEE_WAITED_H

#include "base/defs.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

#define WAITED_CPUS 1024

struct waited {
	uint64_t deadline_ns; /* now_mono_ns() after which nothing is asked any more */
	bool missing;         /* this kernel does not show it */
	bool moved;           /* our own affinity has to be put back */
	cpu_set_t own;
	struct {
		bool known, refused;
		int64_t ahead_ns; /* of CLOCK_MONOTONIC */
	} cpu[WAITED_CPUS];
};

/* `budget_ns`: on a machine that hundreds of spinning threads keep busy, asking
 * must not take for ever; what is not asked counts as unknown. */
void waited_begin(struct waited *, uint64_t budget_ns);
int64_t waited_ns(struct waited *, pid_t pid, pid_t tid); /* -1: unknown */
void waited_end(struct waited *);

#endif

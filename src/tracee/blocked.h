/*
 * System calls that a thread was blocked in when it was stopped.
 *
 * The kernel restarts most of them by itself when the registers are put back
 * unchanged (-ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND). Two kinds need
 * help, listed in one table with where their time-out is:
 * - calls that return EINTR after a bare stop (epoll_wait, semop,
 *   sigtimedwait, recv with SO_RCVTIMEO): they are issued again;
 * - calls that wait in a restart block (-ERESTART_RESTARTBLOCK: nanosleep, poll,
 *   futex with a relative time-out). The kernel could go on with that in place,
 *   but then as restart_syscall(2), which no longer says what is waited for,
 *   and a later image could not be resumed from it. They are issued again too.
 * Where a relative time-out is an argument, what is left of it takes its place:
 * in the register, or as a timespec below the stack's red zone, where nothing
 * of the program is.
 *
 * Left out: a call that somebody else (SIGSTOP and SIGCONT, a debugger) has
 * already turned into restart_syscall returns EINTR after a restore.
 */
#ifndef CRAGON_TRACEE_BLOCKED_H
#define CRAGON_TRACEE_BLOCKED_H

#include "tracee/tracee.h"

/* Adjusts *regs so that the call goes on. `blocked_ns` (-1 unknown) is how long
 * it had waited; `unblocked_pending`: a signal is about to be delivered, then an
 * EINTR is genuine. `restored`: in a fresh process, which has no restart block.
 * Memory of `pid` may be written below the stack pointer. Returns 0 or -errno. */
int blocked_fix(struct user_regs_struct *regs, pid_t pid, int64_t blocked_ns,
	bool unblocked_pending, bool restored);

#endif

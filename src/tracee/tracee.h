/*
 * One traced thread: held, made to execute system calls, released.
 *
 * Every verb returns 0 or a positive answer, or -errno. The death of a tracee
 * is an ordinary value, -ESRCH, after which its state is TRACEE_DEAD; a system
 * call that the tracee made and that failed with ESRCH is told apart by the
 * state. All calls about one tracee come from one thread (ptrace(2)).
 *
 * Kernel facts used (measured on 6.18 x86-64; ptrace(2)):
 * - After PTRACE_SEIZE and PTRACE_INTERRUPT the thread stops with
 *   PTRACE_EVENT_STOP without any signal and without the program noticing.
 * - PTRACE_SYSCALL twice around a `syscall` instruction runs one call. Single
 *   stepping or int3 would force SIGTRAP and reset a blocked or ignored one.
 * - Registers put back with orig_rax >= 0 and rax = -512..-516 make the kernel
 *   restart the interrupted call by itself, because detaching passes through
 *   its signal work.
 */
#ifndef CRAGON_TRACEE_TRACEE_H
#define CRAGON_TRACEE_TRACEE_H

#include "base/err.h"

#include <stdbool.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/user.h>

/* An address of the tracee: an integer, so that it cannot be dereferenced. */
typedef uint64_t taddr;

enum tracee_state {
	TRACEE_NONE,        /* not attached */
	TRACEE_INTERRUPTED, /* seized and asked to stop, has not yet */
	TRACEE_HELD,        /* stopped, ours */
	TRACEE_DEAD,        /* gone */
};

struct tracee {
	pid_t tid; /* as cragon sees it */
	pid_t pid; /* its thread group */
	enum tracee_state state;
	bool masked;         /* all signals blocked by us; `mask` is the program's */
	bool group_stopped;  /* was stopped by SIGSTOP & co. when we came */
	bool touched;        /* registers differ from `regs` */
	int deferred;        /* SIGSTOP that arrived while held: given back at release */
	uint64_t mask;
	struct user_regs_struct regs; /* the program's own */
	taddr gadget;                 /* a syscall instruction */
	pid_t born;                   /* child announced by the last call */
};

/* Attaches and asks for a stop. It must not outlive us with borrowed registers:
 * PTRACE_O_EXITKILL holds while we are attached. With `follow`, children that
 * it makes for us are attached at birth (tracee_adopt). Not so in a freeze: what
 * a program gives birth to by itself before it stops would be stopped without
 * our knowing, and the parent of a vfork would wait for it for ever. */
int tracee_seize(struct tracee *, pid_t pid, pid_t tid, bool follow, struct err *);
int tracee_interrupt(struct tracee *);
/* Waits for the stop: 1 held, 0 not yet at `deadline_ns` (now_mono_ns), -ESRCH dead. */
int tracee_await_stop(struct tracee *, uint64_t deadline_ns);
/* Takes over a child that was auto-attached at clone (see tracee_born). */
int tracee_adopt(struct tracee *, pid_t pid, pid_t tid);

/* Reads registers and mask, blocks all signals, finds the gadget. */
int tracee_prepare(struct tracee *, struct err *);
/* After the address space changed (exec): registers and gadget anew. */
int tracee_refresh(struct tracee *, struct err *);

/* One system call in the tracee. Returns its result (-errno on failure), or
 * -ESRCH with state TRACEE_DEAD. */
#define tracee_call(t, nr, ...)                                                                    \
	tracee_call6((t), (nr), (const uint64_t[1 + 6]){0, ##__VA_ARGS__} + 1)
long tracee_call6(struct tracee *, long nr, const uint64_t *args);
/* execve: returns at its exit stop in the new image. */
int tracee_exec(struct tracee *, taddr path, taddr argv, taddr envp);

/* Puts registers and signal mask back and lets go. Releasing cannot fail. */
void tracee_release(struct tracee *);
/* Held and killed: SIGKILL and wait. */
void tracee_kill(struct tracee *);
/* Lets it go with the signal `sig` as the last thing that happens to it. */
void tracee_die(struct tracee *, int sig);

int tracee_get_xstate(struct tracee *, void *data, size_t cap, size_t *ret_len);
int tracee_set_xstate(struct tracee *, const void *data, size_t len);

struct tracee_rseq {
	uint64_t address;
	uint32_t bytes, signature, flags, pad;
};
int tracee_get_rseq(struct tracee *, struct tracee_rseq *ret); /* -EIO: kernel < 5.13 */

/* Pending signals, oldest first, at most `max` of them. Count or -errno. */
int tracee_pending(struct tracee *, bool of_process, siginfo_t *ret, size_t max);

/* Memory of a process, attached or not: all bytes or -errno (-EFAULT). */
int tracee_read(pid_t pid, taddr from, void *to, size_t len);
int tracee_write(pid_t pid, taddr to, const void *from, size_t len);

#endif

/*
 * What depends on the processor: where a syscall instruction is, how a call's
 * number and arguments travel. One file per architecture implements it.
 */
#ifndef CRAGON_TRACEE_ARCH_H
#define CRAGON_TRACEE_ARCH_H

#include "tracee/tracee.h"

/* A syscall instruction in the process's vdso, which survives everything but
 * its own unmapping. */
int arch_find_gadget(pid_t pid, taddr *ret, struct err *);

/* Registers that make the thread run one system call at the gadget. */
void arch_set_call(struct user_regs_struct *, taddr gadget, long nr, const uint64_t *args);
long arch_call_result(const struct user_regs_struct *);

/* The program runs in 32-bit mode (cs of a compat task). */
bool arch_is_compat(const struct user_regs_struct *);

/* The call a stopped thread was in (-1: none), and its result so far. */
long arch_blocked_call(const struct user_regs_struct *, long *ret_result);

/* Makes the thread, once released, run `nr` again with its present arguments
 * unless a signal handler comes first, which then sees EINTR: the kernel's
 * -ERESTARTNOHAND. */
void arch_restart_call(struct user_regs_struct *, long nr);

/* Leaves a restartable sequence by its abort handler (rseq(2)), as any
 * preemption may: the kernel would otherwise forget the sequence while the
 * thread executes calls for us. `rseq` is the registered area, 0: none. */
int arch_abort_rseq(struct user_regs_struct *, pid_t pid, taddr rseq);

uint64_t arch_get_arg(const struct user_regs_struct *, int index);
void arch_set_arg(struct user_regs_struct *, int index, uint64_t value);
taddr arch_stack_pointer(const struct user_regs_struct *);
taddr arch_instruction_pointer(const struct user_regs_struct *);

#endif

/* Blocked system calls: see blocked.h. */
#include "tracee/blocked.h"
#include "tracee/arch.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#define ERESTART_RESTARTBLOCK 516
#define RED_ZONE_BYTES 128 /* System V ABI, x86-64: below it nothing is kept */

enum timeout { NONE, MILLISECONDS, TIMESPEC };

struct blocking_call {
	long nr;
	enum timeout timeout;
	int arg; /* which argument holds it */
	int absolute_arg; /* -1, or the argument with a "time is absolute" bit… */
	uint64_t absolute_bit;
};

static const struct blocking_call calls[] = {
	{SYS_nanosleep, TIMESPEC, 0, -1, 0},
	{SYS_clock_nanosleep, TIMESPEC, 2, 1, TIMER_ABSTIME},
	{SYS_poll, MILLISECONDS, 2, -1, 0},
	{SYS_epoll_wait, MILLISECONDS, 3, -1, 0},
	{SYS_epoll_pwait, MILLISECONDS, 3, -1, 0},
	{SYS_epoll_pwait2, TIMESPEC, 3, -1, 0},
	{SYS_rt_sigtimedwait, TIMESPEC, 2, -1, 0},
	{SYS_semop, NONE, 0, -1, 0},
	{SYS_semtimedop, TIMESPEC, 3, -1, 0},
	{SYS_recvfrom, NONE, 0, -1, 0},
	{SYS_recvmsg, NONE, 0, -1, 0},
	{SYS_sendto, NONE, 0, -1, 0},
	{SYS_sendmsg, NONE, 0, -1, 0},
	{SYS_accept, NONE, 0, -1, 0},
	{SYS_accept4, NONE, 0, -1, 0},
	{SYS_io_getevents, TIMESPEC, 4, -1, 0},
};

/* futex(2): FUTEX_WAIT has a relative time-out, FUTEX_WAIT_BITSET an absolute one. */
static const struct blocking_call futex_relative = {SYS_futex, TIMESPEC, 3, -1, 0};
static const struct blocking_call futex_absolute = {SYS_futex, NONE, 0, -1, 0};

static const struct blocking_call *find_call(const struct user_regs_struct *regs, long nr)
{
	if (nr == SYS_futex)
		return (arch_get_arg(regs, 1) & (uint64_t)FUTEX_CMD_MASK) == FUTEX_WAIT
			? &futex_relative
			: &futex_absolute;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

static int shorten_timespec(struct user_regs_struct *regs, pid_t pid, int arg, uint64_t waited)
{
	taddr place = (arch_stack_pointer(regs) - RED_ZONE_BYTES - sizeof(struct timespec)) & ~15ull;
	struct timespec t;
	uint64_t left;
	int r;

	if (!arch_get_arg(regs, arg))
		return 0; /* waits for ever */
	r = tracee_read(pid, arch_get_arg(regs, arg), &t, sizeof t);
	if (r < 0)
		return r;
	if (t.tv_sec < 0 || t.tv_sec > 1000000000)
		return 0;
	left = (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
	left = left > waited ? left - waited : 0;
	t.tv_sec = (time_t)(left / NS_PER_SEC);
	t.tv_nsec = (long)(left % NS_PER_SEC);
	r = tracee_write(pid, place, &t, sizeof t);
	if (r == 0)
		arch_set_arg(regs, arg, place);
	return r;
}

static int shorten(struct user_regs_struct *regs, pid_t pid, const struct blocking_call *call,
	int64_t blocked_ns)
{
	uint64_t waited = blocked_ns > 0 ? (uint64_t)blocked_ns : 0;
	int ms;

	if (call->absolute_arg >= 0 && (arch_get_arg(regs, call->absolute_arg) & call->absolute_bit))
		return 0;
	switch (call->timeout) {
	case MILLISECONDS:
		ms = (int)arch_get_arg(regs, call->arg);
		if (ms > 0)
			arch_set_arg(regs, call->arg,
				(uint64_t)MAX(0, ms - (int64_t)(waited / NS_PER_MSEC)));
		return 0;
	case TIMESPEC:
		return shorten_timespec(regs, pid, call->arg, waited);
	case NONE:
		break;
	}
	return 0;
}

int blocked_fix(struct user_regs_struct *regs, pid_t pid, int64_t blocked_ns,
	bool unblocked_pending, bool restored)
{
	const struct blocking_call *call;
	long result, nr = arch_blocked_call(regs, &result);
	bool cut_short = result == -EINTR && !unblocked_pending;
	/* In place and without knowing the time, the kernel's own way is better. */
	bool in_block = result == -ERESTART_RESTARTBLOCK && (restored || blocked_ns >= 0);
	int r;

	if (nr < 0 || !(cut_short || in_block))
		return 0;
	call = find_call(regs, nr);
	if (!call)
		return 0;
	r = shorten(regs, pid, call, blocked_ns);
	if (r < 0)
		return r;
	arch_restart_call(regs, nr);
	return 0;
}

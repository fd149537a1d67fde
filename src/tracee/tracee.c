/* One traced thread: see tracee.h. The only file that calls ptrace(2). */
#include "tracee/tracee.h"
#include "tracee/arch.h"
#include "base/io.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/ptrace.h>

#define TRACE_OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)
#define FOLLOW_OPTIONS                                                                             \
	(TRACE_OPTIONS | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK)
#define SYSCALL_STOP (SIGTRAP | 0x80)

static int request(int req, pid_t tid, uint64_t addr, const void *data)
{
	long r = ptrace((enum __ptrace_request)req, tid, (void *)addr, data);

	return r < 0 ? -errno : (int)r;
}

static int dead(struct tracee *t)
{
	t->state = TRACEE_DEAD;
	return -ESRCH;
}

/* waitpid for one tracee. 1: *status, 0: nothing yet (only with WNOHANG), -ESRCH. */
static int wait_one(struct tracee *t, int flags, int *status)
{
	pid_t r;

	do
		r = waitpid(t->tid, status, __WALL | flags);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	if (r < 0 || !WIFSTOPPED(*status))
		return dead(t);
	return 1;
}

static int stop_event(int status)
{
	return status >> 16;
}

int tracee_seize(struct tracee *t, pid_t pid, pid_t tid, bool follow, struct err *e)
{
	uintptr_t options = follow ? FOLLOW_OPTIONS : TRACE_OPTIONS;
	int r;

	*t = (struct tracee){.tid = tid, .pid = pid};
	r = request(PTRACE_SEIZE, tid, 0, (void *)options);
	if (r == -ESRCH)
		return dead(t);
	if (r == -EPERM)
		return err_set(e, r, WHY_UNSUPPORTED,
			"the kernel does not let us trace thread %d of process %d: it made itself "
			"undumpable, runs a set-user-id program, or is traced already (see `cragon "
			"check`)",
			tid, pid);
	if (r < 0)
		return err_sys(e, r, "cannot trace thread %d of process %d", tid, pid);
	t->state = TRACEE_INTERRUPTED;
	return tracee_interrupt(t);
}

int tracee_interrupt(struct tracee *t)
{
	return request(PTRACE_INTERRUPT, t->tid, 0, NULL) == -ESRCH ? dead(t) : 0;
}

/* Lets it go on to the stop that we have asked for. Any other stop on the way
 * has cancelled the request (kernel/signal.c, ptrace_stop). */
static int go_on(struct tracee *t, int sig)
{
	int r = request(PTRACE_CONT, t->tid, 0, (void *)(uintptr_t)sig);

	if (r == 0)
		r = tracee_interrupt(t);
	return r == -ESRCH ? dead(t) : r;
}

/* One status while we wait for the stop: 1 held, 0 go on waiting. */
static int consider_stop(struct tracee *t, int status)
{
	if (stop_event(status) == PTRACE_EVENT_STOP) {
		/* SIGTRAP for our interrupt; the stop signal for a group stop. */
		t->group_stopped = WSTOPSIG(status) != SIGTRAP;
		t->state = TRACEE_HELD;
		return 1;
	}
	/* A signal that raced in is delivered as if we were not there. */
	return go_on(t, stop_event(status) ? 0 : WSTOPSIG(status));
}

int tracee_await_stop(struct tracee *t, uint64_t deadline_ns)
{
	uint64_t nap_ns = 20000;

	while (t->state == TRACEE_INTERRUPTED) {
		int status, r = wait_one(t, WNOHANG, &status);

		if (r > 0)
			r = consider_stop(t, status);
		else if (r == 0) {
			if (now_mono_ns() >= deadline_ns)
				return 0;
			sleep_ns(nap_ns);
			nap_ns = MIN(nap_ns * 2, NS_PER_MSEC);
		}
		if (r < 0)
			return r;
	}
	return t->state == TRACEE_HELD ? 1 : -ESRCH;
}

int tracee_adopt(struct tracee *t, pid_t pid, pid_t tid)
{
	int status, r;

	*t = (struct tracee){.tid = tid, .pid = pid, .state = TRACEE_INTERRUPTED};
	r = wait_one(t, 0, &status);
	if (r < 0)
		return r;
	t->state = TRACEE_HELD;
	return 0;
}

static int fetch_regs(struct tracee *t)
{
	struct iovec io = {&t->regs, sizeof t->regs};
	int r = request(PTRACE_GETREGSET, t->tid, NT_PRSTATUS, &io);

	return r == -ESRCH ? dead(t) : r;
}

static int put_regs(struct tracee *t, const struct user_regs_struct *regs)
{
	struct iovec io = {(void *)regs, sizeof *regs};
	int r = request(PTRACE_SETREGSET, t->tid, NT_PRSTATUS, &io);

	return r == -ESRCH ? dead(t) : r;
}

int tracee_prepare(struct tracee *t, struct err *e)
{
	const uint64_t all = ~0ull;
	int r = fetch_regs(t);

	if (r == 0)
		r = request(PTRACE_GETSIGMASK, t->tid, 8, &t->mask);
	if (r == 0)
		r = request(PTRACE_SETSIGMASK, t->tid, 8, &all);
	if (r < 0)
		return err_sys(e, r, "cannot hold thread %d", t->tid);
	t->masked = true;
	return t->gadget ? 0 : tracee_refresh(t, e);
}

int tracee_refresh(struct tracee *t, struct err *e)
{
	int r = fetch_regs(t);

	if (r < 0)
		return err_sys(e, r, "cannot read the registers of thread %d", t->tid);
	return arch_find_gadget(t->pid, &t->gadget, e);
}

/* A stop inside a remote call that is neither its entry nor its exit. 0: go on. */
static int side_stop(struct tracee *t, int status)
{
	int event = stop_event(status), sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK ||
		event == PTRACE_EVENT_VFORK) {
		unsigned long message = 0;

		request(PTRACE_GETEVENTMSG, t->tid, 0, &message);
		t->born = (pid_t)message;
		return 0;
	}
	if (event)
		return 0;
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGTRAP)
		return -EFAULT; /* the gadget is not where we thought */
	t->deferred = sig; /* only SIGSTOP gets past the mask */
	return 0;
}

/* Runs to the next syscall stop. */
static int to_syscall_stop(struct tracee *t)
{
	for (;;) {
		int status, r = request(PTRACE_SYSCALL, t->tid, 0, NULL);

		if (r < 0)
			return r == -ESRCH ? dead(t) : r;
		r = wait_one(t, 0, &status);
		if (r < 0)
			return r;
		if (WSTOPSIG(status) == SYSCALL_STOP)
			return 0;
		r = side_stop(t, status);
		if (r < 0)
			return r;
	}
}

long tracee_call6(struct tracee *t, long nr, const uint64_t *args)
{
	struct user_regs_struct regs = t->regs;
	int r;

	if (t->state != TRACEE_HELD)
		return -ESRCH;
	arch_set_call(&regs, t->gadget, nr, args);
	t->touched = true;
	t->born = 0;
	r = put_regs(t, &regs);
	if (r == 0)
		r = to_syscall_stop(t); /* entry */
	if (r == 0)
		r = to_syscall_stop(t); /* exit */
	if (r == 0) {
		struct iovec io = {&regs, sizeof regs};

		r = request(PTRACE_GETREGSET, t->tid, NT_PRSTATUS, &io);
	}
	if (r < 0)
		return r == -ESRCH ? dead(t) : r;
	return arch_call_result(&regs);
}

int tracee_exec(struct tracee *t, taddr path, taddr argv, taddr envp)
{
	long r = tracee_call(t, SYS_execve, path, argv, envp);

	/* TRACEEXEC's event stop is one of the side stops; the exit stop follows it. */
	return r < 0 ? (int)r : 0;
}

void tracee_release(struct tracee *t)
{
	if (t->state == TRACEE_INTERRUPTED) {
		/* Cannot detach a running thread: wait until it stops. */
		if (tracee_await_stop(t, UINT64_MAX) < 1)
			return;
	}
	if (t->state != TRACEE_HELD)
		return;
	if (t->touched)
		put_regs(t, &t->regs);
	if (t->masked)
		request(PTRACE_SETSIGMASK, t->tid, 8, &t->mask);
	if (request(PTRACE_DETACH, t->tid, 0, (void *)(uintptr_t)t->deferred) == -ESRCH) {
		/* Killed meanwhile: only its tracer can take the corpse away. */
		int status;

		while (wait_one(t, 0, &status) > 0)
			request(PTRACE_CONT, t->tid, 0, NULL);
		return;
	}
	t->state = TRACEE_NONE;
	t->masked = t->touched = false;
}

void tracee_kill(struct tracee *t)
{
	int status;

	if (t->state == TRACEE_NONE || t->state == TRACEE_DEAD)
		return;
	kill(t->pid, SIGKILL);
	while (wait_one(t, 0, &status) > 0)
		request(PTRACE_CONT, t->tid, 0, NULL);
	t->state = TRACEE_DEAD;
}

void tracee_die(struct tracee *t, int sig)
{
	const uint64_t none = 0;

	if (t->state != TRACEE_HELD)
		return;
	request(PTRACE_SETSIGMASK, t->tid, 8, &none);
	request(PTRACE_DETACH, t->tid, 0, (void *)(uintptr_t)sig);
	t->state = TRACEE_DEAD;
}

int tracee_get_xstate(struct tracee *t, void *data, size_t cap, size_t *ret_len)
{
	struct iovec io = {data, cap};
	int r = request(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &io);

	if (r < 0)
		return r == -ESRCH ? dead(t) : r;
	*ret_len = io.iov_len;
	return 0;
}

int tracee_set_xstate(struct tracee *t, const void *data, size_t len)
{
	struct iovec io = {(void *)data, len};

	return request(PTRACE_SETREGSET, t->tid, NT_X86_XSTATE, &io);
}

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

int tracee_get_rseq(struct tracee *t, struct tracee_rseq *ret)
{
	int r = request(PTRACE_GET_RSEQ_CONFIGURATION, t->tid, sizeof *ret, ret);

	return r < 0 ? r : 0;
}

int tracee_pending(struct tracee *t, bool of_process, siginfo_t *ret, size_t max)
{
	struct __ptrace_peeksiginfo_args args = {
		.flags = of_process ? PTRACE_PEEKSIGINFO_SHARED : 0,
	};
	size_t n = 0;

	while (n < max) {
		int r;

		args.off = n;
		args.nr = (int32_t)(max - n);
		r = request(PTRACE_PEEKSIGINFO, t->tid, (uint64_t)(uintptr_t)&args, ret + n);
		if (r <= 0)
			return r < 0 ? r : (int)n;
		n += (size_t)r;
	}
	return (int)n;
}

typedef ssize_t vm_transfer(pid_t, const struct iovec *, unsigned long, const struct iovec *,
	unsigned long, unsigned long);

static int transfer(vm_transfer *fn, pid_t pid, taddr there, void *here, size_t len)
{
	while (len) {
		struct iovec local = {here, len}, remote = {(void *)there, len};
		ssize_t n = fn(pid, &local, 1, &remote, 1, 0);

		if (n <= 0)
			return n < 0 ? -errno : -EFAULT;
		here = (char *)here + n;
		there += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int tracee_read(pid_t pid, taddr from, void *to, size_t len)
{
	return transfer(process_vm_readv, pid, from, to, len);
}

int tracee_write(pid_t pid, taddr to, const void *from, size_t len)
{
	return transfer(process_vm_writev, pid, to, (void *)from, len);
}

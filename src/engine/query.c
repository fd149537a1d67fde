/*
 * What only the tracee itself can ask the kernel: see dump.h. Every process
 * gets a scratch page for the answers, and loses it again; nothing else of it
 * changes. Threads' registers come from ptrace.
 */
#include "engine/dump.h"
#include "sys/calls.h"
#include "base/io.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define XSTATE_MAX (64 * 1024)
#define PENDING_MAX 4096

struct query {
	struct dump *d;
	struct dump_process *p;
	struct tracee *leader;
	taddr scratch;
};

/* The call writes `len` bytes to the scratch page: fetches them. */
static long fetch(struct query *q, long result, void *to, size_t len)
{
	int r;

	if (result < 0)
		return result;
	r = tracee_read(q->leader->pid, q->scratch, to, len);
	return r < 0 ? r : result;
}

static int query_actions(struct query *q)
{
	Cragon__Process *process = q->p->process;

	for (int sig = 1; sig <= 64; sig++) {
		Cragon__SignalAction *action = dump_new(q->d, SignalAction);
		uint64_t bit = 1ull << (sig - 1);
		struct sys_sigaction kernel;
		long r;

		if (!action || arena_push(&q->d->arena, (void ***)&process->action,
				       &process->n_action, action) < 0)
			return -ENOMEM;
		cragon__signal_action__init(action);
		if (!((q->p->caught | q->p->ignored) & bit))
			continue; /* the default */
		r = tracee_call(q->leader, SYS_rt_sigaction, (uint64_t)sig, 0, q->scratch, 8);
		r = fetch(q, r, &kernel, sizeof kernel);
		if (r < 0)
			return (int)r;
		action->handler = kernel.handler;
		action->flags = kernel.flags;
		action->restorer = kernel.restorer;
		action->mask = kernel.mask;
	}
	return 0;
}

static uint64_t micros(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static uint64_t nanos(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NS_PER_SEC + (uint64_t)t->tv_nsec;
}

static int query_itimers(struct query *q)
{
	Cragon__Process *process = q->p->process;

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		Cragon__IntervalTimer *timer = dump_new(q->d, IntervalTimer);
		struct itimerval value;
		long r = tracee_call(q->leader, SYS_getitimer, (uint64_t)which, q->scratch);

		r = fetch(q, r, &value, sizeof value);
		if (r < 0)
			return (int)r;
		if (!timer || arena_push(&q->d->arena, (void ***)&process->itimer,
				      &process->n_itimer, timer) < 0)
			return -ENOMEM;
		cragon__interval_timer__init(timer);
		timer->value_us = micros(&value.it_value);
		timer->interval_us = micros(&value.it_interval);
	}
	return 0;
}

static pid_t inner_tid(const struct dump_process *p, pid_t tid)
{
	for (size_t i = 0; i < p->frozen->n_threads; i++)
		if (p->frozen->threads[i].tracee.tid == tid)
			return p->process->thread[i]->tid;
	return 0;
}

/* One paragraph of /proc/PID/timers: "ID: 0\nsignal: 10/0…0\nnotify: signal/pid.1\nClockID: 1" */
static int add_timer(struct query *q, const char *text)
{
	static const char *const notify_names[] = {"signal", "none", "thread"};
	Cragon__PosixTimer *timer = dump_new(q->d, PosixTimer);
	char how[12], who[4];
	struct itimerspec left;
	unsigned long value;
	int id, signal, target, clock;
	long r;

	if (sscanf(text, "ID: %d signal: %d/%lx notify: %11[a-z]/%3[a-z].%d ClockID: %d", &id,
		    &signal, &value, how, who, &target, &clock) != 7)
		return -EPROTO;
	if (!timer || arena_push(&q->d->arena, (void ***)&q->p->process->timer,
			      &q->p->process->n_timer, timer) < 0)
		return -ENOMEM;
	cragon__posix_timer__init(timer);
	timer->id = id;
	timer->clock = clock;
	timer->signal = signal;
	timer->value = value;
	for (int i = 0; i < (int)ARRAY_LEN(notify_names); i++)
		if (strcmp(how, notify_names[i]) == 0)
			timer->notify = i;
	if (strcmp(who, "tid") == 0) {
		timer->notify |= SIGEV_THREAD_ID;
		timer->thread = inner_tid(q->p, target);
	}
	r = tracee_call(q->leader, SYS_timer_gettime, (uint64_t)id, q->scratch);
	r = fetch(q, r, &left, sizeof left);
	timer->value_ns = nanos(&left.it_value);
	timer->interval_ns = nanos(&left.it_interval);
	return r < 0 ? (int)r : 0;
}

static int compare_timers(const void *a, const void *b)
{
	const Cragon__PosixTimer *const *left = a, *const *right = b;

	return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

static int query_timers(struct query *q)
{
	Cragon__Process *process = q->p->process;
	cleanup_buf struct buf text = {0};
	int r = proc_read(q->leader->pid, "timers", &text);

	if (r == -ENOENT)
		return 0; /* no CONFIG_CHECKPOINT_RESTORE: doc/support.md */
	if (r < 0)
		return r;
	for (const char *at = text.data; at && (at = strstr(at, "ID: "));
		at = strstr(at + 4, "\nID: ")) {
		if (*at == '\n')
			at++;
		r = add_timer(q, at);
		if (r < 0)
			return r;
	}
	/* Ascending, as a kernel that hands out ids itself will count. */
	if (process->n_timer)
		qsort(process->timer, process->n_timer, sizeof *process->timer, compare_timers);
	return 0;
}

static int query_flags(struct query *q)
{
	Cragon__ProcessFlags *flags = q->p->process->flags;
	int value = 0;
	long r = tracee_call(q->leader, SYS_prctl, PR_GET_CHILD_SUBREAPER, q->scratch);

	flags->dumpable = q->p->frozen->dumpable;
	if (fetch(q, r, &value, sizeof value) >= 0)
		flags->child_subreaper = value != 0;
	r = tracee_call(q->leader, SYS_prctl, PR_GET_PDEATHSIG, q->scratch);
	if (fetch(q, r, &value, sizeof value) >= 0)
		flags->parent_death_signal = value;
	flags->thp_disable = tracee_call(q->leader, SYS_prctl, PR_GET_THP_DISABLE) == 1;
	r = tracee_call(q->leader, SYS_prctl, PR_GET_SECUREBITS);
	if (r > 0)
		q->p->process->credentials->securebits = (uint32_t)r;
	return q->leader->state == TRACEE_DEAD ? -ESRCH : 0;
}

static int query_brk(struct query *q)
{
	long r = tracee_call(q->leader, SYS_brk, 0);

	if (r < 0)
		return (int)r;
	q->p->process->mm->brk = (uint64_t)r;
	return 0;
}

static int copy_bytes(struct dump *d, ProtobufCBinaryData *to, const void *data, size_t len)
{
	to->data = arena_memdup(&d->arena, data, len);
	to->len = len;
	return to->data ? 0 : -ENOMEM;
}

static int query_pending(
	struct dump *d, struct tracee *t, bool of_process, size_t *ret_n, ProtobufCBinaryData **ret)
{
	cleanup_free siginfo_t *list = malloc(PENDING_MAX * sizeof *list);
	ProtobufCBinaryData *copies;
	int n;

	if (!list)
		return -ENOMEM;
	n = tracee_pending(t, of_process, list, PENDING_MAX);
	if (n <= 0)
		return n;
	copies = arena_alloc(&d->arena, (size_t)n * sizeof *copies);
	if (!copies)
		return -ENOMEM;
	for (int i = 0; i < n; i++)
		if (copy_bytes(d, &copies[i], &list[i], sizeof list[i]) < 0)
			return -ENOMEM;
	*ret = copies;
	*ret_n = (size_t)n;
	return 0;
}

static int thread_registers(struct dump *d, struct tracee *t, Cragon__Thread *thread)
{
	cleanup_free unsigned char *xstate = malloc(XSTATE_MAX);
	size_t len = 0;
	int r;

	if (!xstate)
		return -ENOMEM;
	r = tracee_get_xstate(t, xstate, XSTATE_MAX, &len);
	if (r == 0)
		r = copy_bytes(d, &thread->xstate, xstate, len);
	if (r == 0)
		r = copy_bytes(d, &thread->registers, &t->regs, sizeof t->regs);
	thread->signal_mask = t->mask;
	return r;
}

/* Scheduling, from outside; none of it is worth failing for. */
static void thread_scheduling(struct dump *d, pid_t tid, Cragon__Thread *thread)
{
	unsigned char mask[1024];
	struct sched_param param = {0};
	long n = syscall(SYS_sched_getaffinity, tid, sizeof mask, mask);

	if (n > 0)
		(void)copy_bytes(d, &thread->affinity, mask, (size_t)n);
	errno = 0;
	thread->nice = getpriority(PRIO_PROCESS, (id_t)tid);
	thread->policy = MAX(sched_getscheduler(tid), 0);
	if (sched_getparam(tid, &param) == 0)
		thread->priority = param.sched_priority;
	thread->io_priority = MAX(sys_ioprio_get(tid), 0);
}

static int thread_pointers(struct query *q, struct tracee *t, Cragon__Thread *thread)
{
	struct tracee_rseq rseq = {0};
	stack_t alt;
	long r = tracee_call(t, SYS_sigaltstack, 0, q->scratch);

	r = fetch(q, r, &alt, sizeof alt);
	if (r < 0)
		return (int)r;
	thread->altstack = (uint64_t)(uintptr_t)alt.ss_sp;
	thread->altstack_bytes = alt.ss_size;
	thread->altstack_flags = alt.ss_flags;
	r = tracee_call(t, SYS_prctl, SYS_PR_GET_TID_ADDRESS, q->scratch);
	if (fetch(q, r, &thread->clear_child_tid, 8) < 0)
		thread->clear_child_tid = 0; /* no CONFIG_CHECKPOINT_RESTORE */
	(void)sys_get_robust_list(t->tid, &thread->robust_list, &thread->robust_list_bytes);
	if (tracee_get_rseq(t, &rseq) == 0) {
		thread->rseq = rseq.address;
		thread->rseq_bytes = rseq.bytes;
		thread->rseq_signature = rseq.signature;
	}
	r = tracee_call(t, SYS_prctl, PR_GET_TIMERSLACK);
	thread->timer_slack_ns = r > 0 ? (uint64_t)r : 0;
	return t->state == TRACEE_DEAD ? -ESRCH : 0;
}

static int describe_thread(struct query *q, struct frozen_thread *frozen)
{
	struct dump *d = q->d;
	struct tracee *t = &frozen->tracee;
	Cragon__Process *process = q->p->process;
	Cragon__Thread *thread = dump_new(d, Thread);
	cleanup(proc_status_done) struct proc_status status = {0};
	cleanup_buf struct buf comm = {0};
	int r;

	if (!thread ||
		arena_push(&d->arena, (void ***)&process->thread, &process->n_thread, thread) < 0)
		return -ENOMEM;
	cragon__thread__init(thread);
	r = proc_status_task(t->pid, t->tid, &status);
	if (r == 0)
		r = proc_read_task(t->pid, t->tid, "comm", &comm);
	if (r < 0)
		return r;
	comm.data[strcspn(comm.data, "\n")] = 0;
	thread->tid = status.ns_pid;
	thread->comm = dump_string(d, comm.data);
	thread->blocked_ns = frozen->blocked_ns;
	thread_scheduling(d, t->tid, thread);
	r = thread_registers(d, t, thread);
	return r < 0 ? r : thread_pointers(q, t, thread);
}

static int query_all(struct query *q)
{
	struct dump_process *p = q->p;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->frozen->n_threads; i++)
		r = describe_thread(q, &p->frozen->threads[i]);
	if (r == 0)
		r = query_actions(q);
	if (r == 0)
		r = query_flags(q);
	if (r == 0)
		r = query_brk(q);
	if (r == 0)
		r = query_itimers(q);
	if (r == 0)
		r = query_timers(q);
	/* After the timers: an expired one reads 0 until its signal is taken. */
	for (size_t i = 0; r == 0 && i < p->frozen->n_threads; i++)
		r = query_pending(q->d, &p->frozen->threads[i].tracee, false,
			&p->process->thread[i]->n_pending, &p->process->thread[i]->pending);
	if (r == 0)
		r = query_pending(
			q->d, q->leader, true, &p->process->n_pending, &p->process->pending);
	return r;
}

static int query_process(struct dump *d, struct dump_process *p, struct err *e)
{
	struct query q = {.d = d, .p = p, .leader = &p->frozen->threads[0].tracee};
	long at = tracee_call(q.leader, SYS_mmap, 0, CRAGON_PAGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
	int r;

	if (at < 0)
		return err_sys(e, (int)at, "process %d (%s) has no room for one page",
			p->process->pid, p->process->comm);
	q.scratch = (taddr)at;
	r = query_all(&q);
	tracee_call(q.leader, SYS_munmap, q.scratch, CRAGON_PAGE_BYTES);
	if (r < 0 && q.leader->state == TRACEE_DEAD)
		return err_set(e, -ESRCH, WHY_TRACEE_DIED, "process %d (%s) ended meanwhile",
			p->process->pid, p->process->comm);
	return r < 0 ? err_sys(e, r, "cannot read the state of process %d (%s)", p->process->pid,
			       p->process->comm)
		     : 0;
}

/* The clocks as the job sees them, which a time namespace may have shifted. */
static int query_clocks(struct dump *d, struct dump_process *p)
{
	struct tracee *t = &p->frozen->threads[0].tracee;
	long at = tracee_call(t, SYS_mmap, 0, CRAGON_PAGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
	struct timespec mono = {0}, boot = {0};

	if (at < 0)
		return (int)at;
	if (tracee_call(t, SYS_clock_gettime, CLOCK_MONOTONIC, (uint64_t)at) == 0)
		(void)tracee_read(t->pid, (taddr)at, &mono, sizeof mono);
	if (tracee_call(t, SYS_clock_gettime, CLOCK_BOOTTIME, (uint64_t)at) == 0)
		(void)tracee_read(t->pid, (taddr)at, &boot, sizeof boot);
	tracee_call(t, SYS_munmap, (uint64_t)at, CRAGON_PAGE_BYTES);
	d->image.clock->monotonic_ns = nanos(&mono);
	d->image.clock->boottime_ns = nanos(&boot);
	return 0;
}

/* The vdso, to be compared at the restore. */
static int keep_vdso(struct dump *d, const struct dump_process *p)
{
	for (size_t i = 0; i < p->process->n_vma; i++) {
		const Cragon__Vma *vma = p->process->vma[i];
		size_t len = vma->end - vma->start;
		ProtobufCBinaryData *vdso = &d->image.machine->vdso;

		if (vma->kind != CRAGON__VMA__KIND__VDSO)
			continue;
		vdso->data = arena_alloc(&d->arena, len);
		vdso->len = len;
		return vdso->data ? tracee_read(p->frozen->pid, vma->start, vdso->data, len)
				  : -ENOMEM;
	}
	return 0;
}

static struct dump_process *find_process(struct dump *d, pid_t inner)
{
	for (size_t i = 0; i < d->frozen.n; i++)
		if (d->processes[i].process->pid == inner && !d->processes[i].frozen->zombie)
			return &d->processes[i];
	return NULL;
}

/* Has the parent of a stopped process been told so by wait()? Asked without
 * taking the answer away. */
static int query_stop(struct dump *d, struct dump_process *p)
{
	struct dump_process *parent = find_process(d, p->process->parent);
	struct tracee *t;
	siginfo_t info = {0};
	long at, n;

	if (!parent)
		return 0;
	t = &parent->frozen->threads[0].tracee;
	at = tracee_call(t, SYS_mmap, 0, CRAGON_PAGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
	if (at < 0)
		return (int)at;
	n = tracee_call(t, SYS_waitid, P_PID, (uint64_t)p->process->pid, (uint64_t)at,
		WSTOPPED | WNOHANG | WNOWAIT, 0);
	if (n == 0)
		n = tracee_read(t->pid, (taddr)at, &info, sizeof info);
	tracee_call(t, SYS_munmap, (uint64_t)at, CRAGON_PAGE_BYTES);
	p->process->stop_seen = n == 0 && info.si_pid == 0;
	return 0;
}

int dump_query(struct dump *d, struct err *e)
{
	bool once = false;

	for (size_t i = 0; i < d->frozen.n; i++) {
		struct dump_process *p = &d->processes[i];
		int r;

		if (p->frozen->zombie)
			continue;
		r = query_process(d, p, e);
		if (r < 0)
			return r;
		if (p->process->state == CRAGON__PROCESS__STATE__STOPPED)
			(void)query_stop(d, p);
		if (once)
			continue;
		once = true;
		r = query_clocks(d, p);
		if (r == 0)
			r = keep_vdso(d, p);
		if (r < 0)
			return err_sys(e, r, "cannot read clocks and vdso");
	}
	return arena_failed(&d->arena) ? err_sys(e, -ENOMEM, "describing the job") : 0;
}

/*
 * Freezing and thawing a tree: see freeze.h.
 *
 * Why a loop: between listing and stopping, a thread may create another. Once
 * every listed thread is held, a new listing either shows nothing new, and then
 * nobody is left who could create anything, or shows what to seize next.
 */
#include "tracee/freeze.h"
#include "tracee/arch.h"
#include "tracee/blocked.h"
#include "tracee/waited.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define RETRIES 7

/* Reading how long each thread has been blocked must not take longer than this
 * on a machine that hundreds of spinning threads keep busy; the rest count as
 * unknown, and their time-outs start anew after a restore. */
#define BLOCKED_BUDGET_NS (50 * NS_PER_MSEC)

static int add_process(struct frozen *f, pid_t pid, pid_t ppid)
{
	struct frozen_process *grown;

	for (size_t i = 0; i < f->n; i++)
		if (f->processes[i].pid == pid)
			return 0;
	grown = realloc(f->processes, (f->n + 1) * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	f->processes = grown;
	f->processes[f->n++] =
		(struct frozen_process){.pid = pid, .ppid = ppid, .dumpable = -1};
	return 1;
}

static bool holds(const struct frozen_process *p, pid_t tid)
{
	for (size_t i = 0; i < p->n_threads; i++)
		if (p->threads[i].tracee.tid == tid && p->threads[i].tracee.state != TRACEE_DEAD)
			return true;
	return false;
}

static int add_thread(struct frozen_process *p, pid_t tid, int64_t blocked_ns, struct err *e)
{
	struct frozen_thread *grown = realloc(p->threads, (p->n_threads + 1) * sizeof *grown);
	struct frozen_thread *t;
	int r;

	if (!grown)
		return err_sys(e, -ENOMEM, "holding process %d", p->pid);
	p->threads = grown;
	t = &p->threads[p->n_threads];
	t->blocked_ns = blocked_ns;
	r = tracee_seize(&t->tracee, p->pid, tid, false, e);
	if (r == -ESRCH)
		return 0; /* ended meanwhile */
	if (r < 0)
		return r;
	p->n_threads++;
	return 1;
}

static bool is_zombie(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat(pid, &stat) < 0 || stat.state == 'Z' || stat.state == 'X';
}

/* Seizes what is new in one process; the number of new threads or -errno. */
static int seize_process(struct frozen_process *p, struct waited *waited, struct err *e)
{
	cleanup_free pid_t *tids = NULL;
	cleanup_free int64_t *blocked = NULL;
	int n = proc_tasks(p->pid, &tids), fresh = 0;

	if (n > 0 && !(blocked = calloc((size_t)n, sizeof *blocked)))
		return err_sys(e, -ENOMEM, "holding process %d", p->pid);
	/* Before anything stops: a stop puts the thread on a CPU, and reading takes
	 * time in which nobody need be held. */
	for (int i = 0; i < n; i++)
		if (!holds(p, tids[i]))
			blocked[i] = waited_ns(waited, p->pid, tids[i]);
	for (int i = 0; i < n; i++) {
		int r;

		if (holds(p, tids[i]))
			continue;
		r = add_thread(p, tids[i], blocked[i], e);
		if (r == -EPERM && n == 1 && is_zombie(p->pid))
			break;
		if (r == -EPERM && is_zombie(p->pid))
			return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
				"process %d: its main thread has ended while others run: not "
				"supported",
				p->pid);
		if (r < 0)
			return r;
		fresh += r;
	}
	p->zombie = p->n_threads == 0 && is_zombie(p->pid);
	return fresh;
}

/* The children of one process; the number of those not known before. */
static int list_children(struct frozen *f, pid_t pid)
{
	cleanup_free pid_t *children = NULL;
	int n = proc_children(pid, &children), fresh = 0;

	if (n == -ENOENT || n == -ESRCH)
		return 0; /* ended meanwhile */
	for (int i = 0; i < n; i++) {
		int r = add_process(f, children[i], pid);

		if (r < 0)
			return r;
		fresh += r;
	}
	return fresh;
}

/* How many have stopped since last asked; *ret_late: how many have not yet. */
static size_t collect_stopped(struct frozen *f, size_t *ret_late)
{
	size_t stopped = 0;

	*ret_late = 0;
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->processes[i].n_threads; k++) {
			struct tracee *t = &f->processes[i].threads[k].tracee;

			if (t->state != TRACEE_INTERRUPTED)
				continue;
			if (tracee_await_stop(t, 0) == 0)
				++*ret_late;
			else
				stopped++;
		}
	return stopped;
}

/* 1: all held, 0: for `patience_ns` no other one has stopped. */
static int await_all(struct frozen *f, uint64_t patience_ns)
{
	uint64_t last_ns = now_mono_ns();
	size_t late;

	for (;;) {
		if (collect_stopped(f, &late))
			last_ns = now_mono_ns();
		if (!late)
			return 1;
		if (now_mono_ns() - last_ns > patience_ns)
			return 0;
		sleep_ns(NS_PER_MSEC / 20);
	}
}

/* Seizes what is known, from the top down, each process before its children are
 * listed: the sooner a busy process stops, the sooner we get on. */
static int one_round(struct frozen *f, pid_t reaper, uint64_t patience_ns, struct err *e)
{
	cleanup(waited_end) struct waited waited;
	int fresh = list_children(f, reaper);

	waited_begin(&waited, BLOCKED_BUDGET_NS);
	for (size_t i = 0; fresh >= 0 && i < f->n; i++) {
		int r = f->processes[i].zombie ? 0 : seize_process(&f->processes[i], &waited, e);

		if (r < 0)
			return r;
		fresh += r;
		r = list_children(f, f->processes[i].pid);
		fresh = r < 0 ? r : fresh + r;
	}
	if (fresh < 0)
		return err_sys(e, fresh, "cannot list the job's processes");
	if (!await_all(f, patience_ns))
		return err_set(e, -EAGAIN, WHY_BUSY,
			"a thread of the job could not be stopped in time (it may be starting "
			"another program, or waits in the kernel for a device or file server)");
	return fresh;
}

static void remove_thread(struct frozen_process *p, size_t k)
{
	memmove(&p->threads[k], &p->threads[k + 1], (p->n_threads - k - 1) * sizeof *p->threads);
	p->n_threads--;
}

/* Forgets what ended before it could be held, and refreshes parents: an orphan's
 * has changed. Leaves the leader in front. */
static void tidy(struct frozen *f, pid_t reaper)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct frozen_process *p = &f->processes[i];
		struct proc_stat stat;

		for (size_t k = p->n_threads; k-- > 0;)
			if (p->threads[k].tracee.state == TRACEE_DEAD)
				remove_thread(p, k);
		/* The reaper is not held: a corpse of its own may vanish at any time. */
		if (proc_stat(p->pid, &stat) < 0 || stat.state == 'X' ||
			(p->n_threads == 0 && stat.ppid == reaper)) {
			free(p->threads);
			continue;
		}
		p->ppid = stat.ppid;
		p->zombie = p->n_threads == 0;
		for (size_t k = 1; k < p->n_threads; k++)
			if (p->threads[k].tracee.tid == p->pid) {
				struct frozen_thread leader = p->threads[k];

				p->threads[k] = p->threads[0];
				p->threads[0] = leader;
			}
		f->processes[kept++] = *p;
	}
	f->n = kept;
}

/* Parents before children, in the order of birth otherwise kept. */
static void order_by_parent(struct frozen *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = i + 1; k < f->n; k++)
			if (f->processes[k].pid == f->processes[i].ppid) {
				struct frozen_process parent = f->processes[k];

				memmove(&f->processes[i + 1], &f->processes[i],
					(k - i) * sizeof parent);
				f->processes[i] = parent;
				k = i; /* its own parent may be further back */
			}
}

static bool signal_is_coming(struct tracee *t)
{
	siginfo_t list[64];

	for (int of_process = 0; of_process < 2; of_process++) {
		int n = tracee_pending(t, of_process, list, ARRAY_LEN(list));

		for (int i = 0; i < n; i++)
			if (!(t->mask & (1ull << (list[i].si_signo - 1))))
				return true;
	}
	return false;
}

/* What a bare stop has disturbed, put right in the registers to be put back. */
static int mend(struct frozen_thread *t)
{
	struct tracee *tracee = &t->tracee;
	struct tracee_rseq rseq = {0};
	int r;

	if (tracee_get_rseq(tracee, &rseq) == 0)
		(void)arch_abort_rseq(&tracee->regs, tracee->pid, rseq.address);
	r = blocked_fix(&tracee->regs, tracee->pid, t->blocked_ns, signal_is_coming(tracee), false);
	tracee->touched = true; /* registers are put back in any case */
	return r;
}

/* Takes hold of every stopped thread; calls that the stop cut short will go on
 * when the thread does, whatever becomes of the freeze. */
static int prepare_all(struct frozen *f, struct err *e)
{
	int result = 0;

	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->processes[i].n_threads; k++) {
			struct frozen_thread *t = &f->processes[i].threads[k];
			int r;

			if (t->tracee.state != TRACEE_HELD)
				continue;
			if (k)
				t->tracee.gadget = f->processes[i].threads[0].tracee.gadget;
			r = tracee_prepare(&t->tracee, e);
			if (r == 0)
				r = mend(t);
			if (r < 0 && result == 0)
				result = r;
		}
	return result;
}

/* The kernel gives /proc/PID of a process that made itself undumpable to root:
 * even its tracer cannot open the files. */
static void reveal(struct frozen_process *p)
{
	struct tracee *leader = &p->threads[0].tracee;

	p->dumpable = (int)tracee_call(leader, SYS_prctl, PR_GET_DUMPABLE);
	if (p->dumpable == 0)
		p->revealed = tracee_call(leader, SYS_prctl, PR_SET_DUMPABLE, 1) == 0;
}

static void hide_again(struct frozen_process *p)
{
	if (p->revealed && p->threads[0].tracee.state == TRACEE_HELD)
		(void)tracee_call(&p->threads[0].tracee, SYS_prctl, PR_SET_DUMPABLE, 0);
	p->revealed = false;
}

static int try_freeze(struct frozen *f, pid_t reaper, uint64_t patience_ns, struct err *e)
{
	int r;

	f->since_ns = now_mono_ns();
	while ((r = one_round(f, reaper, patience_ns, e)) > 0)
		;
	if (r < 0)
		return r;
	tidy(f, reaper);
	order_by_parent(f);
	r = prepare_all(f, e);
	for (size_t i = 0; r == 0 && i < f->n; i++)
		if (f->processes[i].n_threads)
			reveal(&f->processes[i]);
	return r;
}

int freeze_tree(struct frozen *ret, pid_t reaper, uint64_t patience_ns, struct err *e)
{
	int r = 0;

	for (int attempt = 0; attempt < RETRIES; attempt++) {
		struct frozen f = {0};

		/* Short tries first: a vfork parent gets free only when we let go. */
		r = try_freeze(&f, reaper, patience_ns >> (RETRIES - 1 - attempt), e);
		if (r == 0) {
			*ret = f;
			return 0;
		}
		if (r == -EAGAIN) {
			struct err ignored;

			(void)prepare_all(&f, &ignored);
		}
		thaw_tree(&f);
		/* Busy, or something ended under our hands: both pass. */
		if (r != -EAGAIN && r != -ESRCH)
			return r;
		sleep_ns((10ull << attempt) * NS_PER_MSEC);
	}
	return r;
}

static void free_frozen(struct frozen *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->processes[i].threads);
	free(f->processes);
	*f = (struct frozen){0};
}

/* Releases what has stopped; the number of threads that are still on their way. */
static size_t release_stopped(struct frozen *f)
{
	size_t late = 0;

	for (size_t i = 0; i < f->n; i++)
		for (size_t k = f->processes[i].n_threads; k-- > 0;) {
			struct tracee *t = &f->processes[i].threads[k].tracee;

			if (t->state == TRACEE_INTERRUPTED)
				(void)tracee_await_stop(t, 0);
			if (t->state == TRACEE_INTERRUPTED)
				late++;
			else
				tracee_release(t);
		}
	return late;
}

void thaw_tree(struct frozen *f)
{
	for (size_t i = 0; i < f->n; i++)
		hide_again(&f->processes[i]);
	/* A running thread cannot be let go; one may be waiting for another that we
	 * hold (vfork), so whoever has stopped goes first. */
	while (release_stopped(f))
		sleep_ns(NS_PER_MSEC / 10);
	free_frozen(f);
}

void kill_tree(struct frozen *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->processes[i].zombie)
			kill(f->processes[i].pid, SIGKILL);
	/* The leader's end is reported only once its other threads have been reaped. */
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = f->processes[i].n_threads; k-- > 0;)
			tracee_kill(&f->processes[i].threads[k].tracee);
	free_frozen(f);
}

/* How long a thread has been off the CPU: see waited.h. */
#include "tracee/waited.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <sys/syscall.h>

void waited_begin(struct waited *w, uint64_t budget_ns)
{
	*w = (struct waited){.deadline_ns = now_mono_ns() + budget_ns};
}

void waited_end(struct waited *w)
{
	if (w->moved)
		(void)sched_setaffinity(0, sizeof w->own, &w->own);
	w->moved = false;
}

static pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* Runs on that CPU and reads its clock: we have just got onto it, so our own
 * se.exec_start is now. */
static int read_clock(struct waited *w, int cpu)
{
	cpu_set_t one;
	uint64_t there;
	int r;

	if (!w->moved && sched_getaffinity(0, sizeof w->own, &w->own) < 0)
		return -errno;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof one, &one) < 0)
		return -errno;
	w->moved = true;
	/* Already there, we would not have been scheduled anew: step aside once. */
	sleep_ns(1);
	r = proc_sched_ns(getpid(), own_tid(), &there);
	if (r == 0)
		w->cpu[cpu].ahead_ns = (int64_t)there - (int64_t)now_mono_ns();
	return r;
}

int64_t waited_ns(struct waited *w, pid_t pid, pid_t tid)
{
	struct proc_stat stat;
	uint64_t then;
	int64_t waited;

	if (w->missing || now_mono_ns() > w->deadline_ns)
		return -1;
	if (proc_stat_task(pid, tid, &stat) < 0 || stat.processor < 0 ||
		stat.processor >= WAITED_CPUS || w->cpu[stat.processor].refused)
		return -1;
	if (!w->cpu[stat.processor].known) {
		int r = read_clock(w, stat.processor);

		w->missing = r == -ENOENT;
		w->cpu[stat.processor].refused = r < 0;
		w->cpu[stat.processor].known = true;
		if (r < 0)
			return -1;
	}
	if (proc_sched_ns(pid, tid, &then) < 0)
		return -1;
	waited = (int64_t)now_mono_ns() + w->cpu[stat.processor].ahead_ns - (int64_t)then;
	return MAX(waited, (int64_t)0);
}

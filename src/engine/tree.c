/*
 * Building the tree of processes: see restore.h.
 *
 * Every process starts as an empty copy of the reaper, made by its real parent
 * with the id it had (clone3 with set_tid, kernel >= 5.5). Sessions and groups
 * decide who has to make whom, since a session is inherited at fork and can
 * only be joined that way:
 *   - a child that was born before its parent called setsid is made before it;
 *   - an orphan in a session of the job is made through a member of that
 *     session, by way of a helper that ends at once;
 *   - a session or group whose leader is gone gets a stand-in that ends once
 *     the members have joined.
 */
#include "engine/restore.h"
#include "sys/calls.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int scratch_put(struct restored *p, uint64_t offset, const void *data, size_t len)
{
	if (offset + len > SCRATCH_BYTES)
		return -E2BIG;
	return tracee_write(p->threads[0].pid, p->scratch + offset, data, len);
}

pid_t restore_id(const struct restore *r, pid_t pid)
{
	if (r->choose_ids || pid == 0)
		return pid;
	if (pid == r->meta->tree->reaper_pid)
		return r->reaper.pid;
	for (size_t i = 0; i < r->meta->n_process; i++)
		if (r->processes[i].process->pid == pid && r->processes[i].created)
			return r->processes[i].inner;
	return 0;
}

/* Kernels before 5.5: the namespace hands out the number after this one. */
static int aim_at_id(struct tracee *by, taddr scratch, pid_t wanted)
{
	static const char path[] = "/proc/sys/kernel/ns_last_pid";
	char text[16];
	long fd, n;

	n = tracee_write(by->pid, scratch + SCRATCH_CLONE, path, sizeof path);
	if (n < 0)
		return (int)n;
	/* AT_FDCWD, O_WRONLY */
	fd = tracee_call(by, SYS_openat, (uint64_t)-100, scratch + SCRATCH_CLONE, 1, 0);
	if (fd < 0)
		return (int)fd;
	snprintf(text, sizeof text, "%d", wanted - 1);
	n = tracee_write(by->pid, scratch + SCRATCH_CLONE, text, sizeof text);
	if (n == 0)
		n = tracee_call(by, SYS_write, (uint64_t)fd, scratch + SCRATCH_CLONE, strlen(text));
	(void)tracee_call(by, SYS_close, (uint64_t)fd);
	return n < 0 ? (int)n : 0;
}

static long clone_with_id(struct tracee *by, taddr scratch, uint64_t flags, int exit_signal,
	pid_t wanted)
{
	struct {
		struct clone_args args;
		pid_t wanted;
	} block = {
		.args.flags = flags,
		.args.exit_signal = (uint64_t)exit_signal,
		.args.set_tid = scratch + SCRATCH_CLONE + sizeof block.args,
		.args.set_tid_size = 1,
		.wanted = wanted,
	};
	long n = -ENOSYS;

	if (!sys_without("set_tid")) {
		n = tracee_write(by->pid, scratch + SCRATCH_CLONE, &block, sizeof block);
		if (n == 0)
			n = tracee_call(by, SYS_clone3, scratch + SCRATCH_CLONE, sizeof block.args);
	}
	if (n != -ENOSYS && n != -E2BIG)
		return n;
	n = aim_at_id(by, scratch, wanted);
	return n < 0 ? n : tracee_call(by, SYS_clone, flags | (uint64_t)exit_signal);
}

int restore_clone(struct restore *r, struct tracee *by, taddr scratch, uint64_t flags,
	int exit_signal, pid_t wanted, struct tracee *child, struct err *e)
{
	const char *what = flags & CLONE_THREAD ? "thread" : "process";
	bool choose = r->choose_ids && wanted;
	long n = choose ? clone_with_id(by, scratch, flags, exit_signal, wanted)
			: tracee_call(by, SYS_clone, flags | (uint64_t)exit_signal);
	int k;

	if (n < 0)
		return err_sys(e, (int)n, "cannot make %s %d again", what, wanted);
	if (choose && n != wanted)
		return err_set(e, -EEXIST, WHY_SYSTEM, "%s %d cannot have its number again: got %ld",
			what, wanted, n);
	k = tracee_adopt(child, flags & CLONE_THREAD ? by->pid : by->born, by->born);
	if (k < 0)
		return err_sys(e, k, "%s %d ended at birth", what, wanted);
	child->gadget = by->gadget;
	return tracee_prepare(child, e);
}

/* One process made by `by`, whose scratch area holds the arguments. */
static int make_child(struct restore *r, struct tracee *by, taddr scratch, pid_t wanted,
	int exit_signal, struct tracee *child, struct err *e)
{
	return restore_clone(r, by, scratch, 0, exit_signal, wanted, child, e);
}

static int inner_id(const struct tracee *t)
{
	cleanup(proc_status_done) struct proc_status status = {0};
	int r = proc_status(t->pid, &status);

	return r < 0 ? r : status.ns_pid;
}

static int make_process(struct restore *r, struct tracee *by, taddr scratch, struct restored *p,
	struct err *e)
{
	size_t n = MAX(p->process->n_thread, (size_t)1);
	int id;

	p->threads = calloc(n, sizeof *p->threads);
	if (!p->threads)
		return err_sys(e, -ENOMEM, "restoring process %d", p->process->pid);
	p->scratch = scratch; /* inherited, at the same address */
	id = make_child(r, by, scratch, p->process->pid,
		p->process->exit_signal ? p->process->exit_signal : SIGCHLD, &p->threads[0], e);
	if (id < 0)
		return id;
	p->n_threads = 1;
	p->created = true;
	id = inner_id(&p->threads[0]);
	if (id < 0)
		return err_sys(e, id, "restoring process %d", p->process->pid);
	p->inner = id;
	return 0;
}

static bool leads_session(const Cragon__Process *p)
{
	return p->sid == p->pid;
}

static bool is_orphan(const struct restore *r, const Cragon__Process *p)
{
	return p->parent == r->meta->tree->reaper_pid;
}

/* Children of p that are in the session p was in before its own setsid. */
static bool born_before(const Cragon__Process *parent, const Cragon__Process *child)
{
	return leads_session(parent) && child->sid != parent->sid && !leads_session(child);
}

static int make_children(struct restore *r, struct restored *p, bool before, struct err *e);

/* The process, and all below it. */
static int make_branch(struct restore *r, struct tracee *by, taddr scratch, struct restored *p,
	struct err *e)
{
	int n = make_process(r, by, scratch, p, e);

	if (n == 0)
		n = make_children(r, p, true, e);
	if (n < 0)
		return n;
	if (leads_session(p->process)) {
		long k = tracee_call(&p->threads[0], SYS_setsid);

		if (k < 0)
			return err_sys(e, (int)k, "process %d cannot start its session again",
				p->process->pid);
	}
	if (p->process->flags && p->process->flags->child_subreaper) {
		long k = tracee_call(&p->threads[0], SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);

		if (k < 0)
			return err_sys(e, (int)k, "process %d", p->process->pid);
	}
	return make_children(r, p, false, e);
}

/* The session a process will be in when its turn to make children comes. */
static bool can_inherit(const Cragon__Process *parent, const Cragon__Process *child)
{
	return leads_session(child) || child->sid == parent->sid || born_before(parent, child);
}

static int make_children(struct restore *r, struct restored *p, bool before, struct err *e)
{
	for (size_t i = 0; i < r->meta->n_process; i++) {
		struct restored *child = &r->processes[i];
		int n;

		if (child->created || child->process->parent != p->process->pid ||
			!can_inherit(p->process, child->process) ||
			born_before(p->process, child->process) != before)
			continue;
		n = make_branch(r, &p->threads[0], p->scratch, child, e);
		if (n < 0)
			return n;
	}
	return 0;
}

/* An id that nothing in the image uses, for a helper. */
static pid_t spare_id(const struct restore *r)
{
	for (pid_t id = 300; r->choose_ids; id++) {
		bool used = false;

		for (size_t i = 0; i < r->meta->n_process && !used; i++) {
			const Cragon__Process *p = r->meta->process[i];

			used = p->pid == id || p->pgid == id || p->sid == id;
			for (size_t k = 0; k < p->n_thread && !used; k++)
				used = p->thread[k]->tid == id;
		}
		if (!used)
			return id;
	}
	return 0;
}

/* Ends a helper that `by` made, and takes its corpse away. */
static void end_helper(struct tracee *by, struct tracee *helper, pid_t inner)
{
	(void)tracee_call(helper, SYS_exit_group, 0);
	tracee_kill(helper);
	if (by->state == TRACEE_HELD)
		(void)tracee_call(by, SYS_wait4, (uint64_t)inner, 0, __WALL, 0);
}

/* Makes the orphan p as the child of a helper made by a member of its session. */
static int make_through(struct restore *r, struct tracee *member, taddr scratch,
	struct restored *p, pid_t helper_id, bool leads, struct err *e)
{
	struct tracee helper;
	int inner, n = make_child(r, member, scratch, helper_id, SIGCHLD, &helper, e);

	if (n < 0)
		return n;
	inner = inner_id(&helper);
	if (leads)
		(void)tracee_call(&helper, SYS_setsid);
	/* Everybody who waits for this very session comes along. */
	for (size_t i = 0; n == 0 && i < r->meta->n_process; i++) {
		struct restored *q = &r->processes[i];

		if (!q->created && q->process->parent == p->process->parent &&
			q->process->sid == p->process->sid && !leads_session(q->process))
			n = make_branch(r, &helper, scratch, q, e);
	}
	end_helper(member, &helper, inner);
	return n;
}

static struct restored *session_leader(struct restore *r, pid_t sid)
{
	for (size_t i = 0; i < r->meta->n_process; i++)
		if (r->processes[i].created && r->processes[i].process->pid == sid)
			return &r->processes[i];
	return NULL;
}

static struct restored *parent_of(struct restore *r, const Cragon__Process *p)
{
	for (size_t i = 0; i < r->meta->n_process; i++)
		if (r->processes[i].process->pid == p->parent)
			return &r->processes[i];
	return NULL;
}

/* Orphans of sessions inside the job, once the leaders exist. */
static int make_adopted(struct restore *r, taddr reaper_scratch, struct err *e)
{
	for (size_t i = 0; i < r->meta->n_process; i++) {
		struct restored *p = &r->processes[i], *leader, *parent;
		int n;

		if (p->created)
			continue;
		parent = parent_of(r, p->process);
		if (parent && (!parent->created ||
				      !parent->process->flags || !parent->process->flags->child_subreaper))
			continue; /* comes with its parent */
		leader = session_leader(r, p->process->sid);
		if (leader)
			n = make_through(r, &leader->threads[0], leader->scratch, p, spare_id(r),
				false, e);
		else if (parent)
			n = make_through(r, &parent->threads[0], parent->scratch, p,
				p->process->sid, true, e);
		else
			n = make_through(r, &r->above, reaper_scratch, p, p->process->sid, true, e);
		if (n < 0)
			return n;
	}
	return 0;
}

static int join_group(struct restore *r, struct restored *p, struct err *e)
{
	const Cragon__Process *q = p->process;
	pid_t group = restore_id(r, q->pgid);
	struct tracee stand_in;
	long n;

	if (q->pgid == 0 || (leads_session(q) && q->pgid == q->pid))
		return 0;
	n = tracee_call(&p->threads[0], SYS_setpgid, 0, (uint64_t)group);
	if (n == 0)
		return 0;
	if (group == q->pid)
		return err_sys(e, (int)n, "process %d cannot lead its group again", q->pid);
	/* The leader is gone: a stand-in with its id opens the group. */
	n = make_child(r, &p->threads[0], p->scratch, q->pgid, SIGCHLD, &stand_in, e);
	if (n < 0)
		return (int)n;
	group = inner_id(&stand_in);
	n = tracee_call(&stand_in, SYS_setpgid, 0, 0);
	if (n == 0)
		n = tracee_call(&p->threads[0], SYS_setpgid, 0, (uint64_t)group);
	end_helper(&p->threads[0], &stand_in, group);
	return n < 0 ? err_sys(e, (int)n, "process %d cannot join group %d again", q->pid, q->pgid)
		     : 0;
}

static int join_groups(struct restore *r, struct err *e)
{
	/* Leaders first, then who follows. */
	for (int followers = 0; followers < 2; followers++)
		for (size_t i = 0; i < r->meta->n_process; i++) {
			struct restored *p = &r->processes[i];
			int n;

			if ((p->process->pgid != p->process->pid) != followers)
				continue;
			n = join_group(r, p, e);
			if (n < 0)
				return n;
		}
	return 0;
}

static int make_top(struct restore *r, taddr scratch, struct err *e)
{
	for (size_t i = 0; i < r->meta->n_process; i++) {
		struct restored *p = &r->processes[i];
		int n;

		if (p->created || !is_orphan(r, p->process))
			continue;
		if (p->process->sid != 0 && !leads_session(p->process))
			continue; /* needs a session of the job */
		n = make_branch(r, &r->above, scratch, p, e);
		if (n < 0)
			return n;
	}
	return 0;
}

int restore_tree(struct restore *r, struct err *e)
{
	/* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS */
	long scratch = tracee_call(&r->above, SYS_mmap, 0, SCRATCH_BYTES, 3, 0x22, (uint64_t)-1, 0);
	int n;

	if (scratch < 0)
		return err_sys(e, (int)scratch, "cannot prepare the reaper");
	n = make_top(r, (taddr)scratch, e);
	/* Each round may bring the leaders that the next one needs. */
	for (size_t round = 0; n == 0 && round < 3; round++)
		n = make_adopted(r, (taddr)scratch, e);
	if (n < 0)
		return n;
	for (size_t i = 0; i < r->meta->n_process; i++)
		if (!r->processes[i].created)
			return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
				"process %d is in a session that cannot be built again",
				r->processes[i].process->pid);
	n = join_groups(r, e);
	tracee_call(&r->above, SYS_munmap, (uint64_t)scratch, SCRATCH_BYTES);
	return n;
}

static bool has_ended(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat(pid, &stat) < 0 || stat.state == 'Z';
}

/* Ends the way the original did, so that its parent will read the same status. */
static int make_zombie(struct restored *p, struct err *e)
{
	struct tracee *t = &p->threads[0];
	int status = p->process->exit_status, sig = WTERMSIG(status);
	struct sys_sigaction by_default = {0};
	char comm[16] = {0};
	long n;

	snprintf(comm, sizeof comm, "%s", p->process->comm);
	n = scratch_put(p, SCRATCH_DATA, comm, sizeof comm);
	if (n == 0)
		n = tracee_call(t, SYS_prctl, PR_SET_NAME, p->scratch + SCRATCH_DATA);
	if (n == 0 && WIFEXITED(status)) {
		(void)tracee_call(t, SYS_exit_group, (uint64_t)WEXITSTATUS(status));
	} else if (n == 0) {
		static const uint64_t no_core[2];

		(void)scratch_put(p, SCRATCH_DATA, no_core, sizeof no_core);
		(void)tracee_call(t, SYS_setrlimit, 4 /* RLIMIT_CORE */, p->scratch + SCRATCH_DATA);
		(void)scratch_put(p, SCRATCH_DATA, &by_default, sizeof by_default);
		(void)tracee_call(t, SYS_rt_sigaction, (uint64_t)sig, p->scratch + SCRATCH_DATA, 0, 8);
		tracee_die(t, sig);
	}
	for (int i = 0; n == 0 && !has_ended(t->pid); i++) {
		if (i == 5000)
			n = -ETIME;
		sleep_ns(NS_PER_MSEC / 5);
	}
	return n < 0 ? err_sys(e, (int)n, "cannot make the ended process %d again", p->process->pid)
		     : 0;
}

static bool has_stopped(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat(pid, &stat) == 0 && stat.state == 'T';
}

/* Lets the process go into the stop it was in; its parent is told by wait()
 * again only if it had not been told before. */
static int stop_again(struct restore *r, struct restored *p, struct err *e)
{
	struct restored *parent = parent_of(r, p->process);
	int n = restore_signals(r, p, e);

	if (n < 0)
		return n;
	for (size_t k = p->n_threads; k-- > 0;)
		tracee_release(&p->threads[k]);
	for (int i = 0; !has_stopped(p->threads[0].pid); i++) {
		if (i == 5000)
			return err_set(e, -ETIME, WHY_SYSTEM, "process %d does not stop again",
				p->process->pid);
		sleep_ns(NS_PER_MSEC / 5);
	}
	if (parent && p->process->stop_seen)
		(void)tracee_call(&parent->threads[0], SYS_waitid, P_PID, (uint64_t)p->inner, 0,
			WSTOPPED | WNOHANG, 0);
	return 0;
}

int restore_stopped(struct restore *r, struct err *e)
{
	for (size_t i = r->meta->n_process; i-- > 0;)
		if (r->processes[i].process->state == CRAGON__PROCESS__STATE__STOPPED) {
			int n = stop_again(r, &r->processes[i], e);

			if (n < 0)
				return n;
		}
	return 0;
}

int restore_zombies(struct restore *r, struct err *e)
{
	/* Children before parents, in case a zombie has zombies. */
	for (size_t i = r->meta->n_process; i-- > 0;)
		if (r->processes[i].process->state == CRAGON__PROCESS__STATE__ZOMBIE) {
			int n = make_zombie(&r->processes[i], e);

			if (n < 0)
				return n;
		}
	return 0;
}

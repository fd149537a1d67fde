/*
 * Everything of a process but its memory: see restore.h. The process makes the
 * calls itself; limits, scheduling and scores are set from outside.
 */
#include "engine/restore.h"
#include "tracee/arch.h"
#include "tracee/blocked.h"
#include "sys/calls.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <linux/capability.h>

/* One call whose failure ends the restore. */
static int must(struct restored *p, struct err *e, long result, const char *what)
{
	if (result >= 0)
		return 0;
	return err_sys(e, (int)result, "process %d: cannot restore its %s", p->process->pid, what);
}

/* Puts `data` in the scratch area and returns its address there, 0 on failure. */
static taddr put(struct restored *p, const void *data, size_t len)
{
	return scratch_put(p, SCRATCH_DATA, data, len) < 0 ? 0 : p->scratch + SCRATCH_DATA;
}

static taddr put_string(struct restored *p, const char *s)
{
	return put(p, s, strlen(s) + 1);
}

/* prctl(2) PR_SET_MM_MAP, kernel >= 3.18: needs no capability since the
 * executable is left alone. */
static int restore_mm(struct restored *p, struct err *e)
{
	const Cragon__Mm *mm = p->process->mm;
	struct prctl_mm_map map = {
		.start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
		.auxv_size = (uint32_t)mm->auxv.len,
		.exe_fd = (uint32_t)-1,
	};
	taddr auxv = p->scratch + SCRATCH_DATA + sizeof map;
	int n = scratch_put(p, SCRATCH_DATA + sizeof map, mm->auxv.data, mm->auxv.len);

	map.auxv = (void *)auxv;
	if (n < 0)
		return must(p, e, n, "auxiliary vector");
	return must(p, e,
		tracee_call(&p->threads[0], SYS_prctl, PR_SET_MM, PR_SET_MM_MAP,
			put(p, &map, sizeof map), sizeof map, 0),
		"memory layout (brk, arguments, environment)");
}

static int restore_directories(struct restored *p, struct err *e)
{
	const Cragon__Process *q = p->process;
	struct tracee *t = &p->threads[0];
	long n = 0;

	if (*q->root && strcmp(q->root, "/") != 0)
		n = tracee_call(t, SYS_chroot, put_string(p, q->root));
	if (n < 0)
		return must(p, e, n, "root directory");
	n = tracee_call(t, SYS_chdir, put_string(p, q->cwd));
	if (n < 0)
		return err_set(e, (int)n, WHY_FILE_CHANGED,
			"the working directory %s cannot be entered: %s; put it back, then restart",
			q->cwd, strerror((int)-n));
	(void)tracee_call(t, SYS_umask, q->umask);
	return 0;
}

/* close_range(2), or one by one before Linux 5.9. */
static long close_all(struct tracee *t, uint64_t first, uint64_t last)
{
	cleanup_free int *fds = NULL;
	long r = sys_without("close_range") ? -ENOSYS
					    : tracee_call(t, SYS_close_range, first, last, 0);
	int n;

	if (r != -ENOSYS)
		return r;
	n = proc_fds(t->pid, &fds);
	for (int i = 0; i < n; i++)
		if ((uint64_t)fds[i] >= first && (uint64_t)fds[i] <= last)
			(void)tracee_call(t, SYS_close, (uint64_t)fds[i]);
	return MIN(n, 0);
}

/* Exact numbers, sharing as it was: every description is inherited at fd_base
 * and up. */
static int restore_descriptors(struct restore *r, struct restored *p, struct err *e)
{
	struct tracee *t = &p->threads[0];
	uint64_t base = (uint64_t)r->fd_base;
	long n = close_all(t, 0, base - 1);

	for (size_t i = 0; n >= 0 && i < p->process->n_fd; i++) {
		const Cragon__Descriptor *fd = p->process->fd[i];

		n = tracee_call(t, SYS_dup3, base + fd->object, (uint64_t)fd->number,
			fd->cloexec ? O_CLOEXEC : 0);
	}
	if (n >= 0)
		n = close_all(t, base, ~0u);
	return must(p, e, n, "descriptors");
}

static int restore_links(struct restore *r, struct restored *p, struct err *e)
{
	for (size_t i = 0; i < r->meta->n_object; i++) {
		const Cragon__Object *object = r->meta->object[i];
		const struct kind *kind = kind_by_name(object->kind);
		int n;

		if (!kind->link || object->epoll->pid != p->process->pid)
			continue;
		n = kind->link(
			&p->threads[0], p->scratch + SCRATCH_DATA, object, object->epoll->fd, e);
		if (n < 0)
			return err_in(e, "process %d", p->process->pid);
	}
	return 0;
}

static long take_lock(struct restored *p, const Cragon__Lock *lock)
{
	struct flock range = {
		.l_type = lock->write ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)lock->start,
		.l_len = (off_t)lock->length,
	};

	if (lock->kind == CRAGON__LOCK__KIND__FLOCK)
		return tracee_call(&p->threads[0], SYS_flock, (uint64_t)lock->fd,
			(lock->write ? 2u /* LOCK_EX */ : 1u) | 4u /* LOCK_NB */);
	return tracee_call(&p->threads[0], SYS_fcntl, (uint64_t)lock->fd,
		lock->kind == CRAGON__LOCK__KIND__OFD ? (uint64_t)F_OFD_SETLK : (uint64_t)F_SETLK,
		put(p, &range, sizeof range));
}

static int restore_locks(struct restored *p, struct err *e)
{
	for (size_t i = 0; i < p->process->n_lock; i++) {
		long n = take_lock(p, p->process->lock[i]);

		if (n < 0)
			return err_set(e, (int)n, WHY_FILE_CHANGED,
				"process %d: the lock on its descriptor %d is held by somebody "
				"else now (%s); end that program, then restart",
				p->process->pid, p->process->lock[i]->fd, strerror((int)-n));
	}
	return 0;
}

static int restore_actions(struct restored *p, struct err *e)
{
	for (size_t i = 0; i < p->process->n_action; i++) {
		const Cragon__SignalAction *a = p->process->action[i];
		struct sys_sigaction kernel = {a->handler, a->flags, a->restorer, a->mask};
		int sig = (int)i + 1;
		long n;

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		n = tracee_call(&p->threads[0], SYS_rt_sigaction, (uint64_t)sig,
			put(p, &kernel, sizeof kernel), 0, 8);
		if (n < 0)
			return must(p, e, n, "signal handlers");
	}
	return 0;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC)};
}

static struct timeval to_timeval(uint64_t us)
{
	return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

static int restore_itimers(struct restored *p, struct err *e)
{
	for (size_t i = 0; i < p->process->n_itimer; i++) {
		const Cragon__IntervalTimer *timer = p->process->itimer[i];
		/* An expired timer read as 0 while its signal was pending; that comes
		 * back with the signals, and the interval goes on. */
		uint64_t value = timer->value_us ? timer->value_us : timer->interval_us;
		struct itimerval set = {to_timeval(timer->interval_us), to_timeval(value)};

		if (!value)
			continue;
		if (must(p, e,
			    tracee_call(
				    &p->threads[0], SYS_setitimer, i, put(p, &set, sizeof set), 0),
			    "interval timers") < 0)
			return e->code;
	}
	return 0;
}

/* A timer gets the id it had: asked for (kernel >= 6.15), or by making timers
 * until it comes up. */
static long create_timer(
	struct restored *p, const Cragon__PosixTimer *timer, bool choose, struct sigevent *event)
{
	struct tracee *t = &p->threads[0];
	struct {
		struct sigevent event;
		int32_t id;
	} block = {*event, choose ? timer->id : -1};

	for (int tries = 0; tries < 65536; tries++) {
		taddr at = put(p, &block, sizeof block);
		taddr id_at = at + offsetof(__typeof__(block), id);
		int32_t id = -1;
		long n = tracee_call(t, SYS_timer_create, (uint64_t)timer->clock, at, id_at);

		if (n < 0)
			return n;
		n = tracee_read(t->pid, id_at, &id, sizeof id);
		if (n < 0 || id == timer->id)
			return n;
		(void)tracee_call(t, SYS_timer_delete, (uint64_t)id);
		if (choose || id > timer->id)
			return -ERANGE;
	}
	return -ERANGE;
}

/* Today's id of the thread that a timer signals; 0 when it had ended. */
static pid_t timer_thread(const struct restore *r, struct restored *p, pid_t tid)
{
	for (size_t k = 0; !r->choose_ids && k < p->process->n_thread; k++)
		if (p->process->thread[k]->tid == tid)
			return (pid_t)tracee_call(&p->threads[k], SYS_gettid);
	return tid;
}

static int restore_timers(struct restore *r, struct restored *p, struct err *e)
{
	struct tracee *t = &p->threads[0];
	bool choose;

	if (!p->process->n_timer)
		return 0;
	choose = !sys_without("timer_ids") &&
		 tracee_call(t, SYS_prctl, SYS_PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0) == 0;
	for (size_t i = 0; i < p->process->n_timer; i++) {
		const Cragon__PosixTimer *timer = p->process->timer[i];
		struct itimerspec set = {
			to_timespec(timer->interval_ns), to_timespec(timer->value_ns)};
		struct sigevent event = {
			.sigev_value.sival_ptr = (void *)timer->value,
			.sigev_signo = timer->signal,
			.sigev_notify = timer->notify,
		};
		long n;

		if ((timer->notify & SIGEV_THREAD_ID) && timer->thread == 0)
			event.sigev_notify =
				SIGEV_NONE; /* its thread has ended: it signals nobody */
		else if (timer->notify & SIGEV_THREAD_ID)
			event._sigev_un._tid = timer_thread(r, p, timer->thread);
		n = create_timer(p, timer, choose, &event);
		if (n >= 0 && timer->value_ns)
			n = tracee_call(t, SYS_timer_settime, (uint64_t)timer->id, 0,
				put(p, &set, sizeof set), 0);
		if (n < 0)
			return must(p, e, n, "POSIX timers");
	}
	if (choose)
		(void)tracee_call(t, SYS_prctl, SYS_PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
	return 0;
}

static void remark(struct restore *r, struct restored *p, const char *text)
{
	buf_printf(&r->remarks, "process %d: %s\n", p->process->pid, text);
}

static int restore_flags(struct restore *r, struct restored *p, struct err *e)
{
	const Cragon__ProcessFlags *f = p->process->flags;
	struct tracee *t = &p->threads[0];
	char path[48], text[16];
	int fd;

	(void)tracee_call(t, SYS_personality, f->personality);
	(void)tracee_call(t, SYS_prctl, PR_SET_CHILD_SUBREAPER, f->child_subreaper);
	if (f->thp_disable)
		(void)tracee_call(t, SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", t->pid);
	snprintf(text, sizeof text, "%d", f->oom_score_adj);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (f->oom_score_adj && io_write(fd, text, strlen(text)) < 0)
			remark(r, p, "its oom_score_adj cannot be lowered without privilege");
		close(fd);
	}
	if (f->no_new_privs)
		return must(p, e, tracee_call(t, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
			"no_new_privs");
	return 0;
}

int restore_process_state(struct restore *r, struct restored *p, struct err *e)
{
	int n = restore_protect(p, e);

	if (n == 0)
		n = restore_mm(p, e);
	if (n == 0)
		n = restore_directories(p, e);
	if (n == 0)
		n = restore_descriptors(r, p, e);
	if (n == 0)
		n = restore_links(r, p, e);
	if (n == 0)
		n = restore_locks(p, e);
	if (n == 0)
		n = restore_actions(p, e);
	return n;
}

/* ---- threads -------------------------------------------------------------- */

static int make_thread(struct restore *r, struct restored *p, size_t i, struct err *e)
{
	const uint64_t flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	int n = restore_clone(r, &p->threads[0], p->scratch, flags, 0, p->process->thread[i]->tid,
		&p->threads[i], e);

	if (p->threads[i].state != TRACEE_NONE)
		p->n_threads = i + 1;
	return n < 0 ? err_in(e, "process %d", p->process->pid) : 0;
}

/* The C library remembers its thread's id where clear_child_tid points. */
static void patch_cached_id(struct restore *r, struct tracee *t, const Cragon__Thread *thread)
{
	int32_t cached = 0;

	if (r->choose_ids || !thread->clear_child_tid)
		return;
	if (tracee_read(t->pid, thread->clear_child_tid, &cached, sizeof cached) == 0 &&
		cached == thread->tid)
		(void)tracee_write(t->pid, thread->clear_child_tid, &t->tid, sizeof t->tid);
}

static int restore_pointers(
	struct restored *p, struct tracee *t, const Cragon__Thread *thread, struct err *e)
{
	stack_t alt = {
		.ss_sp = (void *)thread->altstack,
		.ss_size = thread->altstack_bytes,
		/* SS_AUTODISARM is bit 31; SS_ONSTACK is only ever reported. */
		.ss_flags = thread->altstack_flags & (int)(0x80000000u | SS_DISABLE),
	};
	char comm[16] = {0};
	long n = 0;

	if (thread->rseq)
		n = tracee_call(
			t, SYS_rseq, thread->rseq, thread->rseq_bytes, 0, thread->rseq_signature);
	if (n >= 0 && thread->robust_list)
		n = tracee_call(
			t, SYS_set_robust_list, thread->robust_list, thread->robust_list_bytes);
	if (n >= 0)
		n = tracee_call(t, SYS_set_tid_address, thread->clear_child_tid);
	if (n >= 0 && !(alt.ss_flags & SS_DISABLE))
		n = tracee_call(t, SYS_sigaltstack, put(p, &alt, sizeof alt), 0);
	if (n < 0)
		return must(p, e, n, "thread pointers (rseq, robust list, alternate stack)");
	snprintf(comm, sizeof comm, "%s", thread->comm);
	(void)tracee_call(t, SYS_prctl, PR_SET_NAME, put(p, comm, sizeof comm));
	if (thread->timer_slack_ns)
		(void)tracee_call(t, SYS_prctl, PR_SET_TIMERSLACK, thread->timer_slack_ns);
	return 0;
}

/* From outside; none of it is worth failing for. */
static void restore_scheduling(struct tracee *t, const Cragon__Thread *thread)
{
	struct sched_param param = {.sched_priority = thread->priority};

	if (thread->affinity.len)
		(void)syscall(
			SYS_sched_setaffinity, t->tid, thread->affinity.len, thread->affinity.data);
	(void)sched_setscheduler(t->tid, thread->policy, &param);
	(void)setpriority(PRIO_PROCESS, (id_t)t->tid, thread->nice);
	if (thread->io_priority)
		(void)syscall(SYS_ioprio_set, 1, t->tid, thread->io_priority);
}

/* Ids and capabilities, which Linux keeps per thread. */
static int restore_credentials(struct restored *p, struct tracee *t, struct err *e)
{
	const Cragon__Credentials *c = p->process->credentials;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct {
		struct __user_cap_header_struct header;
		struct __user_cap_data_struct data[2];
	} caps = {header, {{0}}};
	cleanup(proc_status_done) struct proc_status now = {0};
	long n = proc_status_task(t->pid, t->tid, &now);

	for (int i = 0; i < 2; i++) {
		caps.data[i].effective = (uint32_t)(c->cap_effective >> (32 * i));
		caps.data[i].permitted = (uint32_t)(c->cap_permitted >> (32 * i));
		caps.data[i].inheritable = (uint32_t)(c->cap_inheritable >> (32 * i));
	}
	if (n == 0 && (memcmp(now.uid, c->uid, sizeof now.uid) ||
			      memcmp(now.gid, c->gid, sizeof now.gid))) {
		n = tracee_call(t, SYS_setgroups, c->n_group,
			put(p, c->group, c->n_group * sizeof *c->group));
		if (n >= 0)
			n = tracee_call(t, SYS_setresgid, c->gid[0], c->gid[1], c->gid[2]);
		if (n >= 0)
			n = tracee_call(t, SYS_setresuid, c->uid[0], c->uid[1], c->uid[2]);
	}
	if (n >= 0 && now.cap_ambient != c->cap_ambient)
		n = tracee_call(t, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (n >= 0 &&
		(now.cap_permitted != c->cap_permitted || now.cap_effective != c->cap_effective ||
			now.cap_inheritable != c->cap_inheritable)) {
		taddr at = put(p, &caps, sizeof caps);

		n = tracee_call(t, SYS_capset, at, at + sizeof header);
	}
	return must(p, e, n, "user ids and capabilities");
}

int restore_threads(struct restore *r, struct restored *p, struct err *e)
{
	const Cragon__Process *q = p->process;
	int n = 0;

	for (size_t i = 1; n == 0 && i < q->n_thread; i++)
		n = make_thread(r, p, i, e);
	for (size_t i = 0; n == 0 && i < q->n_thread; i++) {
		n = restore_pointers(p, &p->threads[i], q->thread[i], e);
		if (n == 0)
			restore_scheduling(&p->threads[i], q->thread[i]);
	}
	if (n == 0)
		n = restore_flags(r, p, e);
	for (size_t i = 0; n == 0 && i < q->n_thread; i++) {
		patch_cached_id(r, &p->threads[i], q->thread[i]);
		n = restore_credentials(p, &p->threads[i], e);
	}
	/* Changing ids clears these two. */
	if (n == 0 && q->flags->parent_death_signal)
		(void)tracee_call(&p->threads[0], SYS_prctl, PR_SET_PDEATHSIG,
			(uint64_t)q->flags->parent_death_signal);
	if (n == 0)
		(void)tracee_call(
			&p->threads[0], SYS_prctl, PR_SET_DUMPABLE, q->flags->dumpable == 1);
	return n;
}

/* ---- signals and the last registers ----------------------------------------- */

/* What building the tree has left behind (SIGCHLD of helpers and zombies). */
static void flush_pending(struct restored *p)
{
	struct {
		uint64_t all;
		struct timespec none;
	} block = {~0ull, {0, 0}};

	for (int i = 0; i < 1000; i++) {
		taddr at = put(p, &block, sizeof block);

		if (tracee_call(&p->threads[0], SYS_rt_sigtimedwait, at, 0,
			    at + offsetof(__typeof__(block), none), 8) < 0)
			return;
	}
}

/* A process may send itself any siginfo. */
static int queue(struct restored *p, struct tracee *t, const ProtobufCBinaryData *info,
	uint64_t inner_tid, bool to_process)
{
	int32_t sig;
	long n;

	if (info->len != sizeof(siginfo_t))
		return -EINVAL;
	memcpy(&sig, info->data, sizeof sig);
	if (sig == SIGKILL || sig == SIGSTOP)
		return 0;
	if (to_process)
		n = tracee_call(t, SYS_rt_sigqueueinfo, (uint64_t)p->inner, (uint64_t)sig,
			put(p, info->data, info->len));
	else
		n = tracee_call(t, SYS_rt_tgsigqueueinfo, (uint64_t)p->inner, inner_tid,
			(uint64_t)sig, put(p, info->data, info->len));
	return n < 0 ? (int)n : 0;
}

static int queue_all(struct restored *p, struct err *e)
{
	const Cragon__Process *q = p->process;
	int n = 0;

	for (size_t i = 0; n == 0 && i < q->n_pending; i++)
		n = queue(p, &p->threads[0], &q->pending[i], 0, true);
	for (size_t k = 0; n == 0 && k < q->n_thread; k++) {
		long tid = tracee_call(&p->threads[k], SYS_gettid);

		for (size_t i = 0; n == 0 && i < q->thread[k]->n_pending; i++)
			n = queue(
				p, &p->threads[k], &q->thread[k]->pending[i], (uint64_t)tid, false);
	}
	return must(p, e, n, "pending signals");
}

/* From here on the thread only waits to be released with these registers. */
static int set_registers(
	struct restored *p, struct tracee *t, const Cragon__Thread *thread, struct err *e)
{
	int n;

	if (thread->registers.len != sizeof t->regs)
		return err_set(e, -EINVAL, WHY_BAD_IMAGE, "registers of another size");
	n = tracee_set_xstate(t, thread->xstate.data, thread->xstate.len);
	if (n < 0)
		return err_set(e, n, WHY_UNSUPPORTED,
			"process %d: this processor cannot hold its vector registers (%s); resume "
			"on a machine like the first",
			p->process->pid, strerror(-n));
	memcpy(&t->regs, thread->registers.data, sizeof t->regs);
	n = blocked_fix(&t->regs, t->pid, thread->blocked_ns, false, true);
	t->mask = thread->signal_mask;
	t->masked = t->touched = true;
	return must(p, e, n, "blocked system calls");
}

int restore_signals(struct restore *r, struct restored *p, struct err *e)
{
	const Cragon__Process *q = p->process;
	int n;

	flush_pending(p);
	n = restore_itimers(p, e);
	if (n == 0)
		n = restore_timers(r, p, e);
	if (n == 0)
		n = queue_all(p, e);
	if (n == 0)
		restore_limits(r, p);
	if (n == 0)
		n = must(p, e, tracee_call(&p->threads[0], SYS_munmap, p->scratch, SCRATCH_BYTES),
			"memory");
	for (size_t i = 0; n == 0 && i < q->n_thread; i++)
		n = set_registers(p, &p->threads[i], q->thread[i], e);
	if (n == 0 && q->state == CRAGON__PROCESS__STATE__STOPPED)
		p->threads[0].deferred = SIGSTOP;
	return n;
}

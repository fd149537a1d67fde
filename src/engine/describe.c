/*
 * What can be read about a frozen job without making it do anything: see
 * dump.h. Obstacles are found here, all of them, before anything is changed.
 */
#include "engine/dump.h"
#include "sys/calls.h"
#include "tracee/arch.h"
#include "base/io.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

void dump_obstacle(struct dump *d, const struct dump_process *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(&d->obstacles, "process %d (%s): %s\n", p->process->pid,
		p->process->comm ? p->process->comm : "?", text);
}

char *dump_string(struct dump *d, const char *s)
{
	return arena_strdup(&d->arena, s);
}

static char *link_string(struct dump *d, pid_t pid, const char *name)
{
	cleanup_buf struct buf link = {0};

	return proc_link(pid, name, &link) < 0 ? NULL : dump_string(d, link.data);
}

static int describe_machine(struct dump *d)
{
	Cragon__Machine *m = dump_new(d, Machine);
	Cragon__Clock *c = dump_new(d, Clock);
	struct utsname uts;

	if (!m || !c || uname(&uts) < 0)
		return -ENOMEM;
	cragon__machine__init(m);
	cragon__clock__init(c);
	m->kernel = dump_string(d, uts.release);
	m->hostname = dump_string(d, uts.nodename);
	m->architecture = dump_string(d, uts.machine);
	m->page_bytes = CRAGON_PAGE_BYTES;
	c->realtime_ns = now_real_ns();
	d->image.machine = m;
	d->image.clock = c;
	return m->kernel && m->hostname && m->architecture ? 0 : -ENOMEM;
}

static bool is_alive(const struct dump *d, pid_t pid)
{
	for (size_t i = 0; i < d->frozen.n; i++)
		if (d->frozen.processes[i].pid == pid)
			return d->frozen.processes[i].n_threads > 0;
	return false;
}

static int describe_tree(struct dump *d)
{
	cleanup(proc_status_done) struct proc_status reaper = {0}, root = {0};
	Cragon__Tree *t = dump_new(d, Tree);
	int r = proc_status(d->job->reaper.pid, &reaper);

	if (!t)
		return -ENOMEM;
	if (r < 0)
		return r;
	cragon__tree__init(t);
	d->reaper_inner = reaper.ns_pid;
	t->pids = d->job->reaper.has_pid_namespace ? CRAGON__TREE__NAMESPACE__OWN
						   : CRAGON__TREE__NAMESPACE__NONE;
	t->reaper_pid = reaper.ns_pid;
	/* An image whose COMMAND has ended, but not been heard of, would wait for it
	 * for ever. */
	if (job_root_pid(d->job) && !is_alive(d, job_root_pid(d->job)))
		return -ECHILD;
	if (job_root_pid(d->job) && proc_status(job_root_pid(d->job), &root) == 0)
		t->root_pid = root.ns_pid;
	d->image.tree = t;
	return dump_limits(d, d->job->reaper.pid, &t->outside_limit, &t->n_outside_limit);
}

static int describe_credentials(struct dump *d, const struct proc_status *s, Cragon__Process *p)
{
	Cragon__Credentials *c = dump_new(d, Credentials);

	if (!c)
		return -ENOMEM;
	cragon__credentials__init(c);
	c->n_uid = c->n_gid = 4;
	c->uid = arena_memdup(&d->arena, s->uid, sizeof s->uid);
	c->gid = arena_memdup(&d->arena, s->gid, sizeof s->gid);
	c->n_group = s->n_groups;
	c->group = arena_memdup(&d->arena, s->groups, s->n_groups * sizeof *s->groups);
	c->cap_effective = s->cap_effective;
	c->cap_permitted = s->cap_permitted;
	c->cap_inheritable = s->cap_inheritable;
	c->cap_bounding = s->cap_bounding;
	c->cap_ambient = s->cap_ambient;
	p->credentials = c;
	return c->uid && c->gid && c->group ? 0 : -ENOMEM;
}

static long number_in(pid_t pid, const char *name, int base, long fallback)
{
	cleanup_buf struct buf text = {0};
	char *end;
	long n;

	if (proc_read(pid, name, &text) < 0)
		return fallback;
	n = strtol(text.data, &end, base);
	return end == text.data ? fallback : n;
}

static int describe_flags(struct dump *d, const struct proc_status *s, struct dump_process *p)
{
	Cragon__ProcessFlags *f = dump_new(d, ProcessFlags);
	pid_t pid = p->frozen->pid;

	if (!f)
		return -ENOMEM;
	cragon__process_flags__init(f);
	f->no_new_privs = s->no_new_privs;
	f->personality = (uint32_t)number_in(pid, "personality", 16, 0);
	f->oom_score_adj = (int32_t)number_in(pid, "oom_score_adj", 10, 0);
	p->process->flags = f;
	return 0;
}

static int describe_mm(struct dump *d, const struct proc_stat *s, struct dump_process *p)
{
	cleanup_buf struct buf auxv = {0};
	Cragon__Mm *mm = dump_new(d, Mm);
	int r = proc_read(p->frozen->pid, "auxv", &auxv);

	if (!mm)
		return -ENOMEM;
	if (r < 0)
		return r;
	cragon__mm__init(mm);
	mm->start_code = s->start_code;
	mm->end_code = s->end_code;
	mm->start_data = s->start_data;
	mm->end_data = s->end_data;
	mm->start_brk = s->start_brk;
	mm->start_stack = s->start_stack;
	mm->arg_start = s->arg_start;
	mm->arg_end = s->arg_end;
	mm->env_start = s->env_start;
	mm->env_end = s->env_end;
	mm->auxv.len = auxv.len;
	mm->auxv.data = arena_memdup(&d->arena, auxv.data, auxv.len);
	p->process->mm = mm;
	return mm->auxv.data ? 0 : -ENOMEM;
}

/* Namespaces of its own, memory shared with another process…: cannot be kept. */
static void check_sharing(struct dump *d, struct dump_process *p)
{
	static const char *const spaces[] = {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"};
	static const struct {
		int type;
		const char *what;
	} shared[] = {
		{SYS_KCMP_VM, "memory"},
		{SYS_KCMP_FILES, "descriptor table"},
		{SYS_KCMP_FS, "working directory"},
		{SYS_KCMP_SIGHAND, "signal handlers"},
	};
	pid_t pid = p->frozen->pid, first = d->processes[0].frozen->pid;

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		cleanup_buf struct buf mine = {0}, reference = {0};
		char name[16];

		snprintf(name, sizeof name, "ns/%s", spaces[i]);
		if (proc_link(pid, name, &mine) == 0 && proc_link(first, name, &reference) == 0 &&
			strcmp(mine.data, reference.data) != 0)
			dump_obstacle(d, p, "it lives in a %s namespace of its own: not supported",
				spaces[i]);
	}
	for (size_t i = 0; p->frozen->ppid != d->job->reaper.pid && i < ARRAY_LEN(shared); i++)
		if (sys_kcmp(pid, p->frozen->ppid, shared[i].type, 0, 0) == 0)
			dump_obstacle(d, p, "it shares its %s with its parent: not supported",
				shared[i].what);
	for (size_t i = 1; i < p->frozen->n_threads; i++) {
		pid_t tid = p->frozen->threads[i].tracee.tid;

		if (sys_kcmp(pid, tid, SYS_KCMP_FILES, 0, 0) > 0 ||
			sys_kcmp(pid, tid, SYS_KCMP_FS, 0, 0) > 0)
			dump_obstacle(d, p,
				"thread %d has files or a directory of its own: not "
				"supported",
				tid);
	}
}

static void check_process(struct dump *d, struct dump_process *p, const struct proc_status *s)
{
	cleanup(proc_status_done) struct proc_status own = {0};
	size_t len = p->process->exe ? strlen(p->process->exe) : 0;

	for (size_t i = 0; i < p->frozen->n_threads; i++)
		if (arch_is_compat(&p->frozen->threads[i].tracee.regs)) {
			dump_obstacle(d, p, "it is a 32-bit program: not supported");
			break;
		}
	if (!p->process->exe)
		dump_obstacle(d, p, "its executable cannot be read");
	else if (len > 10 && strcmp(p->process->exe + len - 10, " (deleted)") == 0)
		dump_obstacle(d, p, "its executable %.*s was deleted or replaced while it ran",
			(int)len - 10, p->process->exe);
	if (p->frozen->threads[0].tracee.tid != p->frozen->pid)
		dump_obstacle(d, p, "its main thread has ended while others run: not supported");
	if (s->seccomp && (proc_status(getpid(), &own) < 0 || own.seccomp != s->seccomp ||
				  own.seccomp_filters != s->seccomp_filters))
		dump_obstacle(d, p, "it has put itself under a seccomp filter: not supported");
	check_sharing(d, p);
}

static int exe_identity(struct dump *d, Cragon__Process *process)
{
	struct stat st;

	if (!process->exe || stat(process->exe, &st) < 0)
		return 0; /* an obstacle by now */
	process->exe_identity = file_identity(&d->arena, &st);
	return process->exe_identity ? 0 : -ENOMEM;
}

static int describe_live(struct dump *d, struct dump_process *p, const struct proc_stat *stat,
	const struct proc_status *status, struct err *e)
{
	Cragon__Process *process = p->process;
	cleanup_buf struct buf text = {0};
	pid_t pid = p->frozen->pid;
	int r;

	process->exe = link_string(d, pid, "exe");
	process->cwd = link_string(d, pid, "cwd");
	process->root = link_string(d, pid, "root");
	process->umask = status->umask;
	if (!process->cwd || !process->root) {
		dump_obstacle(d, p, "its working or root directory has no name that can be read");
		return 0;
	}
	if (strlen(process->cwd) > 10 && access(process->cwd, F_OK) < 0)
		dump_obstacle(d, p, "its working directory %s no longer exists", process->cwd);
	if (proc_read(pid, "cmdline", &text) == 0) {
		for (size_t i = 0; i + 1 < text.len; i++)
			if (!text.data[i])
				text.data[i] = ' ';
		process->cmdline = dump_string(d, text.data ? text.data : "");
	}
	r = exe_identity(d, process);
	if (r == 0)
		r = describe_credentials(d, status, process);
	if (r == 0)
		r = describe_flags(d, status, p);
	if (r == 0)
		r = dump_limits(d, p->frozen->pid, &p->process->limit, &p->process->n_limit);
	if (r == 0)
		r = describe_mm(d, stat, p);
	if (r < 0)
		return err_sys(e, r, "cannot describe process %d", process->pid);
	check_process(d, p, status);
	return dump_vmas(d, p, e);
}

static pid_t inner_parent(const struct dump *d, pid_t ppid)
{
	if (ppid == d->job->reaper.pid)
		return d->reaper_inner;
	for (size_t i = 0; i < d->frozen.n; i++)
		if (d->processes[i].frozen->pid == ppid)
			return d->processes[i].process->pid;
	return d->reaper_inner;
}

/* 0 stands for cragon's own group or session, which the job started in. */
static void describe_groups(struct dump *d, const struct proc_stat *stat,
	const struct proc_status *status, Cragon__Process *process)
{
	bool own = d->job->reaper.has_pid_namespace;

	process->pgid = own ? status->ns_pgid : stat->pgid == getpgrp() ? 0 : stat->pgid;
	process->sid = own ? status->ns_sid : stat->sid == getsid(0) ? 0 : stat->sid;
}

static int describe_process(struct dump *d, struct dump_process *p, struct err *e)
{
	cleanup(proc_status_done) struct proc_status status = {0};
	cleanup_buf struct buf text = {0};
	Cragon__Process *process = p->process;
	struct proc_stat stat;
	int r = proc_stat(p->frozen->pid, &stat);

	if (r == 0)
		r = proc_read(p->frozen->pid, "status", &text);
	if (r == 0)
		r = proc_parse_status(text.data, &status);
	if (r < 0)
		return err_sys(e, r, "cannot read about process %d", p->frozen->pid);
	process->pid = status.ns_pid;
	process->parent = inner_parent(d, p->frozen->ppid);
	process->comm = dump_string(d, stat.comm);
	process->exit_signal = stat.exit_signal;
	describe_groups(d, &stat, &status, process);
	if (proc_field(text.data, "SigCgt"))
		p->caught = strtoull(proc_field(text.data, "SigCgt"), NULL, 16);
	if (proc_field(text.data, "SigIgn"))
		p->ignored = strtoull(proc_field(text.data, "SigIgn"), NULL, 16);
	if (p->frozen->zombie) {
		process->state = CRAGON__PROCESS__STATE__ZOMBIE;
		process->exit_status = stat.exit_code;
		return 0;
	}
	if (p->frozen->threads[0].tracee.group_stopped)
		process->state = CRAGON__PROCESS__STATE__STOPPED;
	return describe_live(d, p, &stat, &status, e);
}

static int describe_files(struct dump *d, struct err *e)
{
	struct files_dump files = {
		.arena = &d->arena, .image = &d->image, .jobdir = d->how ? d->how->jobdir : NULL};
	size_t n = 0;

	for (size_t i = 0; i < d->frozen.n; i++)
		if (!d->frozen.processes[i].zombie)
			d->files[n++] = (struct files_process){
				.pid = d->processes[i].frozen->pid,
				.vpid = d->processes[i].process->pid,
				.comm = d->processes[i].process->comm,
				.process = d->processes[i].process,
			};
	return files_collect(&files, d->files, n, &d->obstacles, e);
}

int dump_describe(struct dump *d, struct err *e)
{
	int r = describe_machine(d);

	if (r == 0)
		r = describe_tree(d);
	if (r == -ECHILD)
		return err_set(e, -ESRCH, WHY_TRACEE_DIED, "the command has just ended");
	if (r < 0)
		return err_sys(e, r, "cannot describe the job");
	d->processes = calloc(d->frozen.n + 1, sizeof *d->processes);
	d->files = calloc(d->frozen.n + 1, sizeof *d->files);
	if (!d->processes || !d->files)
		return err_sys(e, -ENOMEM, "describing the job");
	for (size_t i = 0; i < d->frozen.n; i++) {
		Cragon__Process *process = dump_new(d, Process);

		if (!process || arena_push(&d->arena, (void ***)&d->image.process,
					&d->image.n_process, process) < 0)
			return err_sys(e, -ENOMEM, "describing the job");
		cragon__process__init(process);
		d->processes[i].frozen = &d->frozen.processes[i];
		d->processes[i].process = process;
	}
	for (size_t i = 0; i < d->frozen.n; i++) {
		r = describe_process(d, &d->processes[i], e);
		if (r < 0)
			return r;
	}
	r = describe_files(d, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < d->frozen.n; i++)
		if (d->processes[i].process->mm)
			d->processes[i].process->mm->space = (uint32_t)(d->image.n_shared + i);
	return arena_failed(&d->arena) || buf_error(&d->obstacles)
		       ? err_sys(e, -ENOMEM, "describing the job")
		       : 0;
}

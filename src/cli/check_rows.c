/*
 * What this machine lets Cragon do, in a user's words: one table row per
 * probe of tracee/features.c, and some that need more than a yes or no.
 */
#include "cli/check_rows.h"
#include "base/defs.h"
#include "tracee/features.h"

#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#define FEW_FILES 256
#define FEW_PROCESSES 256
#define LITTLE_SPACE (1024 * MIB)

const char *check_state_name(enum check_state state)
{
	switch (state) {
	case CHECK_OK:
		return "ok";
	case CHECK_LIMITED:
		return "limited";
	case CHECK_MISSING:
		return "missing";
	case CHECK_FAILED:
		return "failed";
	}
	return "unknown";
}

void check_add(struct check *c, const char *name, enum check_state state, const char *means,
	const char *remedy)
{
	struct check_row *row = &c->row[c->n];

	if (c->n == CHECK_ROWS_MAX)
		return;
	c->n++;
	row->state = state;
	snprintf(row->name, sizeof row->name, "%s", name);
	snprintf(row->means, sizeof row->means, "%s", means);
	snprintf(row->remedy, sizeof row->remedy, "%s", remedy && state != CHECK_OK ? remedy : "");
}

struct probe_row {
	size_t result; /* offset of an int in struct features: 0 or -errno */
	const char *name;
	enum check_state without;
	const char *with_it, *without_it, *remedy;
};

#define RESULT(field) offsetof(struct features, field)

static const struct probe_row probe_rows[] = {
	{RESULT(ptrace), "ptrace of one's own children", CHECK_MISSING,
		"jobs can be held and looked into",
		"no checkpoint is possible: the kernel or a container's seccomp filter forbids it",
		"in a container, ask for CAP_SYS_PTRACE or a profile that allows ptrace"},
	{RESULT(vm_readv), "process_vm_readv", CHECK_MISSING, "memory can be read",
		"no checkpoint is possible: a job's memory cannot be read",
		"in a container, ask for a seccomp profile that allows process_vm_readv"},
	{RESULT(kcmp), "kcmp", CHECK_LIMITED, "shared files are told from separate ones",
		"files that processes share cannot be told from files opened twice",
		"in a container, ask for a seccomp profile that allows kcmp"},
	{RESULT(pidfd_getfd), "pidfd_getfd", CHECK_LIMITED, "every kind of descriptor can be read",
		"jobs with pipes or epoll may be refused; an eventfd semaphore becomes a counter",
		"a kernel from 5.6 on has it"},
	{RESULT(user_namespace), "user namespaces", CHECK_LIMITED,
		"process ids can be kept without privilege",
		"resumed jobs get new process ids; most programs do not mind",
		"an administrator can allow them (user.max_user_namespaces, "
		"kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"},
	{RESULT(pid_namespace), "PID namespace", CHECK_LIMITED, "jobs keep their process ids",
		"resumed jobs get new process ids; most programs do not mind",
		"an administrator can allow them (user.max_pid_namespaces)"},
	{RESULT(own_proc), "/proc of its own", CHECK_LIMITED, "jobs see their own ids in /proc",
		"no PID namespace is used, and resumed jobs get new process ids",
		"containers mask parts of /proc; start cragon outside of the container"},
	{RESULT(set_tid), "chosen process ids", CHECK_LIMITED, "a resume gives the same ids",
		"resumed jobs get new process ids", "a kernel from 5.5 on has clone3 with set_tid"},
	{RESULT(time_namespace), "time namespace", CHECK_LIMITED,
		"CLOCK_MONOTONIC goes on where it stood, on any machine",
		"CLOCK_MONOTONIC may jump at a resume after a reboot or on another machine",
		"a kernel from 5.6 on with CONFIG_TIME_NS has it"},
	{RESULT(pagemap_scan), "PAGEMAP_SCAN", CHECK_LIMITED, "used memory is found quickly",
		"used memory is found page by page, which takes longer",
		"a kernel from 6.7 on has it"},
	{RESULT(sched_times), "sleep times in /proc/PID/sched", CHECK_LIMITED,
		"sleeps and time-outs go on with what was left of them",
		"a relative sleep or time-out that a checkpoint cuts begins anew at the resume",
		"the kernel needs CONFIG_SCHED_DEBUG"},
	{RESULT(rseq), "restartable sequences", CHECK_LIMITED, "their state is kept",
		"programs with a glibc from 2.35 on cannot be checkpointed completely",
		"a kernel from 5.13 on tells their state"},
};

static void add_probes(struct check *c, const struct features *f)
{
	for (size_t i = 0; i < ARRAY_LEN(probe_rows); i++) {
		const struct probe_row *p = &probe_rows[i];
		int result;
		char text[600];

		memcpy(&result, (const char *)f + p->result, sizeof result);
		if (result >= 0) {
			check_add(c, p->name, CHECK_OK, p->with_it, NULL);
			continue;
		}
		snprintf(text, sizeof text, "%s (%s)", p->without_it, strerror(-result));
		check_add(c, p->name, p->without, text, p->remedy);
	}
}

static void add_kernel(struct check *c)
{
	struct utsname names = {0};
	char text[200];
	bool known;

	uname(&names);
	known = !strcmp(names.machine, "x86_64");
	snprintf(text, sizeof text, "Linux %.60s on %.60s", names.release, names.machine);
	check_add(c, "kernel", known ? CHECK_OK : CHECK_MISSING, text,
		"Cragon's engine knows x86-64 only");
}

static void add_yama(struct check *c, const struct features *f)
{
	static const char remedy[] = "an administrator can set kernel.yama.ptrace_scope to 1";

	switch (f->yama_scope) {
	case 2:
		check_add(c, "Yama ptrace scope",
			f->user_namespace < 0 ? CHECK_MISSING : CHECK_LIMITED,
			"2: only jobs in a user namespace of their own can be checkpointed",
			remedy);
		return;
	case 3:
		check_add(
			c, "Yama ptrace scope", CHECK_MISSING, "3: nobody may use ptrace", remedy);
		return;
	case -1:
		check_add(c, "Yama ptrace scope", CHECK_OK, "no Yama", NULL);
		return;
	default:
		check_add(c, "Yama ptrace scope", CHECK_OK,
			f->yama_scope ? "1: one's own children may be traced" : "0: no restriction",
			NULL);
	}
}

static void add_overcommit(struct check *c, const struct features *f)
{
	if (f->overcommit == 2)
		check_add(c, "memory overcommit", CHECK_LIMITED,
			"2: memory is promised strictly, a resume of a large job may be refused",
			"an administrator can set vm.overcommit_memory to 0");
	else
		check_add(
			c, "memory overcommit", CHECK_OK, "memory is not promised strictly", NULL);
}

static void add_limit(struct check *c, int which, const char *name, rlim_t few, const char *means,
	const char *remedy)
{
	struct rlimit limit;
	char text[200];

	if (getrlimit((__rlimit_resource_t)which, &limit) < 0)
		return;
	if (limit.rlim_max == RLIM_INFINITY)
		snprintf(text, sizeof text, "no limit");
	else
		snprintf(text, sizeof text, "%llu%s%s", (unsigned long long)limit.rlim_max,
			limit.rlim_max < few ? ": " : "", limit.rlim_max < few ? means : "");
	check_add(c, name, limit.rlim_max < few ? CHECK_LIMITED : CHECK_OK, text, remedy);
}

static void add_space(struct check *c)
{
	struct statvfs fs;
	uint64_t free_bytes;
	char text[200];

	if (statvfs(".", &fs) < 0) {
		check_add(c, "free space here", CHECK_LIMITED, "cannot be told", "");
		return;
	}
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY)
		check_add(c, "free space here", CHECK_LIMITED, "this file system is read-only",
			"choose a job directory with -w DIR");
	else {
		snprintf(
			text, sizeof text, "%.1f GiB", (double)free_bytes / (1024.0 * (double)MIB));
		check_add(c, "free space here",
			free_bytes < LITTLE_SPACE ? CHECK_LIMITED : CHECK_OK, text,
			"choose a job directory with more space with -w DIR");
	}
}

void check_machine(struct check *c)
{
	struct features f;

	features_probe(&f);
	add_kernel(c);
	add_yama(c, &f);
	add_probes(c, &f);
	add_overcommit(c, &f);
	add_limit(c, RLIMIT_NPROC, "processes (ulimit -u)", FEW_PROCESSES,
		"jobs with many threads may not be resumed", "raise ulimit -u");
	add_limit(c, RLIMIT_NOFILE, "open files (ulimit -Hn)", FEW_FILES,
		"jobs with many open files cannot be checkpointed", "raise ulimit -Hn");
	add_space(c);
}

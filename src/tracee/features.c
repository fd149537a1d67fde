/*
 * What this kernel lets us do: see features.h.
 *
 * ptrace is tried on a child of its own that does nothing, to learn whether the kernel and its security modules
 * allow it at all (Yama, seccomp filters of containers, LSM policies).
 */
#include "tracee/features.h"
#include "base/io.h"
#include "sys/calls.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define CHOSEN_TID 4242
#define PTRACE_RSEQ_CONFIGURATION 0x420f /* kernel >= 5.13 */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int failed(long r)
{
	return r < 0 ? -errno : 0;
}

static int read_number(const char *path)
{
	cleanup_buf struct buf text = {0};

	if (io_slurp_at(AT_FDCWD, path, &text, 4096) < 0 || !text.len)
		return -1;
	return atoi(text.data);
}

/* ---- a child to look at ----------------------------------------------------- */

static int probe_ptrace(pid_t child, struct features *f)
{
	struct user_regs_struct regs;
	struct iovec regs_to = {&regs, sizeof regs};
	char rseq[64];
	int status, r;

	if (ptrace(PTRACE_SEIZE, child, NULL, NULL) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, child, NULL, NULL) < 0)
		return -errno;
	if (waitpid(child, &status, __WALL) < 0)
		return -errno;
	if (!WIFSTOPPED(status))
		return -ECHILD;
	r = failed(ptrace(PTRACE_GETREGSET, child, (void *)1 /* NT_PRSTATUS */, &regs_to));
	f->rseq = failed(ptrace((enum __ptrace_request)PTRACE_RSEQ_CONFIGURATION, child,
		(void *)sizeof rseq, rseq));
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	return r;
}

static int probe_vm_readv(pid_t child)
{
	static const char there[] = "cragon";
	char here[sizeof there];
	struct iovec to = {here, sizeof here}, from = {(void *)(uintptr_t)there, sizeof there};
	ssize_t n = process_vm_readv(child, &to, 1, &from, 1, 0);

	if (n < 0)
		return -errno;
	return n == sizeof there && !memcmp(here, there, sizeof there) ? 0 : -EIO;
}

static int probe_pidfd(pid_t child)
{
	cleanup_fd int pidfd = sys_pidfd_open(child), copy = -1;

	if (pidfd < 0)
		return pidfd;
	copy = sys_pidfd_getfd(pidfd, STDERR_FILENO);
	/* Descriptor 2 may be closed; EBADF was answered by a working call. */
	return copy < 0 && copy != -EBADF ? copy : 0;
}

static void probe_child(struct features *f)
{
	pid_t child = fork();
	uint64_t ns;
	int r;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (child < 0) {
		f->ptrace = f->rseq = f->vm_readv = f->kcmp = f->pidfd_getfd = f->sched_times =
			-errno;
		return;
	}
	f->rseq = -ENOTSUP;
	f->ptrace = probe_ptrace(child, f);
	f->vm_readv = probe_vm_readv(child);
	r = sys_kcmp(getpid(), child, SYS_KCMP_VM, 0, 0);
	f->kcmp = r < 0 ? r : 0;
	f->pidfd_getfd = probe_pidfd(child);
	f->sched_times = proc_sched_ns(child, child, &ns);
	kill(child, SIGKILL);
	waitpid(child, NULL, __WALL);
}

/* ---- namespaces --------------------------------------------------------------- */

static int write_file(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write(fd, text, strlen(text));
}

static int map_self(uid_t uid, gid_t gid)
{
	char text[64];
	int r = write_file("/proc/self/setgroups", "deny");

	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(text, sizeof text, "%u %u 1", (unsigned)uid, (unsigned)uid);
	r = write_file("/proc/self/uid_map", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof text, "%u %u 1", (unsigned)gid, (unsigned)gid);
	return write_file("/proc/self/gid_map", text);
}

static int probe_set_tid(void)
{
	pid_t chosen = CHOSEN_TID;
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&chosen, .set_tid_size = 1};
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	waitpid((pid_t)pid, NULL, 0);
	return pid == CHOSEN_TID ? 0 : -EIO;
}

static int probe_time(void)
{
	if (unshare(CLONE_NEWTIME) < 0)
		return -errno;
	return write_file("/proc/self/timens_offsets", "monotonic 1000 0\nboottime 1000 0\n");
}

static int probe_proc(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	return failed(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

/* In a child inside its new namespaces; `f` is shared with the parent. */
static void look_around(struct features *f, uint64_t flags, uid_t uid, gid_t gid)
{
	f->user_namespace = map_self(uid, gid);
	if (f->user_namespace < 0 || !(flags & CLONE_NEWPID))
		return;
	f->pid_namespace = 0;
	f->own_proc = probe_proc();
	f->set_tid = probe_set_tid();
	f->time_namespace = probe_time();
}

static int in_namespaces(struct features *shared, uint64_t flags)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int status;
	pid_t pid = sys_fork(flags);

	if (pid == 0) {
		look_around(shared, flags, uid, gid);
		_exit(0);
	}
	if (pid < 0)
		return pid;
	if (waitpid(pid, &status, __WALL) < 0)
		return -errno;
	return WIFEXITED(status) ? 0 : -EIO;
}

static void probe_namespaces(struct features *f)
{
	struct features *shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	f->user_namespace = f->pid_namespace = f->own_proc = f->set_tid = f->time_namespace =
		-ENOTSUP;
	if (shared == MAP_FAILED)
		return;
	*shared = *f;
	r = in_namespaces(shared, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS);
	if (r < 0) {
		shared->pid_namespace = r;
		r = in_namespaces(shared, CLONE_NEWUSER);
		if (r < 0)
			shared->user_namespace = r;
	}
	f->user_namespace = shared->user_namespace;
	f->pid_namespace = shared->pid_namespace;
	f->own_proc = shared->own_proc;
	f->set_tid = shared->set_tid;
	f->time_namespace = shared->time_namespace;
	munmap(shared, sizeof *shared);
}

/* ---- ourselves ------------------------------------------------------------------ */

static int probe_pagemap(void)
{
	cleanup_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char page[2 * CRAGON_PAGE_BYTES];
	uint64_t start = ((uint64_t)(uintptr_t)page + CRAGON_PAGE_BYTES - 1) &
			 ~(uint64_t)(CRAGON_PAGE_BYTES - 1);
	struct sys_page_region region;
	struct sys_pm_scan_arg arg = {.size = sizeof arg,
		.start = start,
		.end = start + CRAGON_PAGE_BYTES,
		.vec = (uint64_t)(uintptr_t)&region,
		.vec_len = 1,
		.category_anyof_mask = SYS_PAGE_IS_PRESENT | SYS_PAGE_IS_SWAPPED,
		.return_mask = SYS_PAGE_IS_PRESENT};

	if (fd < 0)
		return -errno;
	page[CRAGON_PAGE_BYTES] = 1;
	return failed(ioctl(fd, SYS_PAGEMAP_SCAN, &arg));
}

void features_probe(struct features *ret)
{
	*ret = (struct features){0};
	probe_child(ret);
	probe_namespaces(ret);
	ret->pagemap_scan = probe_pagemap();
	ret->yama_scope = read_number("/proc/sys/kernel/yama/ptrace_scope");
	ret->overcommit = read_number("/proc/sys/vm/overcommit_memory");
}

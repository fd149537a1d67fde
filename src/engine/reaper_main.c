/*
 * Inside the reaper: see reaper.h. Runs in a forked copy of cragon, so it only
 * makes system calls and never returns.
 *
 * Facts: PID 1 of a namespace gets no signal it has no handler for, except
 * SIGKILL and SIGSTOP from outside (pid_namespaces(7)). unshare(CLONE_NEWTIME)
 * concerns children; the offsets can be written until the first one exists
 * (time_namespaces(7)). Ambient capabilities survive the execve of an ordinary
 * user's program, which the restore needs for choosing ids (capabilities(7)).
 */
#include "engine/reaper.h"
#include "sys/calls.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>

static void tell(const struct reaper_birth *b, enum reaper_event_kind kind, int value)
{
	struct reaper_event event = {.kind = kind, .value = value};

	if (io_write(b->events, &event, sizeof event) < 0)
		_exit(1); /* cragon is gone */
}

static struct reaper_order next_order(const struct reaper_birth *b)
{
	struct reaper_order order;
	ssize_t n;

	do
		n = read(b->control, &order, sizeof order);
	while (n < 0 && errno == EINTR);
	if (n != sizeof order)
		_exit(1);
	return order;
}

/* Without a namespace nobody does this for us when cragon is killed. */
static void kill_all_descendants(void)
{
	for (;;) {
		cleanup_free pid_t *children = NULL;
		int n = proc_children(getpid(), &children);

		for (int i = 0; i < n; i++)
			kill(children[i], SIGKILL);
		/* Grandchildren become our children as their parents end. */
		if (n <= 0 || (waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD))
			return;
	}
}

/* Sent by the kernel when cragon ends; by then our parent is another. A copy
 * that somebody sends to the whole process group changes nothing. */
#define CRAGON_DIED (SIGRTMAX - 2)

static void on_cragon_death(int sig, siginfo_t *info, void *context)
{
	if (info->si_pid == getppid())
		return;
	kill_all_descendants();
	_exit(1);
}

static int die_with_cragon(const struct reaper_birth *b)
{
	struct sigaction action = {.sa_sigaction = on_cragon_death, .sa_flags = SA_SIGINFO};

	if (b->pid_namespace)
		return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
	if (sigaction(CRAGON_DIED, &action, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
		prctl(PR_SET_PDEATHSIG, CRAGON_DIED) < 0)
		return -errno;
	return getppid() == b->cragon ? 0 : -ESRCH;
}

/* New mounts of the host still arrive (slave), ours stay ours. */
static int own_proc(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return 0;
}

static void keep_capabilities_over_exec(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return;
	for (int i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return;
	for (int cap = 0; cap <= 63; cap++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

static int64_t clock_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * (int64_t)NS_PER_SEC + t.tv_nsec;
}

static size_t format_offset(char *out, size_t size, const char *clock, int64_t offset_ns)
{
	int64_t sec = offset_ns / (int64_t)NS_PER_SEC, ns = offset_ns % (int64_t)NS_PER_SEC;

	if (ns < 0) {
		ns += (int64_t)NS_PER_SEC;
		sec--;
	}
	return (size_t)snprintf(out, size, "%s %lld %lld\n", clock, (long long)sec, (long long)ns);
}

/* Clocks go on where they stood. true when they do. */
static bool set_clocks(const struct reaper_options *o)
{
	cleanup_fd int fd = -1;
	char text[128];
	size_t n;

	if (sys_without("timens") || unshare(CLONE_NEWTIME) < 0)
		return false;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = format_offset(text, sizeof text, "monotonic",
		o->monotonic_ns - clock_now(CLOCK_MONOTONIC));
	n += format_offset(text + n, sizeof text - n, "boottime",
		o->boottime_ns - clock_now(CLOCK_BOOTTIME));
	return io_write(fd, text, n) == 0;
}

/* The job's descriptors at their agreed numbers, inherited across execve. */
static int place_descriptors(const struct reaper_options *o)
{
	for (size_t i = 0; i < o->n_inherit; i++)
		if (o->inherit[i] >= 0 && dup2(o->inherit[i], o->inherit_base + (int)i) < 0)
			return -errno;
	return 0;
}

static int set_up(const struct reaper_birth *b, bool *ret_time)
{
	int r;

	if (b->user_namespace && setresgid(getegid(), getegid(), getegid()) < 0)
		return -errno;
	r = b->pid_namespace ? own_proc() : 0;
	if (r == 0 && b->options->want_time)
		*ret_time = set_clocks(b->options);
	if (r == 0)
		r = place_descriptors(b->options);
	if (r == 0 && b->options->n_inherit && b->user_namespace)
		keep_capabilities_over_exec();
	return r < 0 ? r : die_with_cragon(b);
}

/* A script without "#!" line runs in sh, as from a shell (execvp(3)). */
static int run_as_script(const struct reaper_options *o)
{
	size_t n = 0;
	char **argv;

	while (o->argv[n])
		n++;
	argv = calloc(n + 2, sizeof *argv);
	if (!argv)
		return -ENOMEM;
	argv[0] = (char *)"sh";
	argv[1] = (char *)o->path;
	for (size_t i = 1; i < n; i++)
		argv[i + 1] = o->argv[i];
	execv("/bin/sh", argv);
	return -errno;
}

static _Noreturn void become_program(const struct reaper_birth *b, int report)
{
	int code;

	/* PR_SET_PDEATHSIG is not inherited; the mask is. */
	sigprocmask(SIG_SETMASK, &b->mask, NULL);
	execv(b->options->path, b->options->argv);
	code = -errno;
	if (code == -ENOEXEC)
		code = run_as_script(b->options);
	(void)io_write(report, &code, sizeof code);
	_exit(127);
}

static pid_t start_program(const struct reaper_birth *b)
{
	cleanup_fd int in = -1;
	int report[2], code = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0) {
		tell(b, REAPER_EXEC_FAILED, -errno);
		_exit(1);
	}
	pid = fork();
	if (pid == 0)
		become_program(b, report[1]);
	in = report[0];
	close(report[1]);
	/* execve closes the pipe; a failure writes its number first. */
	if (pid < 0 || read(in, &code, sizeof code) == sizeof code) {
		tell(b, REAPER_EXEC_FAILED, pid < 0 ? -errno : code);
		_exit(1);
	}
	tell(b, REAPER_STARTED, pid);
	return pid;
}

/* What the job has open is the job's alone: a pipe's end kept here would never
 * let the other end see the end of file. */
static void close_all_but(int a, int b)
{
	int low = MIN(a, b), high = MAX(a, b);

	if (low > 0)
		sys_close_range(0, (unsigned)low - 1);
	if (high > low + 1)
		sys_close_range((unsigned)low + 1, (unsigned)high - 1);
	sys_close_range((unsigned)high + 1, ~0u);
}

/* Orphans are reaped for ever; COMMAND's end is told. */
static _Noreturn void reap(const struct reaper_birth *b, pid_t root)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid == root)
			tell(b, REAPER_ROOT_ENDED, status);
		else if (pid < 0 && errno == ECHILD)
			next_order(b); /* nobody left: wait for cragon's word, or its end */
	}
}

_Noreturn void reaper_main(const struct reaper_birth *b)
{
	struct reaper_order order;
	bool has_time = false;
	sigset_t died;
	pid_t root;
	int r;

	next_order(b); /* ids are mapped now */
	prctl(PR_SET_NAME, "cragon-reaper");
	r = set_up(b, &has_time);
	if (r < 0) {
		tell(b, REAPER_EXEC_FAILED, r);
		_exit(1);
	}
	tell(b, REAPER_READY, has_time);
	sigemptyset(&died);
	sigaddset(&died, CRAGON_DIED);
	if (!b->pid_namespace)
		sigprocmask(SIG_UNBLOCK, &died, NULL);
	order = next_order(b);
	root = order.kind == ORDER_START ? start_program(b) : order.root;
	close_all_but(b->control, b->events);
	reap(b, root);
}

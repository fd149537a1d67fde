/*
 * Starting the reaper in the best namespaces to be had: see reaper.h.
 *
 * Root needs no user namespace for a PID namespace; others do. Whatever is
 * refused (a container's seccomp filter, user namespaces switched off, a masked
 * /proc) means the next simpler way, and a remark.
 */
#include "engine/reaper.h"
#include "sys/calls.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void note(const struct notes *n, const char *text)
{
	if (n->fn)
		n->fn(n->ctx, text);
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return io_write(fd, text, strlen(text));
}

/* Same ids inside as outside: user_namespaces(7). */
static int map_ids(pid_t pid)
{
	char text[64];
	int r = write_proc(pid, "setgroups", "deny");

	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(text, sizeof text, "%u %u 1", geteuid(), geteuid());
	r = write_proc(pid, "uid_map", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof text, "%u %u 1", getegid(), getegid());
	return write_proc(pid, "gid_map", text);
}

struct channel {
	int control[2], events[2];
};

static void channel_done(struct channel *c)
{
	for (int i = 0; i < 2; i++) {
		close_p(&c->control[i]);
		close_p(&c->events[i]);
	}
}

static int try_start(struct reaper *ret, const struct reaper_options *o, uint64_t flags)
{
	cleanup(channel_done) struct channel c = {{-1, -1}, {-1, -1}};
	struct reaper_birth birth = {.options = o, .cragon = getpid()};
	struct reaper_event event;
	sigset_t all, old;
	pid_t pid;
	int r;

	if (pipe2(c.control, O_CLOEXEC) < 0 || pipe2(c.events, O_CLOEXEC) < 0)
		return -errno;
	birth.pid_namespace = flags & CLONE_NEWPID;
	birth.user_namespace = flags & CLONE_NEWUSER;
	birth.control = c.control[0];
	birth.events = c.events[1];
	/* No signal may reach the child before it has set itself up. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	birth.mask = o->mask ? *o->mask : old;
	pid = sys_fork(flags);
	if (pid == 0) {
		close(c.control[1]);
		close(c.events[0]);
		reaper_main(&birth);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return pid;
	*ret = (struct reaper){.pid = pid,
		.control = steal_fd(&c.control[1]),
		.events = steal_fd(&c.events[0]),
		.has_pid_namespace = birth.pid_namespace,
		.has_user_namespace = birth.user_namespace};
	close_p(&c.events[1]);
	r = flags & CLONE_NEWUSER ? map_ids(pid) : 0;
	if (r == 0)
		r = reaper_order(ret, ORDER_WATCH, 0); /* ids are mapped: set up */
	if (r == 0)
		r = reaper_event(ret, &event);
	if (r == 0 && event.kind != REAPER_READY)
		r = event.value < 0 ? event.value : -EPROTO;
	if (r < 0)
		reaper_end(ret);
	else
		ret->has_time_namespace = event.value;
	return r;
}

int reaper_start(struct reaper *ret, const struct reaper_options *o, struct err *e)
{
	const uint64_t spaces = CLONE_NEWPID | CLONE_NEWNS;
	char text[200];
	int r = -EPERM, first;

	*ret = (struct reaper){.control = -1, .events = -1};
	if (o->namespaces == NAMESPACES_AUTO && !sys_without("pidns")) {
		if (geteuid() == 0)
			r = try_start(ret, o, spaces);
		if (r < 0)
			r = try_start(ret, o, spaces | CLONE_NEWUSER);
		if (r == 0)
			return 0;
	}
	first = r;
	r = try_start(ret, o, 0);
	if (r < 0)
		return err_sys(e, r, "cannot start the job's reaper");
	if (o->namespaces == NAMESPACES_AUTO) {
		snprintf(text, sizeof text,
			"no PID namespace of its own for the job (%s): process ids will differ "
			"after a resume",
			strerror(-first));
		note(&o->notes, text);
	}
	return 0;
}

int reaper_order(struct reaper *r, enum reaper_order_kind kind, int32_t root)
{
	struct reaper_order order = {.kind = kind, .root = root};

	return io_write(r->control, &order, sizeof order);
}

int reaper_event(struct reaper *r, struct reaper_event *ret)
{
	ssize_t n;

	do
		n = read(r->events, ret, sizeof *ret);
	while (n < 0 && errno == EINTR);
	return n == sizeof *ret ? 0 : -ESRCH;
}

/* Without a namespace, killing the reaper leaves its descendants: they go first. */
static void kill_descendants(pid_t pid)
{
	cleanup_free pid_t *children = NULL;
	int n = proc_children(pid, &children);

	for (int i = 0; i < n; i++) {
		kill(children[i], SIGSTOP); /* so that it makes no more children meanwhile */
		kill_descendants(children[i]);
		kill(children[i], SIGKILL);
	}
}

static bool has_live_children(pid_t pid)
{
	cleanup_free pid_t *children = NULL;
	int n = proc_children(pid, &children);

	for (int i = 0; i < n; i++) {
		struct proc_stat stat;

		if (proc_stat(children[i], &stat) == 0 && stat.state != 'Z' && stat.state != 'X')
			return true;
	}
	return false;
}

void reaper_end(struct reaper *r)
{
	if (r->pid > 0) {
		for (int i = 0; i < 1000 && !r->has_pid_namespace && has_live_children(r->pid); i++) {
			kill_descendants(r->pid);
			sleep_ns(NS_PER_MSEC);
		}
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	close_p(&r->control);
	close_p(&r->events);
	r->pid = 0;
}

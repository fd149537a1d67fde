/* Plugins and their runner: see plugin.h. */
#include "job/plugin.h"
#include "base/io.h"
#include "sys/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define EVENT_MAX 65536	   /* bytes of one event */
#define PIPE_BYTES 1048576 /* room for many while a plugin takes its time */
#define OUTPUT_MAX 16384   /* of one call, into the log */
#define GRACE_NS (2 * NS_PER_SEC)

/* On the wire: length of the name, length of the object, both texts. */
struct head {
	uint32_t name, object;
};

/* ---- the runner --------------------------------------------------------------------- */

struct runner {
	const struct settings *settings;
	const sigset_t *mask;
	struct log log;
};

static _Noreturn void become_plugin(
	const struct runner *r, const char *path, const char *event, int in, int out)
{
	char *argv[] = {(char *)path, (char *)event, NULL};

	setpgid(0, 0); /* so that what it starts can be ended with it */
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	sys_close_range(3, ~0u);
	sigprocmask(SIG_SETMASK, r->mask, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	_exit(127);
}

static void log_lines(const struct runner *r, const char *path, char *text)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		log_info((struct log *)&r->log, "plugin %s: %s", name, line);
}

/* Feeds the object, collects what it prints, until both are done or time is up. */
static bool attend(int to, int from, const char *object, size_t len, char *out, uint64_t until)
{
	size_t fed = 0, got = 0;
	char rest[512] = {0};

	while (from >= 0) {
		struct pollfd fds[2] = {{.fd = fed < len ? to : -1, .events = POLLOUT},
			{.fd = from, .events = POLLIN}};
		uint64_t now = now_mono_ns();
		ssize_t n;

		if (now >= until || poll(fds, 2, (int)((until - now) / NS_PER_MSEC) + 1) == 0) {
			if (now >= until)
				break;
			continue;
		}
		if (fds[0].revents) {
			n = write(to, object + fed, len - fed);
			fed = n < 0 && errno != EAGAIN ? len : fed + (size_t)MAX(n, 0);
			if (fed == len)
				close_p(&to);
		}
		if (fds[1].revents) {
			n = read(from, got < OUTPUT_MAX ? out + got : rest,
				got < OUTPUT_MAX ? OUTPUT_MAX - got : sizeof rest);
			if (n <= 0 && errno != EINTR) {
				close_p(&to);
				out[got] = 0;
				return true;
			}
			if (got < OUTPUT_MAX)
				got += (size_t)MAX(n, 0);
		}
	}
	close_p(&to);
	out[got] = 0;
	return false;
}

static bool wait_until(pid_t pid, int *status, uint64_t until)
{
	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (now_mono_ns() >= until)
			return false;
		sleep_ns(5 * NS_PER_MSEC);
	}
}

static void end_plugin(pid_t pid, int *status)
{
	kill(-pid, SIGTERM);
	if (!wait_until(pid, status, now_mono_ns() + GRACE_NS)) {
		kill(-pid, SIGKILL);
		waitpid(pid, status, 0);
	}
}

static void call_plugin(
	struct runner *r, const char *path, const char *event, const char *object, size_t len)
{
	cleanup_fd int in = -1, to = -1, out = -1, from = -1;
	uint64_t until = now_mono_ns() + PLUGIN_TIME_NS;
	char text[OUTPUT_MAX + 1];
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	in = ends[0];
	to = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	from = ends[0];
	out = ends[1];
	pid = fork();
	if (pid == 0)
		become_plugin(r, path, event, in, out);
	close_p(&in);
	close_p(&out);
	if (pid < 0) {
		log_warn(&r->log, "plugin %s cannot be started: %s", path, strerror(errno));
		return;
	}
	(void)fcntl(to, F_SETFL, O_NONBLOCK);
	if (!attend(steal_fd(&to), from, object, len, text, until) ||
		!wait_until(pid, &status, until)) {
		end_plugin(pid, &status);
		log_warn(&r->log, "plugin %s (%s) took more than %llu s and was ended", path, event,
			PLUGIN_TIME_NS / NS_PER_SEC);
	} else if (status) {
		log_warn(&r->log, "plugin %s (%s) %s %d", path, event,
			WIFSIGNALED(status) ? "was killed by signal" : "failed with exit code",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	log_lines(r, path, text);
}

static bool read_all(int fd, void *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)to + done, len - done);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			return false;
		done += (size_t)MAX(n, 0);
	}
	return true;
}

static _Noreturn void run_events(struct runner *r, int from)
{
	char *data = malloc(EVENT_MAX + 2);
	struct head head;

	while (data && read_all(from, &head, sizeof head) && head.name < 64 &&
		head.object <= EVENT_MAX - 64 && read_all(from, data, head.name + head.object + 2u))
		for (unsigned i = r->settings->n_plugins; i-- > 0;)
			call_plugin(r, r->settings->plugins[i], data, data + head.name + 1,
				head.object);
	_exit(0);
}

/* ---- cragon's side --------------------------------------------------------------------- */

/* The runner must not keep open what belongs to the job (its lock, its streams'
 * copies), nor die of Ctrl-C. */
static int keep_only(int log_fd, int from)
{
	int high_log = fcntl(log_fd, F_DUPFD_CLOEXEC, 10),
	    high_from = fcntl(from, F_DUPFD_CLOEXEC, 10);

	if (high_from < 0)
		_exit(1);
	dup2(high_from, 3);
	if (high_log >= 0)
		dup2(high_log, 4);
	sys_close_range(5, ~0u);
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	(void)fcntl(4, F_SETFD, FD_CLOEXEC);
	return 3;
}

int plugins_open(struct plugins *p, const struct settings *s, const sigset_t *mask, struct log *log)
{
	struct runner r = {s, mask, *log};
	int ends[2], from;

	*p = PLUGINS_NONE;
	if (!s->n_plugins)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	p->runner = fork();
	if (p->runner < 0) {
		close(ends[0]);
		close(ends[1]);
		p->runner = 0;
		return -errno;
	}
	if (p->runner == 0) {
		prctl(PR_SET_NAME, "cragon-plugins");
		setpgid(0, 0);
		signal(SIGPIPE, SIG_IGN);
		from = keep_only(log->fd, ends[0]);
		r.log.fd = 4;
		run_events(&r, from);
	}
	close(ends[0]);
	p->to = ends[1];
	(void)fcntl(p->to, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Smaller than the pipe's room or not at all: half an event would end the runner. */
static bool has_room(int fd, size_t bytes)
{
	int queued = 0, size = fcntl(fd, F_GETPIPE_SZ);

	return ioctl(fd, FIONREAD, &queued) == 0 && size - queued > (int)bytes + 2 * 4096;
}

void plugins_event(struct plugins *p, const char *event, json_t *object, struct log *log)
{
	cleanup_free char *text = p->to < 0 ? NULL : json_dumps(object, JSON_COMPACT);
	cleanup_buf struct buf wire = {0};
	struct head head;

	json_decref(object);
	if (!text)
		return;
	head = (struct head){(uint32_t)strlen(event), (uint32_t)strlen(text) + 1};
	text[head.object - 1] = '\n';
	buf_add(&wire, &head, sizeof head);
	buf_add(&wire, event, head.name + 1);
	buf_add(&wire, text, head.object);
	buf_add(&wire, "", 1);
	if (buf_error(&wire) < 0 || wire.len > EVENT_MAX - 64 || !has_room(p->to, wire.len) ||
		io_write(p->to, wire.data, wire.len) < 0)
		log_warn(log, "the plugins do not hear of \"%s\": they are too slow", event);
}

void plugins_close(struct plugins *p)
{
	close_p(&p->to);
	if (p->runner > 0)
		while (waitpid(p->runner, NULL, 0) < 0 && errno == EINTR)
			;
	p->runner = 0;
}

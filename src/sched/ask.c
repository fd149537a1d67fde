/* A command of the batch system, with a time limit: see sched_ask(). */
#include "sched/sched.h"
#include "base/io.h"
#include "sys/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static _Noreturn void become(const char *const argv[], int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	sys_close_range(3, ~0u);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* Until the end of its output, or of our patience. */
static int collect(int from, char *output, size_t size)
{
	uint64_t until = now_mono_ns() + SCHED_PATIENCE_NS;
	struct pollfd in = {.fd = from, .events = POLLIN};
	size_t n = 0;
	char rest[512] = {0};

	for (;;) {
		uint64_t now = now_mono_ns();
		bool room = n + 1 < size;
		ssize_t got;

		if (now >= until || poll(&in, 1, (int)((until - now) / NS_PER_MSEC) + 1) == 0)
			return -ETIMEDOUT;
		got = read(from, room ? output + n : rest, room ? size - 1 - n : sizeof rest);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += room ? (size_t)got : 0;
	}
	output[n] = 0;
	return 0;
}

int sched_ask(const char *const argv[], char *output, size_t size)
{
	cleanup_fd int from = -1, to = -1;
	int ends[2], status = 0, r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from = ends[0];
	to = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(argv, to);
	close_p(&to);
	r = collect(from, output, size);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

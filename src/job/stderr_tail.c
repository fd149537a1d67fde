/* The last lines of standard error: see stderr_tail.h. */
#include "job/stderr_tail.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STACK_BYTES (64 * 1024)
#define DRAIN_NS NS_PER_SEC /* somebody outside the job may hold the pipe open */

struct stderr_tail {
	bool is_file;
	bool passing;	 /* the thread runs */
	int real;	 /* what standard error was before */
	int from;	 /* the thread's end of the new pipe */
	long long start; /* size of the file when we began */
	pthread_t thread;
	pthread_mutex_t lock;
	uint64_t passed; /* bytes so far; the ring holds the last of them */
	char ring[STDERR_TAIL_BYTES];
};

static void keep(struct stderr_tail *t, const char *data, size_t n)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < n; i++)
		t->ring[(t->passed + i) % STDERR_TAIL_BYTES] = data[i];
	t->passed += n;
	pthread_mutex_unlock(&t->lock);
}

/* When the reader outside is gone, the job has to meet a broken pipe as well. */
static void *pass_on(void *arg)
{
	struct stderr_tail *t = arg;
	char data[4096];

	for (;;) {
		ssize_t n = read(t->from, data, sizeof data);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		keep(t, data, (size_t)n);
		if (io_write(t->real, data, (size_t)n) < 0) {
			close_p(&t->from);
			return NULL;
		}
	}
}

static int start_thread(struct stderr_tail *t)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int r = -pthread_attr_init(&attr);

	if (r < 0)
		return r;
	sigfillset(&all);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&t->thread, &attr, pass_on, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

static void pass_through(struct stderr_tail *t)
{
	cleanup_fd int real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), from = -1, to = -1;
	int ends[2];

	if (real < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return;
	from = ends[0];
	to = ends[1];
	t->from = from;
	t->real = real;
	if (start_thread(t) < 0)
		return;
	steal_fd(&from);
	steal_fd(&real);
	t->passing = true;
	dup2(to, STDERR_FILENO);
}

static bool same_as_output(const struct stat *err)
{
	struct stat out;

	return fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == err->st_dev &&
	       out.st_ino == err->st_ino;
}

struct stderr_tail *stderr_tail_open(void)
{
	struct stderr_tail *t;
	struct stat err;

	if (fstat(STDERR_FILENO, &err) < 0 || (!S_ISREG(err.st_mode) && !S_ISFIFO(err.st_mode)))
		return NULL;
	t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->real = t->from = -1;
	pthread_mutex_init(&t->lock, NULL);
	if (S_ISREG(err.st_mode)) {
		t->is_file = true;
		t->start = err.st_size;
	} else if (!same_as_output(&err)) {
		pass_through(t);
	}
	return t;
}

static void read_file(const struct stderr_tail *t, struct buf *ret)
{
	cleanup_fd int fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC);
	struct stat st;
	long long from;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	/* Cut back or rewritten meanwhile: all of it is new. */
	from = st.st_size < t->start ? 0 : t->start;
	from = MAX(from, (long long)st.st_size - (long long)STDERR_TAIL_BYTES);
	if (st.st_size <= from || buf_reserve(ret, (size_t)(st.st_size - from) + 1) < 0)
		return;
	if (io_pread(fd, ret->data + ret->len, (size_t)(st.st_size - from), from) == 0)
		ret->len += (size_t)(st.st_size - from);
	ret->data[ret->len] = 0;
}

static void read_ring(struct stderr_tail *t, struct buf *ret)
{
	uint64_t n, from;

	pthread_mutex_lock(&t->lock);
	n = MIN(t->passed, (uint64_t)STDERR_TAIL_BYTES);
	from = (t->passed - n) % STDERR_TAIL_BYTES;
	buf_add(ret, t->ring + from, (size_t)MIN(n, STDERR_TAIL_BYTES - from));
	if (n > STDERR_TAIL_BYTES - from)
		buf_add(ret, t->ring, (size_t)(n - (STDERR_TAIL_BYTES - from)));
	pthread_mutex_unlock(&t->lock);
	buf_str(ret, "");
}

/* What the job wrote last may still be in the pipe. */
static void wait_until_passed(const struct stderr_tail *t)
{
	struct pollfd in = {.fd = t->from, .events = POLLIN};

	for (int i = 0; i < 100 && t->from >= 0 && poll(&in, 1, 0) > 0 && (in.revents & POLLIN);
		i++)
		sleep_ns(NS_PER_MSEC);
}

void stderr_tail_read(struct stderr_tail *t, struct buf *ret)
{
	if (t && t->is_file) {
		read_file(t, ret);
	} else if (t && t->passing) {
		wait_until_passed(t);
		read_ring(t, ret);
	}
}

void stderr_tail_forget(struct stderr_tail *t)
{
	struct stat st;

	if (!t)
		return;
	if (t->is_file)
		t->start = fstat(STDERR_FILENO, &st) == 0 ? st.st_size : t->start;
	pthread_mutex_lock(&t->lock);
	t->passed = 0;
	pthread_mutex_unlock(&t->lock);
}

void stderr_tail_close(struct stderr_tail *t)
{
	struct timespec until;

	if (!t)
		return;
	if (t->passing) {
		dup2(t->real, STDERR_FILENO); /* our write end was standard error */
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += DRAIN_NS / NS_PER_SEC;
		if (pthread_timedjoin_np(t->thread, NULL, &until) != 0)
			return; /* the thread still uses all of it */
	}
	close_p(&t->from);
	close_p(&t->real);
	free(t);
}

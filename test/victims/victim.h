/*
 * What every victim shares. A victim builds one kind of state, calls ready(),
 * is checkpointed (and perhaps killed and resumed) and, once the file named by
 * $VICTIM_GO exists, checks its own state: pass() prints `ok`, a CHECK that
 * does not hold says so and ends with 1.
 *
 * Nothing here uses malloc or stdio, so that waiting changes neither memory
 * nor descriptors: the runner compares both across a checkpoint.
 */
#ifndef CRAGON_VICTIM_H
#define CRAGON_VICTIM_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
#define _Noreturn [[noreturn]]
#endif

#define NSEC 1000000000LL

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		int saved_errno_ = errno;                                                          \
		if (!(condition))                                                                  \
			victim_fail(__FILE__, __LINE__, #condition, saved_errno_);                 \
	} while (0)

/* Equal integers, with both values in the message. */
#define CHECK_EQ(left, right)                                                                      \
	do {                                                                                       \
		long long left_ = (long long)(left), right_ = (long long)(right);                  \
		if (left_ != right_) {                                                             \
			dprintf(1, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #left,     \
				left_, right_);                                                    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

_Noreturn static inline void victim_fail(const char *file, int line, const char *what, int error)
{
	dprintf(1, "%s:%d: does not hold: %s (errno %d)\n", file, line, what, error);
	_exit(1);
}

/* What this machine lacks; the runner reports a skip. Only before ready(). */
_Noreturn static inline void skip(const char *reason)
{
	dprintf(1, "skip %s\n", reason);
	_exit(0);
}

static inline void ready(void)
{
	if (write(1, "ready\n", 6) != 6)
		_exit(1);
}

_Noreturn static inline void pass(void)
{
	_exit(write(1, "ok\n", 3) == 3 ? 0 : 1);
}

static inline void nap_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static inline bool gone_on(void)
{
	const char *path = getenv("VICTIM_GO");

	return !path || access(path, F_OK) == 0;
}

/* At most 90 s, so that a lost runner leaves nothing behind. */
static inline void wait_go(void)
{
	for (int i = 0; i < 90 * 50 && !gone_on(); i++)
		nap_ms(20);
	if (!gone_on())
		victim_fail(__FILE__, __LINE__, "told to go on", 0);
}

/* The job was started without a PID namespace: a resume gives new ids. */
static inline bool new_pids(void)
{
	return getenv("VICTIM_NEW_PIDS") != NULL;
}

static inline int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

/* A child (with new ids, whichever is next) that must have ended with exit code 0. */
static inline void reap_ok(pid_t child)
{
	int status;
	pid_t ended = waitpid(new_pids() ? -1 : child, &status, 0);

	if (!new_pids())
		CHECK_EQ(ended, child);
	CHECK(ended > 0);
	CHECK_EQ(status, 0);
}
#endif

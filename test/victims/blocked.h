/*
 * For victims that are checkpointed inside a system call. A helper thread says
 * `ready` once the caller is really in there (/proc shows its call number),
 * and does what ends the call when the runner says go.
 */
#ifndef CRAGON_BLOCKED_H
#define CRAGON_BLOCKED_H

#include "victim.h"

#include <fcntl.h>

/* By how much a call with a time-out may be late; early it may not be. */
#define LATE_NS (600 * 1000000LL)
#define EARLY_NS (2 * 1000000LL)

struct blocked {
	pid_t tid;
	long call;          /* SYS_*, in which the caller will be */
	void (*end)(void *); /* may be NULL: it ends by itself */
	void *arg;
	pthread_t thread;
};

/* In call number `call`, and asleep? */
static inline bool blocked_in(pid_t tid, long call)
{
	char path[64], text[32] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 && text[0] >= '0' && text[0] <= '9' && atol(text) == call;
}

static void *blocked_helper(void *arg)
{
	struct blocked *b = arg;

	for (int i = 0; i < 1000 && !blocked_in(b->tid, b->call); i++)
		nap_ms(2);
	CHECK(blocked_in(b->tid, b->call));
	ready();
	wait_go();
	if (b->end)
		b->end(b->arg);
	return NULL;
}

/* Just before the call. */
static inline void blocked_begin(struct blocked *b, long call, void (*end)(void *), void *arg)
{
	*b = (struct blocked){.tid = gettid(), .call = call, .end = end, .arg = arg};
	CHECK(pthread_create(&b->thread, NULL, blocked_helper, b) == 0);
}

static inline void blocked_end(struct blocked *b)
{
	CHECK(pthread_join(b->thread, NULL) == 0);
}

/* A call that began at `start` (CLOCK_MONOTONIC) was to take `want` ns. Where
 * a resume cannot keep that clock still, the time away counts as well. */
static inline void check_lasted(int64_t start, int64_t want)
{
	int64_t took = now_ns(CLOCK_MONOTONIC) - start;

	if (took < want - EARLY_NS || (took > want + LATE_NS && !getenv("VICTIM_CLOCK_JUMPS"))) {
		dprintf(1, "lasted %lld ms instead of %lld\n", (long long)took / 1000000,
			(long long)want / 1000000);
		_exit(1);
	}
}
#endif

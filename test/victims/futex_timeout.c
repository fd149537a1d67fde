/* A futex wait with a relative time-out, and one with an absolute one. */
#include "blocked.h"

#include <linux/futex.h>

static uint32_t word = 5;

static long futex(int op, const struct timespec *timeout)
{
	return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, 5, timeout, NULL, ~0u);
}

static void *absolute(void *arg)
{
	int64_t start = now_ns(CLOCK_MONOTONIC), end = start + 1500000000;
	struct timespec until = {end / NSEC, end % NSEC};

	CHECK_EQ(futex(FUTEX_WAIT_BITSET, &until), -1);
	CHECK_EQ(errno, ETIMEDOUT);
	check_lasted(start, 1500000000);
	return arg;
}

int main(void)
{
	struct timespec want = {1, 500000000};
	struct blocked b;
	pthread_t other;
	int64_t start;

	CHECK_EQ(pthread_create(&other, NULL, absolute, NULL), 0);
	nap_ms(20);
	start = now_ns(CLOCK_MONOTONIC);
	blocked_begin(&b, SYS_futex, NULL, NULL);
	CHECK_EQ(futex(FUTEX_WAIT, &want), -1);
	CHECK_EQ(errno, ETIMEDOUT);
	check_lasted(start, 1500000000);
	CHECK_EQ(pthread_join(other, NULL), 0);
	blocked_end(&b);
	pass();
}

/* A sleep until a point of CLOCK_MONOTONIC, and one on CLOCK_REALTIME. */
#include "blocked.h"

static void *on_realtime(void *arg)
{
	int64_t end = now_ns(CLOCK_REALTIME) + 1500000000;
	struct timespec until = {end / NSEC, end % NSEC};

	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL), 0);
	CHECK(now_ns(CLOCK_REALTIME) >= end);
	CHECK(now_ns(CLOCK_REALTIME) <= end + LATE_NS);
	return arg;
}

int main(void)
{
	int64_t start = now_ns(CLOCK_MONOTONIC), end = start + 1500000000;
	struct timespec until = {end / NSEC, end % NSEC};
	struct blocked b;
	pthread_t other;

	CHECK_EQ(pthread_create(&other, NULL, on_realtime, NULL), 0);
	blocked_begin(&b, SYS_clock_nanosleep, NULL, NULL);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	check_lasted(start, 1500000000);
	CHECK_EQ(pthread_join(other, NULL), 0);
	blocked_end(&b);
	pass();
}

/* The clock is read without a system call, as fast as before, and never goes back. */
#include "victim.h"

#define CALLS 200000

/* The quickest of some rounds: other programs may be in the way. */
static long ns_per_call(void)
{
	long best = 1000000;

	for (int round = 0; round < 10; round++) {
		int64_t start = now_ns(CLOCK_MONOTONIC);

		for (int i = 0; i < CALLS / 10; i++)
			now_ns(CLOCK_MONOTONIC);
		long each = (long)((now_ns(CLOCK_MONOTONIC) - start) / (CALLS / 10));
		best = each < best ? each : best;
	}
	return best;
}

static volatile int64_t widest;
static volatile int checked;

/* Looks at the clock all the time: the time the job was away must not show. */
static void *watch(void *arg)
{
	int64_t last = now_ns(CLOCK_MONOTONIC);

	while (!checked) {
		int64_t now;

		nap_ms(5);
		now = now_ns(CLOCK_MONOTONIC);
		CHECK(now >= last);
		if (now - last > widest)
			widest = now - last;
		last = now;
	}
	return arg;
}

int main(void)
{
	pthread_t watcher;
	int64_t mono = now_ns(CLOCK_MONOTONIC), boot = now_ns(CLOCK_BOOTTIME), after;
	long before = ns_per_call(), later;

	CHECK_EQ(pthread_create(&watcher, NULL, watch, NULL), 0);
	nap_ms(20);
	ready();
	wait_go();
	later = ns_per_call();
	if (before < 300)
		CHECK(later < 300);
	after = now_ns(CLOCK_MONOTONIC);
	CHECK(after >= mono);
	CHECK(now_ns(CLOCK_BOOTTIME) >= boot);
	/* What the vdso says is what the kernel says. */
	struct timespec t;
	CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t), 0);
	CHECK(t.tv_sec * NSEC + t.tv_nsec - after < NSEC / 10);
	CHECK(t.tv_sec * NSEC + t.tv_nsec >= after);
	CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_REALTIME, &t), 0);
	CHECK(llabs(t.tv_sec * NSEC + t.tv_nsec - now_ns(CLOCK_REALTIME)) < NSEC / 10);
	checked = 1;
	CHECK_EQ(pthread_join(watcher, NULL), 0);
	if (!new_pids())
		CHECK(widest < NSEC);
	pass();
}

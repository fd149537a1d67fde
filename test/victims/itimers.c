/* The three interval timers go on from where they were: one-shot, periodic, and on CPU time. */
#include "victim.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t alarms, ticks;

static void on_alarm(int sig)
{
	alarms++;
}

static void on_tick(int sig)
{
	ticks++;
}

int main(void)
{
	struct itimerval real = {.it_value = {1, 500000}}, left;
	struct itimerval busy = {{0, 20000}, {0, 20000}}, far = {{7, 0}, {5000, 0}};
	int64_t start;

	signal(SIGALRM, on_alarm);
	signal(SIGVTALRM, on_tick);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(setitimer(ITIMER_REAL, &real, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_VIRTUAL, &busy, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_PROF, &far, NULL), 0);
	ready();
	wait_go();
	CHECK_EQ(alarms, 0);
	CHECK_EQ(getitimer(ITIMER_REAL, &left), 0);
	CHECK(left.it_value.tv_sec < 2 && (left.it_value.tv_sec > 0 || left.it_value.tv_usec > 0));
	while (!alarms && now_ns(CLOCK_MONOTONIC) - start < 10 * NSEC)
		pause();
	CHECK_EQ(alarms, 1);
	int64_t took = now_ns(CLOCK_MONOTONIC) - start;
	if (took < 1490000000 || took > 2100000000)
		CHECK_EQ(took / 1000000, 1500);
	CHECK_EQ(getitimer(ITIMER_REAL, &left), 0);
	CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
	CHECK_EQ(getitimer(ITIMER_PROF, &left), 0);
	CHECK(left.it_value.tv_sec > 4900 && left.it_interval.tv_sec == 7);
	CHECK_EQ(getitimer(ITIMER_VIRTUAL, &left), 0);
	CHECK_EQ(left.it_interval.tv_usec, 20000);
	start = now_ns(CLOCK_MONOTONIC);
	while (ticks < 3 && now_ns(CLOCK_MONOTONIC) - start < 5 * NSEC)
		;
	CHECK(ticks >= 3);
	pass();
}

/*
 * A timer every millisecond, eight threads that signal each other, and calls
 * that must not see EINTR (SA_RESTART) while they read from a pipe. Each
 * signal sent with a value arrives exactly once.
 */
#include "victim.h"

#include <signal.h>
#include <sys/time.h>

#define THREADS 8

static volatile long received[THREADS], sent[THREADS];
static volatile long ticks;
static __thread int me = -1;
static volatile int over;

static void on_tick(int sig)
{
	__atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED);
}

static void on_value(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	CHECK(info->si_value.sival_int == me);
	received[me]++;
	errno = saved;
}

/* Sends itself values one by one and passes bytes through a pipe meanwhile. */
static void *thread(void *arg)
{
	int ends[2];
	char byte = 0;

	me = (int)(intptr_t)arg;
	CHECK_EQ(pipe(ends), 0);
	while (!over) {
		CHECK_EQ(pthread_sigqueue(pthread_self(), SIGRTMIN, (union sigval){.sival_int = me}), 0);
		sent[me]++;
		CHECK_EQ(write(ends[1], &me, 1), 1);
		CHECK_EQ(read(ends[0], &byte, 1), 1);
		CHECK_EQ(byte, me);
		usleep(500);
	}
	CHECK_EQ(received[me], sent[me]);
	return NULL;
}

int main(void)
{
	struct sigaction value = {.sa_sigaction = on_value, .sa_flags = SA_RESTART | SA_SIGINFO};
	struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 1000}, {0, 1000}};
	pthread_t threads[THREADS];
	long before;

	CHECK_EQ(sigaction(SIGRTMIN, &value, NULL), 0);
	CHECK_EQ(sigaction(SIGALRM, &tick, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
	nap_ms(50);
	ready();
	wait_go();
	before = ticks;
	nap_ms(100);
	CHECK(ticks > before + 5); /* the timer still runs */
	over = 1;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	pass();
}

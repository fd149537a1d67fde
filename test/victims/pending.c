/*
 * Signals that wait: one standard and several queued real-time ones with their
 * values and order, to the process and to one thread.
 */
#include "victim.h"

#include <signal.h>

#define QUEUED 5

static volatile int built, checked;
static sigset_t held;

/* Takes one pending signal, which must be there and be this one. */
static void take(int sig, int code, int value)
{
	struct timespec none = {0, 0};
	siginfo_t info;
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	CHECK_EQ(sigtimedwait(&one, &info, &none), sig);
	CHECK_EQ(info.si_code, code);
	if (!new_pids())
		CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(info.si_uid, getuid());
	if (code == SI_QUEUE)
		CHECK_EQ(info.si_value.sival_int, value);
}

static void none_left(void)
{
	struct timespec none = {0, 0};

	CHECK_EQ(sigtimedwait(&held, NULL, &none), -1);
	CHECK_EQ(errno, EAGAIN);
}

static void *thread(void *arg)
{
	union sigval value;

	for (int i = 0; i < QUEUED; i++) {
		value.sival_int = 200 + i;
		CHECK_EQ(pthread_sigqueue(pthread_self(), SIGRTMIN + 2, value), 0);
	}
	CHECK_EQ(pthread_kill(pthread_self(), SIGUSR2), 0);
	built = 1;
	while (!checked)
		nap_ms(5);
	for (int i = 0; i < QUEUED; i++)
		take(SIGRTMIN + 2, SI_QUEUE, 200 + i);
	take(SIGUSR2, SI_USER, 0); /* the C library makes that of SI_TKILL */
	return NULL;
}

int main(void)
{
	pthread_t other;
	union sigval value;

	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	sigaddset(&held, SIGUSR2);
	for (int i = 0; i < 3; i++)
		sigaddset(&held, SIGRTMIN + i);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &held, NULL), 0);
	CHECK_EQ(pthread_create(&other, NULL, thread, NULL), 0);
	while (!built)
		nap_ms(1);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	for (int i = 0; i < QUEUED; i++) {
		value.sival_int = 100 + i;
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
	}
	ready();
	wait_go();
	take(SIGUSR1, SI_USER, 0);
	for (int i = 0; i < QUEUED; i++)
		take(SIGRTMIN + 1, SI_QUEUE, 100 + i);
	none_left();
	checked = 1;
	CHECK_EQ(pthread_join(other, NULL), 0);
	pass();
}

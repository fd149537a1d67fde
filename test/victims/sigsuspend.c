/* Blocked in sigsuspend: its temporary mask holds, a signal ends it, the old mask is back. */
#include "blocked.h"

#include <signal.h>

static volatile sig_atomic_t first, second;

static void on_first(int sig)
{
	first++;
}

static void on_second(int sig)
{
	second++;
}

static void wake(void *arg)
{
	CHECK_EQ(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0); /* blocked during the wait */
	nap_ms(50);
	CHECK_EQ(first, 0);
	CHECK_EQ(second, 0);
	CHECK_EQ(pthread_kill(*(pthread_t *)arg, SIGUSR2), 0);
}

int main(void)
{
	pthread_t self = pthread_self();
	struct blocked b;
	sigset_t usual, meanwhile, after;

	signal(SIGUSR1, on_first);
	signal(SIGUSR2, on_second);
	sigemptyset(&usual);
	sigaddset(&usual, SIGUSR2);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &usual, NULL), 0);
	sigfillset(&meanwhile);
	sigdelset(&meanwhile, SIGUSR2);
	blocked_begin(&b, SYS_rt_sigsuspend, wake, &self);
	CHECK_EQ(sigsuspend(&meanwhile), -1);
	CHECK_EQ(errno, EINTR);
	CHECK_EQ(second, 1);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	CHECK_EQ(sigismember(&after, SIGUSR2), 1);
	CHECK_EQ(sigismember(&after, SIGUSR1), 0);
	CHECK_EQ(sigismember(&after, SIGTERM), 0);
	CHECK_EQ(first, 1); /* delivered as soon as the usual mask was back */
	blocked_end(&b);
	pass();
}

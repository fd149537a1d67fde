/* ppoll with a time-out; its temporary mask is gone afterwards. */
#include "blocked.h"

#include <poll.h>
#include <signal.h>

int main(void)
{
	int ends[2];
	struct pollfd p = {.events = POLLIN};
	struct timespec want = {1, 500000000};
	sigset_t mask, before, after;
	struct blocked b;
	int64_t start;

	CHECK_EQ(pipe(ends), 0);
	p.fd = ends[0];
	sigfillset(&mask);
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	start = now_ns(CLOCK_MONOTONIC);
	blocked_begin(&b, SYS_ppoll, NULL, NULL);
	CHECK_EQ(ppoll(&p, 1, &want, &mask), 0);
	check_lasted(start, 1500000000);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	CHECK_EQ(sigismember(&after, SIGUSR1), 1);
	CHECK_EQ(sigismember(&after, SIGUSR2), 0);
	blocked_end(&b);
	pass();
}

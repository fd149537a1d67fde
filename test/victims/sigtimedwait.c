/* sigtimedwait runs out in time with EAGAIN: a bare stop would make it EINTR. */
#include "blocked.h"

#include <signal.h>

int main(void)
{
	struct timespec want = {1, 500000000};
	struct blocked b;
	sigset_t set;
	int64_t start;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	start = now_ns(CLOCK_MONOTONIC);
	blocked_begin(&b, SYS_rt_sigtimedwait, NULL, NULL);
	CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, NULL, &want, 8), -1);
	CHECK_EQ(errno, EAGAIN);
	check_lasted(start, 1500000000);
	blocked_end(&b);
	pass();
}

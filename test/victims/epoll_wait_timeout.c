/* epoll_wait with a time-out on a pipe that stays empty: a bare stop would make it EINTR. */
#include "blocked.h"

#include <sys/epoll.h>

int main(void)
{
	int ends[2];
	struct epoll_event event = {.events = EPOLLIN}, got;
	int e = epoll_create1(0);
	struct blocked b;
	int64_t start;

	CHECK_EQ(pipe(ends), 0);
	CHECK(e >= 0);
	CHECK_EQ(epoll_ctl(e, EPOLL_CTL_ADD, ends[0], &event), 0);
	start = now_ns(CLOCK_MONOTONIC);
	blocked_begin(&b, SYS_epoll_wait, NULL, NULL);
	CHECK_EQ(syscall(SYS_epoll_wait, e, &got, 1, 1500), 0);
	check_lasted(start, 1500000000);
	blocked_end(&b);
	pass();
}

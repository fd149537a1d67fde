/* poll with a time-out on a pipe that stays empty. */
#include "blocked.h"

#include <poll.h>

int main(void)
{
	int ends[2];
	struct pollfd p = {.events = POLLIN};
	struct blocked b;
	int64_t start;

	CHECK_EQ(pipe(ends), 0);
	p.fd = ends[0];
	start = now_ns(CLOCK_MONOTONIC);
	blocked_begin(&b, SYS_poll, NULL, NULL);
	CHECK_EQ(syscall(SYS_poll, &p, 1, 1500), 0);
	check_lasted(start, 1500000000);
	CHECK_EQ(p.revents, 0);
	blocked_end(&b);
	pass();
}

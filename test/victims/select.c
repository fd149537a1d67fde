/* select with a time-out on a pipe that stays empty. */
#include "blocked.h"

#include <sys/select.h>

int main(void)
{
	int ends[2];
	struct timeval want = {1, 500000};
	fd_set set;
	struct blocked b;
	int64_t start;

	CHECK_EQ(pipe(ends), 0);
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	start = now_ns(CLOCK_MONOTONIC);
	blocked_begin(&b, SYS_select, NULL, NULL);
	CHECK_EQ(syscall(SYS_select, ends[0] + 1, &set, NULL, NULL, &want), 0);
	check_lasted(start, 1500000000);
	CHECK(!FD_ISSET(ends[0], &set));
	blocked_end(&b);
	pass();
}

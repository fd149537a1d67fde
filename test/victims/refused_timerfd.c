/* A timerfd: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <sys/timerfd.h>

int main(void)
{
	struct itimerspec when = {.it_value = {0, 200000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t count;

	CHECK(fd >= 0);
	CHECK_EQ(timerfd_settime(fd, 0, &when, NULL), 0);
	ready();
	wait_go();
	CHECK_EQ(read(fd, &count, sizeof count), sizeof count);
	CHECK_EQ(count, 1);
	pass();
}

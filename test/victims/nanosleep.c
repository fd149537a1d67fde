/* A relative sleep is as long as it was meant to be, and is not interrupted. */
#include "blocked.h"

int main(void)
{
	struct timespec want = {1, 500000000};
	struct blocked b;
	int64_t start = now_ns(CLOCK_MONOTONIC);

	/* glibc's nanosleep is clock_nanosleep; this is the system call itself. */
	blocked_begin(&b, SYS_nanosleep, NULL, NULL);
	CHECK_EQ(syscall(SYS_nanosleep, &want, NULL), 0);
	check_lasted(start, 1500000000);
	blocked_end(&b);
	pass();
}

/* flock: exclusive in one process, shared in two; others are still kept out. */
#include "victim.h"

#include <fcntl.h>
#include <sys/file.h>

static int opened(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0);
	return fd;
}

int main(void)
{
	int exclusive = opened("e"), shared = opened("s");
	pid_t child;

	CHECK_EQ(flock(exclusive, LOCK_EX), 0);
	CHECK_EQ(flock(shared, LOCK_SH), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		int own = opened("s");

		CHECK_EQ(flock(own, LOCK_SH), 0);
		wait_go();
		CHECK_EQ(flock(opened("e"), LOCK_EX | LOCK_NB), -1);
		CHECK_EQ(errno, EWOULDBLOCK);
		CHECK_EQ(flock(opened("s"), LOCK_EX | LOCK_NB), -1);
		CHECK_EQ(flock(exclusive, LOCK_EX | LOCK_NB), 0); /* inherited: the same lock */
		_exit(0);
	}
	nap_ms(50);
	ready();
	wait_go();
	CHECK_EQ(flock(opened("e"), LOCK_SH | LOCK_NB), -1);
	CHECK_EQ(flock(opened("s"), LOCK_EX | LOCK_NB), -1);
	CHECK_EQ(flock(opened("s"), LOCK_SH | LOCK_NB), 0);
	reap_ok(child);
	CHECK_EQ(flock(exclusive, LOCK_UN), 0);
	CHECK_EQ(flock(opened("e"), LOCK_EX | LOCK_NB), 0);
	pass();
}

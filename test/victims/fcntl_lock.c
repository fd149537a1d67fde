/* Record locks: ranges of two processes, seen by F_GETLK from a third; and a lock of the open file. */
#include "victim.h"

#include <fcntl.h>

static int fd;

static void lock(short type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
}

/* The first lock in the way of a write lock on [start, +len). */
static struct flock in_the_way(off_t start, off_t len)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	CHECK_EQ(fcntl(fd, F_GETLK, &l), 0);
	return l;
}

static void check_from_outside(pid_t first, pid_t second)
{
	pid_t child = fork();
	struct flock l;

	CHECK(child >= 0);
	if (child == 0) {
		l = in_the_way(0, 10);
		CHECK_EQ(l.l_type, F_UNLCK);
		l = in_the_way(10, 10);
		CHECK(l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 10);
		if (!new_pids())
			CHECK_EQ(l.l_pid, first);
		l = in_the_way(100, 1);
		CHECK(l.l_type == F_RDLCK && l.l_start == 100 && l.l_len == 50);
		if (!new_pids())
			CHECK_EQ(l.l_pid, second);
		l = in_the_way(5000, 1);
		CHECK(l.l_type == F_WRLCK && l.l_start == 1000 && l.l_len == 0);
		_exit(0);
	}
	reap_ok(child);
}

int main(void)
{
	struct flock of_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int other = open("other", O_CREAT | O_RDWR, 0600), said[2];
	pid_t child, me = getpid();
	char byte;

	fd = open("data", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && other >= 0);
	CHECK_EQ(pipe(said), 0);
	CHECK_EQ(fcntl(other, F_OFD_SETLK, &of_file), 0);
	lock(F_WRLCK, 10, 10);
	lock(F_WRLCK, 1000, 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		lock(F_RDLCK, 100, 50);
		close(said[1]);
		CHECK_EQ(read(said[0], &byte, 1), 0); /* until the parent closes its end */
		_exit(0);
	}
	while (in_the_way(100, 1).l_type == F_UNLCK)
		nap_ms(1);
	ready();
	wait_go();
	check_from_outside(me, child);
	of_file = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	CHECK_EQ(fcntl(open("other", O_RDWR), F_OFD_SETLK, &of_file), -1);
	CHECK_EQ(errno, EAGAIN);
	close(said[1]);
	reap_ok(child);
	CHECK_EQ(in_the_way(100, 1).l_type, F_UNLCK);
	pass();
}

/* One open file, several descriptors, over dup and fork: one position and one set of flags. Another open is apart. */
#include "victim.h"

#include <fcntl.h>

int main(void)
{
	int fd = open("data", O_CREAT | O_RDWR | O_EXCL, 0644), copy, apart;
	char text[8] = "";
	int turn[2];
	pid_t child;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "0123456789abcdefghij", 20), 20);
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 50);
	CHECK_EQ(copy, 50);
	apart = open("data", O_RDONLY);
	CHECK(apart >= 0);
	CHECK_EQ(pipe(turn), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		wait_go();
		CHECK_EQ(read(turn[0], text, 1), 1);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6); /* the parent has read four */
		CHECK_EQ(read(copy, text, 3), 3);
		CHECK(memcmp(text, "678", 3) == 0);
		CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);
		_exit(0);
	}
	ready();
	wait_go();
	CHECK_EQ(read(fd, text, 4), 4);
	CHECK(memcmp(text, "2345", 4) == 0);
	CHECK_EQ(write(turn[1], "t", 1), 1);
	reap_ok(child);
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), 9);
	CHECK(fcntl(copy, F_GETFL) & O_APPEND);
	CHECK_EQ(lseek(apart, 0, SEEK_CUR), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
	pass();
}

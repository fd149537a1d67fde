/* Regular files: access mode, flags, position, close-on-exec, high descriptor numbers. */
#include "victim.h"

#include <fcntl.h>

struct one {
	int fd, flags, fd_flags;
	off_t at;
};

static void put(struct one *o, const char *path, int flags, off_t at, int number)
{
	int fd = open(path, flags, 0644);

	CHECK(fd >= 0);
	if (number >= 0) {
		CHECK_EQ(dup3(fd, number, flags & O_CLOEXEC), number);
		close(fd);
		fd = number;
	}
	CHECK_EQ(lseek(fd, at, SEEK_SET), at);
	*o = (struct one){fd, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD), at};
}

int main(void)
{
	struct one files[6];
	char text[8] = "";
	int fd;

	fd = open("data", O_CREAT | O_WRONLY | O_EXCL, 0644);
	CHECK(fd >= 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(dprintf(fd, "line %04d\n", i), 10);
	close(fd);
	put(&files[0], "data", O_RDONLY, 5000, -1);
	put(&files[1], "data", O_RDWR | O_CLOEXEC, 3, 300);
	put(&files[2], "data", O_WRONLY | O_APPEND, 0, 17);
	put(&files[3], "data", O_RDONLY | O_NONBLOCK | O_NOATIME, 10000, 99);
	put(&files[4], "other", O_CREAT | O_TRUNC | O_RDWR | O_SYNC, 0, -1);
	put(&files[5], "data", O_RDONLY, 1000000, 77);
	CHECK_EQ(write(files[4].fd, "hello", 5), 5);
	files[4].at = 5;
	ready();
	wait_go();
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(fcntl(files[i].fd, F_GETFL), files[i].flags);
		CHECK_EQ(fcntl(files[i].fd, F_GETFD), files[i].fd_flags);
		CHECK_EQ(lseek(files[i].fd, 0, SEEK_CUR), files[i].at);
	}
	CHECK_EQ(read(files[0].fd, text, 7), 7);
	CHECK(strcmp(text, "line 05") == 0);
	CHECK_EQ(write(files[2].fd, "tail", 4), 4);
	CHECK_EQ(lseek(files[2].fd, 0, SEEK_CUR), 10004);
	CHECK_EQ(read(files[3].fd, text, 7), 4);
	CHECK_EQ(write(files[0].fd, "x", 1), -1);
	CHECK_EQ(read(files[2].fd, text, 1), -1);
	CHECK_EQ(pread(files[4].fd, text, 8, 0), 5);
	CHECK(memcmp(text, "hello", 5) == 0);
	/* Nothing else is open: the next number is the lowest that was free. */
	int next = files[4].fd + 1;
	CHECK_EQ(open("/dev/null", O_RDONLY), next);
	pass();
}

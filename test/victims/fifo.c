/* A named pipe with content, both ends open in different processes. */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
	char text[32];
	struct stat named, open_one;
	pid_t child;
	int fd;

	CHECK_EQ(mkfifo("fifo", 0600), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		fd = open("fifo", O_WRONLY);
		CHECK(fd >= 0);
		CHECK_EQ(write(fd, "before ", 7), 7);
		wait_go();
		CHECK_EQ(write(fd, "after", 5), 5);
		_exit(0);
	}
	fd = open("fifo", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read(fd, text, 1), 1);
	ready();
	wait_go();
	reap_ok(child);
	CHECK_EQ(read(fd, text, sizeof text), 11);
	CHECK(memcmp(text, "efore after", 11) == 0);
	CHECK_EQ(read(fd, text, sizeof text), 0);
	CHECK_EQ(stat("fifo", &named), 0);
	CHECK_EQ(fstat(fd, &open_one), 0);
	CHECK_EQ(named.st_ino, open_one.st_ino);
	/* Whoever opens it by name meets us. */
	int other = open("fifo", O_WRONLY | O_NONBLOCK);
	CHECK(other >= 0);
	CHECK_EQ(write(other, "more", 4), 4);
	CHECK_EQ(read(fd, text, sizeof text), 4);
	pass();
}

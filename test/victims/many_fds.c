/* More descriptors than a default limit allows: files, duplicates and holes, up to number 5000. */
#include "victim.h"

#include <fcntl.h>
#include <sys/resource.h>

#define FILES 1200
#define HIGH 5000

int main(void)
{
	struct rlimit limit;
	int fds[FILES], copy;
	char byte;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 3 * HIGH)
		skip("the limit of open files is too low (ulimit -Hn)");
	limit.rlim_cur = limit.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < FILES; i++) {
		fds[i] = open("many", O_CREAT | O_RDWR, 0600);
		CHECK(fds[i] >= 0);
		CHECK_EQ(lseek(fds[i], i, SEEK_SET), i);
	}
	for (int i = 0; i < FILES; i++)
		CHECK_EQ(pwrite(fds[0], &(char){(char)(i % 100)}, 1, i), 1);
	for (int i = 0; i < FILES; i += 3)
		CHECK_EQ(close(fds[i]), 0);
	copy = fcntl(fds[1], F_DUPFD, HIGH);
	CHECK_EQ(copy, HIGH);
	ready();
	wait_go();
	for (int i = 0; i < FILES; i++) {
		if (i % 3 == 0) {
			CHECK_EQ(fcntl(fds[i], F_GETFD), -1);
			continue;
		}
		CHECK_EQ(read(fds[i], &byte, 1), 1);
		CHECK_EQ(byte, i % 100);
	}
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), 2); /* moved with fds[1] */
	for (int fd = HIGH + 1; fd < HIGH + 3000; fd++)
		CHECK_EQ(fcntl(fd, F_GETFD), -1);
	pass();
}

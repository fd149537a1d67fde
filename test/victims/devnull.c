/* /dev/null, zero, full, random and urandom. */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int main(void)
{
	static const char *const paths[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random"};
	int fds[5];
	char a[32], b[32];
	struct stat st;

	for (int i = 0; i < 5; i++)
		CHECK((fds[i] = open(paths[i], O_RDWR | (i == 1 ? O_CLOEXEC : 0))) >= 0);
	ready();
	wait_go();
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(fstat(fds[i], &st), 0);
		CHECK(S_ISCHR(st.st_mode));
		CHECK_EQ(major(st.st_rdev), 1);
		CHECK_EQ(fcntl(fds[i], F_GETFL) & O_ACCMODE, O_RDWR);
		CHECK_EQ(fcntl(fds[i], F_GETFD), i == 1 ? FD_CLOEXEC : 0);
	}
	CHECK_EQ(read(fds[0], a, sizeof a), 0);
	CHECK_EQ(write(fds[0], a, sizeof a), sizeof a);
	memset(a, 1, sizeof a);
	memset(b, 0, sizeof b);
	CHECK_EQ(read(fds[1], a, sizeof a), sizeof a);
	CHECK(memcmp(a, b, sizeof a) == 0);
	CHECK_EQ(write(fds[2], a, 1), -1);
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(read(fds[3], a, sizeof a), sizeof a);
	CHECK_EQ(read(fds[3], b, sizeof b), sizeof b);
	CHECK(memcmp(a, b, sizeof a) != 0);
	CHECK_EQ(read(fds[4], b, sizeof b), sizeof b);
	pass();
}

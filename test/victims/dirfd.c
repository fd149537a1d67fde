/* An open directory, half read: the other half comes afterwards, each name once; and openat under it. */
#include "victim.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define NAMES 2000

/* Reads entries with small buffers, marks them, stops after `limit`. */
static int list(int fd, char *seen, int limit)
{
	char buffer[512] __attribute__((aligned(8)));
	int count = 0, number;
	long n;

	while (count < limit && (n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < n;) {
			struct dirent64 *d = (struct dirent64 *)(buffer + at);

			at += d->d_reclen;
			if (sscanf(d->d_name, "n%d", &number) != 1)
				continue;
			CHECK_EQ(seen[number], 0);
			seen[number] = 1;
			count++;
		}
	return count;
}

int main(void)
{
	static char seen[NAMES];
	char name[32];
	int fd, file, first;

	CHECK_EQ(mkdir("d", 0755), 0);
	fd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "n%d", i);
		file = openat(fd, name, O_CREAT | O_WRONLY, 0644);
		CHECK(file >= 0);
		close(file);
	}
	first = list(fd, seen, NAMES / 2);
	CHECK(first >= NAMES / 2 && first < NAMES);
	ready();
	wait_go();
	CHECK_EQ(first + list(fd, seen, NAMES + 1), NAMES);
	CHECK_EQ(faccessat(fd, "n7", F_OK, 0), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fchdir(fd), 0);
	pass();
}

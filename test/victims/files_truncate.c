/* An open file that shrinks and grows again: content, length, mode. */
#include "files.h"

#define MAX_BYTES 90000

static int fd;
static char have[MAX_BYTES + 100], want[MAX_BYTES];

static size_t length(unsigned n)
{
	return n % 5 * 20000 + 77;
}

static void check(unsigned n)
{
	struct stat st;

	content_fill(want, length(n), n);
	CHECK_EQ(pread(fd, have, sizeof have, 0), length(n));
	CHECK(memcmp(have, want, length(n)) == 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 0777, n % 2 ? 0640 : 0600);
}

static void change(unsigned n)
{
	CHECK_EQ(ftruncate(fd, n % 3 ? 0 : 10), 0);
	content_fill(want, length(n + 1), n + 1);
	CHECK_EQ(pwrite(fd, want, length(n + 1), 0), length(n + 1));
	CHECK_EQ(ftruncate(fd, (off_t)length(n + 1)), 0);
	CHECK_EQ(fchmod(fd, n % 2 ? 0600 : 0640), 0);
}

int main(void)
{
	fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0600);
	content_fill(want, length(0), 0);
	CHECK_EQ(write(fd, want, length(0)), length(0));
	rounds(check, change);
	pass();
}

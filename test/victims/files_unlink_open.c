/*
 * A long file that is only appended to and deleted while it is open, which the
 * next checkpoint must take although an image keeps a name of it; and a new one in its place.
 */
#include "files.h"

#define BYTES (5u << 20)
#define KEPT 12

static int fd = -1;
static char have[1000], want[1000];

static void check(unsigned n)
{
	struct stat st;

	if (!n)
		return;
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, BYTES + 1000 * ((n - 1) % KEPT + 1));
	content_fill(want, sizeof want, n - 1);
	CHECK_EQ(pread(fd, have, sizeof have, st.st_size - 1000), 1000);
	CHECK(memcmp(have, want, sizeof have) == 0);
	CHECK(exists("long") == ((n - 1) % KEPT < KEPT / 2));
}

static void change(unsigned n)
{
	static char zeros[BYTES];

	if (n % KEPT == 0) {
		close(fd);
		fd = open("long", O_RDWR | O_CREAT | O_APPEND | O_EXCL, 0600);
		CHECK(fd >= 0);
		memset(zeros, 'x', sizeof zeros);
		CHECK_EQ(write(fd, zeros, sizeof zeros), sizeof zeros);
	}
	if (n % KEPT == KEPT / 2)
		CHECK_EQ(unlink("long"), 0);
	content_fill(want, sizeof want, n);
	CHECK_EQ(write(fd, want, sizeof want), sizeof want);
	nap_ms(8);
}

int main(void)
{
	rounds(check, change);
	pass();
}

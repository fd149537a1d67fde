/* Files deleted after a while, some of them open, and a directory with one. */
#include "files.h"

#define KEPT 5 /* rounds that a file lives */

static int open_file[KEPT];

static const char *name(const char *what, unsigned n)
{
	static char text[2][40];
	static int turn;

	turn = !turn;
	snprintf(text[turn], sizeof text[turn], "%s%u", what, n);
	return text[turn];
}

static void check(unsigned n)
{
	char have[6000], want[6000];

	for (unsigned i = n < KEPT ? 0 : n - KEPT; i < n; i++) {
		content_is(name("file", i), 20000, i);
		content_is(name("sub/file", i), 200, i);
		content_fill(want, 5000, i);
		CHECK_EQ(pread(open_file[i % KEPT], have, sizeof have, 0), 5000);
		CHECK(memcmp(have, want, 5000) == 0);
		CHECK(exists(name("open", i)));
		CHECK(exists(name("dir", i)));
	}
	CHECK(!exists(name("file", n)) && !exists(name("dir", n)) && !exists(name("open", n)));
}

static void change(unsigned n)
{
	char data[5000];

	content_put(name("file", n), O_EXCL, 20000, n);
	content_put(name("sub/file", n), O_EXCL, 200, n);
	CHECK_EQ(mkdir(name("dir", n), 0750), 0);
	if (n >= KEPT) {
		CHECK_EQ(unlink(name("file", n - KEPT)), 0);
		CHECK_EQ(unlink(name("sub/file", n - KEPT)), 0);
		CHECK_EQ(unlink(name("open", n - KEPT)), 0);
		CHECK_EQ(rmdir(name("dir", n - KEPT)), 0);
		CHECK_EQ(close(open_file[n % KEPT]), 0);
	}
	open_file[n % KEPT] = open(name("open", n), O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(open_file[n % KEPT] >= 0);
	content_fill(data, sizeof data, n);
	CHECK_EQ(write(open_file[n % KEPT], data, sizeof data), sizeof data);
}

int main(void)
{
	CHECK_EQ(mkdir("sub", 0700), 0);
	rounds(check, change);
	pass();
}

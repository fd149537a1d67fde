/* Bytes of an open file changed in place, small and large, and past its end. */
#include "files.h"

#define LARGE 700000

static int small, large;
static char have[LARGE + 100], want[LARGE + 100];

static void check(unsigned n)
{
	content_fill(want, 500, n);
	CHECK_EQ(pread(small, have, sizeof have, 0), 500);
	CHECK(memcmp(have, want, 500) == 0);
	content_fill(want, LARGE, 1);
	for (unsigned i = 0; i < n; i++)
		want[i * 7919 % LARGE] = (char)i;
	CHECK_EQ(pread(large, have, sizeof have, 0), LARGE);
	CHECK(memcmp(have, want, LARGE) == 0);
}

static void change(unsigned n)
{
	char byte = (char)n;

	content_fill(want, 500, n + 1);
	CHECK_EQ(pwrite(small, want, 500, 0), 500);
	CHECK_EQ(pwrite(large, &byte, 1, n * 7919 % LARGE), 1);
}

int main(void)
{
	small = open("small", O_RDWR | O_CREAT | O_EXCL, 0600);
	large = open("large", O_RDWR | O_CREAT | O_EXCL, 0600);
	content_fill(want, LARGE, 1);
	CHECK_EQ(write(large, want, LARGE), LARGE);
	content_fill(want, 500, 0);
	CHECK_EQ(write(small, want, 500), 500);
	rounds(check, change);
	pass();
}

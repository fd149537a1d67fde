/* A file changed through a shared mapping alone: no time stamp tells. */
#include "files.h"

#define BYTES 200000

static unsigned char *at;

static void check(unsigned n)
{
	for (unsigned i = 0; i < BYTES; i++)
		CHECK_EQ(at[i], i % 199 + (i < n ? 1 : 0));
}

static void change(unsigned n)
{
	at[n]++;
}

int main(void)
{
	int fd = open("mapped", O_RDWR | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, BYTES), 0);
	at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	CHECK_EQ(close(fd), 0);
	for (unsigned i = 0; i < BYTES; i++)
		at[i] = i % 199;
	rounds(check, change);
	pass();
}

/* A file mapped privately: own changes stay own, the rest follows the file, protections can change. */
#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>

#define SIZE (16 * 4096)

int main(void)
{
	int fd = open("data", O_CREAT | O_RDWR | O_EXCL, 0644), read_only;
	static unsigned char text[SIZE];
	unsigned char *a, *b, byte;

	CHECK(fd >= 0);
	for (int i = 0; i < SIZE; i++)
		text[i] = (unsigned char)(i / 100);
	CHECK_EQ(write(fd, text, SIZE), SIZE);
	read_only = open("data", O_RDONLY);
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, read_only, 0);
	b = mmap(NULL, SIZE - 8192, PROT_READ, MAP_PRIVATE, read_only, 8192);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	close(read_only);
	a[3 * 4096 + 17] = 99;
	a[4 * 4096 + 17] = 98;
	CHECK_EQ(mprotect(a + 4 * 4096, 4096, PROT_READ), 0);
	memset(a + 5 * 4096, 0, 4096);
	ready();
	wait_go();
	for (int i = 0; i < SIZE; i++) {
		int want = text[i];

		if (i / 4096 == 5)
			want = 0;
		if (i == 3 * 4096 + 17 || i == 4 * 4096 + 17)
			want = 102 - i / 4096;
		CHECK_EQ(a[i], want);
	}
	CHECK_EQ(pread(fd, &byte, 1, 3 * 4096 + 17), 1);
	CHECK_EQ(byte, text[3 * 4096 + 17]);
	CHECK(memcmp(b, text + 8192, SIZE - 8192) == 0);
	/* An untouched page still is the file's. */
	CHECK_EQ(pwrite(fd, "\x07", 1, 8 * 4096), 1);
	CHECK_EQ(*(volatile unsigned char *)&a[8 * 4096], 7);
	CHECK_EQ(madvise(a, SIZE, MADV_DONTNEED), 0);
	CHECK_EQ(a[5 * 4096], text[5 * 4096]);
	CHECK_EQ(mprotect(a + 4 * 4096, 4096, PROT_READ | PROT_WRITE), 0);
	a[4 * 4096] = 1;
	pass();
}

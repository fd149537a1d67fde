/* A file mapped shared by two processes: what one writes the other and the file see, before and after. */
#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>

#define SIZE (64 * 4096)

int main(void)
{
	int fd = open("data", O_CREAT | O_RDWR | O_EXCL, 0644);
	unsigned char *a, *part, byte;
	pid_t child;

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, SIZE), 0);
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	part = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 5 * 4096);
	CHECK(a != MAP_FAILED && part != MAP_FAILED);
	close(fd);
	for (int i = 0; i < SIZE; i++)
		a[i] = (unsigned char)(i * 3 + i / 4096);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		wait_go();
		while (!*(volatile unsigned char *)&a[SIZE - 1])
			nap_ms(2);
		CHECK_EQ(a[0], 200);
		a[1] = 201;
		_exit(0);
	}
	a[SIZE - 1] = 0;
	ready();
	wait_go();
	for (int i = 0; i < SIZE - 1; i++)
		CHECK_EQ(a[i], (unsigned char)(i * 3 + i / 4096));
	CHECK_EQ(part[9], a[5 * 4096 + 9]);
	a[0] = 200;
	a[5 * 4096] = 202;
	a[SIZE - 1] = 1;
	reap_ok(child);
	CHECK_EQ(a[1], 201);
	CHECK_EQ(part[0], 202);
	fd = open("data", O_RDONLY);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 200);
	pass();
}

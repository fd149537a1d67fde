/* Files that were deleted while mapped, shared and private, with no descriptor left. */
#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>

#define SIZE (20 * 4096)

static unsigned char *map(const char *path, int how)
{
	int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0644);
	unsigned char *a;

	CHECK(fd >= 0);
	for (int i = 0; i < SIZE / 8; i++)
		CHECK_EQ(write(fd, &(long){i * 31l}, 8), 8);
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, how, fd, 0);
	CHECK(a != MAP_FAILED);
	close(fd);
	CHECK_EQ(unlink(path), 0);
	return a;
}

static void check(const unsigned char *a, long first)
{
	const long *words = (const long *)a;

	CHECK_EQ(words[0], first);
	for (int i = 1; i < SIZE / 8; i++)
		CHECK_EQ(words[i], i * 31l);
}

int main(void)
{
	unsigned char *shared = map("one", MAP_SHARED), *private = map("two", MAP_PRIVATE);
	pid_t child;

	*(long *)shared = 11;
	*(long *)private = 12;
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		wait_go();
		check(shared, 11);
		check(private, 12);
		*(long *)private = 99;
		*(long *)shared = 13;
		_exit(0);
	}
	ready();
	wait_go();
	reap_ok(child);
	check(shared, 13);
	check(private, 12);
	pass();
}

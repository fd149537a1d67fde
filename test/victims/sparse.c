/* 64 GiB of address space without reserve, a few pages of it in use. */
#include "victim.h"

#include <sys/mman.h>

#define SIZE (64l << 30)
#define STEP (1021l << 20)

int main(void)
{
	char *a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (a == MAP_FAILED)
		skip("no 64 GiB of address space here");
	CHECK_EQ(madvise(a, SIZE, MADV_NOHUGEPAGE), 0);
	for (long at = 0; at < SIZE; at += STEP)
		*(long *)(a + at) = at + 1;
	a[SIZE - 1] = 77;
	ready();
	wait_go();
	for (long at = 0; at < SIZE; at += STEP) {
		CHECK_EQ(*(long *)(a + at), at + 1);
		CHECK_EQ(*(long *)(a + at + 8192), 0);
	}
	CHECK_EQ(a[SIZE - 1], 77);
	pass();
}

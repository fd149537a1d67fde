/* 256 MiB of a pattern that does not compress well, compared word for word. */
#include "victim.h"

#include <sys/mman.h>

#define WORDS (32l << 20)

static uint64_t next(uint64_t x)
{
	return x * 6364136223846793005ull + 1442695040888963407ull;
}

int main(void)
{
	uint64_t *a = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t x = 42;

	CHECK(a != MAP_FAILED);
	for (long i = 0; i < WORDS; i++, x = next(x))
		a[i] = i / 512 % 4 ? x >> 32 : x;
	ready();
	wait_go();
	x = 42;
	for (long i = 0; i < WORDS; i++, x = next(x))
		if (a[i] != (i / 512 % 4 ? x >> 32 : x))
			CHECK_EQ(i, -1); /* says where */
	pass();
}

/* Advice that changes what a fork does: DONTFORK areas are missing in the child, WIPEONFORK ones empty. */
#include "victim.h"

#include <sys/mman.h>

#define SIZE (8 * 4096)

static char *area(int advice)
{
	char *a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(a != MAP_FAILED);
	memset(a, 5, SIZE);
	CHECK_EQ(madvise(a, SIZE, advice), 0);
	return a;
}

static bool mapped(void *a)
{
	unsigned char present[SIZE / 4096];

	return mincore(a, SIZE, present) == 0;
}

int main(void)
{
	char *missing = area(MADV_DONTFORK), *wiped = area(MADV_WIPEONFORK), *usual = area(MADV_NORMAL);
	char *no_dump = area(MADV_DONTDUMP);
	pid_t child;

	ready();
	wait_go();
	CHECK(missing[9] == 5 && wiped[9] == 5 && usual[9] == 5 && no_dump[9] == 5);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(!mapped(missing));
		CHECK(mapped(wiped) && wiped[9] == 0 && wiped[SIZE - 1] == 0);
		CHECK(usual[9] == 5 && no_dump[9] == 5);
		_exit(0);
	}
	reap_ok(child);
	pass();
}

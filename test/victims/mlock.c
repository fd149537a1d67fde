/* Locked memory stays locked and keeps its content. */
#include "victim.h"

#include <sys/mman.h>

#define SIZE (4 * 4096)

/* VmLck of ourselves, in KiB. */
static long locked_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "re");

	CHECK(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "VmLck: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

int main(void)
{
	char *a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long before;

	CHECK(a != MAP_FAILED);
	memset(a, 3, SIZE);
	if (mlock(a, SIZE) < 0)
		skip("not allowed to lock 16 KiB");
	before = locked_kib();
	CHECK_EQ(before, SIZE / 1024);
	ready();
	wait_go();
	CHECK_EQ(locked_kib(), before);
	for (int i = 0; i < SIZE; i++)
		CHECK_EQ(a[i], 3);
	CHECK_EQ(munlock(a, SIZE), 0);
	CHECK_EQ(locked_kib(), 0);
	pass();
}

/* 3000 separate areas, every other page of another protection. */
#include "victim.h"

#include <sys/mman.h>

#define AREAS 3000

int main(void)
{
	char *a = mmap(NULL, AREAS * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(a != MAP_FAILED);
	for (int i = 0; i < AREAS; i++)
		*(int *)(a + i * 4096L) = i * 17;
	for (int i = 1; i < AREAS; i += 2)
		CHECK_EQ(mprotect(a + i * 4096L, 4096, PROT_READ), 0);
	ready();
	wait_go();
	for (int i = 0; i < AREAS; i++) {
		CHECK_EQ(*(int *)(a + i * 4096L), i * 17);
		CHECK_EQ(*(int *)(a + i * 4096L + 2048), 0);
	}
	for (int i = 1; i < AREAS; i += 2)
		CHECK_EQ(mprotect(a + i * 4096L, 4096, PROT_READ | PROT_WRITE), 0);
	memset(a, 1, AREAS * 4096L);
	pass();
}

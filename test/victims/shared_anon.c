/* Anonymous shared memory over fork: the content comes back, and it is still one memory for all. */
#include "victim.h"

#include <sys/mman.h>

#define SIZE (40 * 4096)
#define CHILDREN 3

int main(void)
{
	volatile unsigned char *a, *again;
	pid_t children[CHILDREN];

	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(a != MAP_FAILED);
	for (int i = 0; i < SIZE; i++)
		a[i] = (unsigned char)(i % 250);
	/* A second view, of the upper half, moved to another address. */
	again = mremap((void *)(a + SIZE / 2), 0, SIZE / 2, MREMAP_MAYMOVE);
	CHECK(again != MAP_FAILED);
	for (int c = 0; c < CHILDREN; c++) {
		children[c] = fork();
		CHECK(children[c] >= 0);
		if (children[c] == 0) {
			wait_go();
			for (int i = 4096; i < SIZE; i++)
				CHECK_EQ(a[i], i % 250);
			a[c] = (unsigned char)(251 + c);
			while (a[100] != 255)
				nap_ms(2);
			_exit(0);
		}
	}
	ready();
	wait_go();
	for (int i = CHILDREN; i < SIZE; i++)
		CHECK_EQ(a[i], i % 250);
	for (int c = 0; c < CHILDREN; c++)
		for (int i = 0; i < 5000 && a[c] != 251 + c; i++)
			nap_ms(2);
	for (int c = 0; c < CHILDREN; c++)
		CHECK_EQ(a[c], 251 + c);
	a[100] = 255;
	for (int c = 0; c < CHILDREN; c++)
		reap_ok(children[c]);
	a[SIZE / 2 + 5] = 254;
	CHECK_EQ(again[5], 254);
	pass();
}

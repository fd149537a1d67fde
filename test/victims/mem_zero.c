/* Pages never touched, pages zeroed, and zeroes between data: all read as they were. */
#include "victim.h"

#include <sys/mman.h>

#define PAGES 512

int main(void)
{
	static unsigned char in_bss[64 * 4096];
	unsigned char *a = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(a != MAP_FAILED);
	for (int i = 0; i < PAGES; i += 3) {
		memset(a + i * 4096, i & 0xff, 4096);
		if (i % 2)
			memset(a + i * 4096, 0, 4096);
	}
	a[7 * 4096 + 4095] = 1;
	in_bss[33 * 4096] = 9;
	ready();
	wait_go();
	for (int i = 0; i < PAGES; i++)
		for (int j = 0; j < 4096; j++) {
			int want = i % 3 == 0 && i % 2 == 0 ? i & 0xff : 0;

			if (i == 7 && j == 4095)
				want = 1;
			CHECK_EQ(a[i * 4096 + j], want);
		}
	for (int i = 0; i < (int)sizeof in_bss; i++)
		CHECK_EQ(in_bss[i], i == 33 * 4096 ? 9 : 0);
	pass();
}

/* Touches MIB of memory, 4 MiB at a time, as fast as it can: what a cgroup limits. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STEP (4 << 20)

int main(int argc, char **argv)
{
	int steps = argc > 1 ? atoi(argv[1]) / 4 : 100;
	unsigned long sum = 0;

	for (int i = 0; i < steps; i++) {
		unsigned char *p = mmap(NULL, STEP, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 1;
		for (int k = 0; k < STEP; k += 64)
			p[k] = (unsigned char)(rand() >> 7);
		sum = sum * 31 + p[i * 64];
		printf("%d %lu\n", i, sum);
		fflush(stdout);
	}
	printf("end %lu\n", sum);
	return 0;
}

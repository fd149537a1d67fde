/* OpenMP with more threads than cores: spinning and sleeping at barriers. */
#include <stdio.h>

int main(void)
{
	unsigned long long sum = 0;
	static double field[1 << 16], next[1 << 16];

	for (int round = 0; round < 300; round++) {
		unsigned long long part = 0;
#pragma omp parallel for reduction(+ : part) schedule(dynamic, 4096)
		for (long i = 0; i < 20000000; i++) {
			unsigned long long x = i * 2654435761ULL + round;

			x ^= x >> 13;
			x *= 0x5bd1e995;
			part += x ^ x >> 15;
		}
		sum += part;
#pragma omp parallel for
		for (int i = 0; i < 1 << 16; i++)
			next[i] = (field[i] + (double)(sum % (i + 2))) / 2;
#pragma omp parallel for
		for (int i = 0; i < 1 << 16; i++)
			field[i] = next[(i * 7 + 1) & 0xffff];
		printf("%d %llu %.6f\n", round, sum, field[round]);
		fflush(stdout);
	}
	return 0;
}

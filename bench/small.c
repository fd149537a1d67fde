/*
 * Small work for benchmarks.
 *   small malloc MILLIONS   pairs of malloc and free; prints nanoseconds per pair
 *   small processes N       N processes that wake three times a second and write a
 *                           byte, until killed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int pairs(long millions)
{
	double began = now_ns();

	for (long i = 0; i < millions * 1000000; i++) {
		void *p = malloc(64);

		__asm__ volatile("" ::"r"(p) : "memory");
		free(p);
	}
	printf("%.3f\n", (now_ns() - began) / ((double)millions * 1e6));
	return 0;
}

static int processes(int n)
{
	for (int i = 0; i < n; i++) {
		FILE *f;

		if (fork() != 0)
			continue;
		f = tmpfile();
		for (;;) {
			usleep(333333);
			if (f && fputc('x', f) != EOF)
				fflush(f);
		}
	}
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "malloc"))
		return pairs(atol(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "processes"))
		return processes(atoi(argv[2]));
	return 2;
}

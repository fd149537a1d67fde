/* 32 threads that fill blocks of their own; all of them fail at about the same
 * time. The sum is known. Never a NULL. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 32
#define BLOCKS 24
#define BYTES (1 << 20)

static void *work(void *arg)
{
	unsigned long sum = 0, me = (unsigned long)arg;
	unsigned char *block[BLOCKS];

	for (int i = 0; i < BLOCKS; i++) {
		block[i] = malloc(BYTES);
		if (!block[i])
			return (void *)-1ul;
		memset(block[i], (int)(me + (unsigned)i) & 0xff, BYTES);
		usleep(10000);
	}
	for (int i = 0; i < BLOCKS; i++) {
		for (int k = 0; k < BYTES; k += 4096)
			sum = sum * 33 + block[i][k];
		free(block[i]);
	}
	return (void *)(sum >> 1);
}

int main(void)
{
	pthread_t id[THREADS];
	unsigned long all = 0;

	for (unsigned long i = 0; i < THREADS; i++)
		if (pthread_create(&id[i], NULL, work, (void *)i) != 0) {
			puts("no thread");
			return 2;
		}
	for (int i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(id[i], &result);
		if (result == (void *)-1ul) {
			puts("NULL seen");
			return 1;
		}
		all = all * 31 + (unsigned long)result;
	}
	printf("%lx\n", all);
	return 0;
}

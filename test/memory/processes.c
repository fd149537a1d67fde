/* Four processes that grow side by side, and a parent that collects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 30
#define BYTES (4 << 20)

static int grow(int me)
{
	unsigned char *block[BLOCKS];
	unsigned sum = 0;

	for (int i = 0; i < BLOCKS; i++) {
		block[i] = calloc(1, BYTES);
		if (!block[i])
			return 255;
		memset(block[i], me * 16 + i, BYTES / 2);
		usleep(15000);
	}
	for (int i = 0; i < BLOCKS; i++)
		for (int k = 0; k < BYTES; k += 4096)
			sum = sum * 7 + block[i][k];
	return (int)(sum % 200);
}

int main(void)
{
	pid_t id[4];

	for (int i = 0; i < 4; i++) {
		id[i] = fork();
		if (id[i] == 0)
			_exit(grow(i));
	}
	for (int i = 0; i < 4; i++) {
		int status;

		waitpid(id[i], &status, 0);
		printf("%d: %x\n", i, (unsigned)status);
	}
	return 0;
}

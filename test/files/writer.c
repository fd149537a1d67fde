/*
 * One program that uses files in many ways at once: a log by O_APPEND and a longer one
 * kept by its length, records changed in place, a mapped file, a header rewritten at
 * the end, an open file truncated, one deleted while open. Its own bookkeeping
 * is compared with the files at each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STEPS 600
#define RECORDS 20000

#define MUST(x)                                                            \
	do {                                                               \
		if (!(x)) {                                                \
			printf("line %d, step %d: %s (errno %d)\n", __LINE__, step, #x, errno); \
			exit(1);                                           \
		}                                                          \
	} while (0)

static int step;
static uint32_t records[RECORDS], have[RECORDS];

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -1 : st.st_size;
}

int main(void)
{
	static char block[50000];
	int log = open("result.log", O_WRONLY | O_CREAT | O_APPEND | O_EXCL, 0644);
	int longer = open("result.long", O_WRONLY | O_CREAT | O_EXCL, 0644);
	int data = open("result.data", O_RDWR | O_CREAT | O_EXCL, 0644);
	int map = open("result.map", O_RDWR | O_CREAT | O_EXCL, 0644);
	int scratch = open("scratch", O_RDWR | O_CREAT | O_EXCL, 0644);
	uint32_t *mapped;
	off_t logged = 0, written = 64;

	MUST(log >= 0 && longer >= 0 && data >= 0 && map >= 0 && scratch >= 0);
	MUST(write(data, records, sizeof records) == sizeof records);
	MUST(ftruncate(map, sizeof records) == 0);
	mapped = mmap(NULL, sizeof records, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	MUST(mapped != MAP_FAILED);
	MUST(lseek(longer, 64, SEEK_SET) == 64);
	for (step = 0; step < STEPS; step++) {
		struct timespec nap = {0, 5000000};
		int n;

		MUST(size_of(log) == logged && size_of(longer) == (step ? written : 0));
		MUST(pread(data, have, sizeof have, 0) == sizeof have);
		MUST(memcmp(have, records, sizeof have) == 0);
		MUST(memcmp(mapped, records, sizeof have) == 0);
		MUST(size_of(scratch) == (step % 7) * 1000);
		for (int i = 0; i < 50; i++) {
			uint32_t at = (uint32_t)(step * 131 + i * 397) % RECORDS;

			records[at] = records[at] * 31 + (uint32_t)step + 1;
			MUST(pwrite(data, &records[at], 4, at * 4) == 4);
			mapped[at] = records[at];
		}
		n = dprintf(log, "step %d %u\n", step, records[step]);
		logged += n;
		memset(block, 'a' + step % 26, sizeof block);
		MUST(write(longer, block, sizeof block) == sizeof block);
		written += sizeof block;
		if (step % 7 == 6)
			MUST(ftruncate(scratch, 0) == 0);
		else
			MUST(pwrite(scratch, block, 1000, step % 7 * 1000) == 1000);
		if (step % 7 == 6) {
			MUST(unlink("scratch") == 0 && close(scratch) == 0);
			scratch = open("scratch", O_RDWR | O_CREAT | O_EXCL, 0644);
			MUST(scratch >= 0);
		}
		nanosleep(&nap, NULL);
	}
	snprintf(block, 64, "header: %lld bytes", (long long)written);
	MUST(pwrite(longer, block, 64, 0) == 64);
	printf("%lld %lld %u\n", (long long)logged, (long long)written, records[7]);
	return 0;
}

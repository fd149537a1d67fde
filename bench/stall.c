/*
 * A program that notices every interruption. It holds N GiB of memory, changes
 * some of it all the time, and looks at the clock after each change (every few
 * microseconds): what is longer between two looks than its own work is a stall,
 * be it a checkpoint or the scheduler.
 *
 *   stall hold GIB random|heap|zero   until SIGTERM; then the three longest gaps
 *   stall count MILLIONS              a fixed amount of work; then how long it took,
 *                                     and how much of that on a processor
 *
 * `hold` prints "ready" when its memory is filled, forgets its gaps at SIGUSR2,
 * and prints the wall-clock time at which every gap over 100 ms ended.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define GIB (1ul << 30)
#define LONG_NS 100000000ull

static volatile sig_atomic_t ended, forget;

static void on_signal(int sig)
{
	if (sig == SIGTERM)
		ended = 1;
	else
		forget = 1;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t mix(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Like a program's heap: nodes with pointers, counters, measured values, a name
 * and room to grow. The image says how much zstd makes of it. */
struct node {
	uint64_t next, previous, count;
	double value[4];
	char name[24];
	uint64_t spare[6];
};

static void fill(char *memory, uint64_t bytes, const char *content)
{
	uint64_t state = 1;

	if (strcmp(content, "random") == 0) {
		for (uint64_t i = 0; i < bytes; i += 8) {
			uint64_t value = mix(&state);

			memcpy(memory + i, &value, 8);
		}
	} else if (strcmp(content, "heap") == 0) {
		for (uint64_t i = 0; i + sizeof(struct node) <= bytes; i += sizeof(struct node)) {
			struct node *node = (struct node *)(void *)(memory + i);
			uint64_t r = mix(&state);

			node->next = (uint64_t)(uintptr_t)memory + r % (bytes / 128) * 128;
			node->previous = (uint64_t)(uintptr_t)node - 128;
			node->count = r >> 54;
			for (int k = 0; k < 4; k++)
				node->value[k] = (double)(mix(&state) >> 44) / 7;
			snprintf(node->name, sizeof node->name, "node-%" PRIu64, i / 128);
		}
	} else if (strcmp(content, "zero") == 0) {
		for (uint64_t i = 0; i < bytes; i += PAGE) /* a sixteenth holds something */
			memory[i] = i < bytes / 16;
	} else {
		fprintf(stderr, "stall: content is random, heap or zero, not %s\n", content);
		exit(2);
	}
}

static void note_gap(uint64_t gap, uint64_t longest[3])
{
	for (int i = 0; i < 3; i++)
		if (gap > longest[i]) {
			memmove(longest + i + 1, longest + i, (size_t)(2 - i) * sizeof *longest);
			longest[i] = gap;
			return;
		}
}

static int hold(uint64_t bytes, const char *content)
{
	uint64_t longest[3] = {0}, state = 2, last;
	struct sigaction action = {.sa_handler = on_signal};
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("stall: memory");
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	fill(memory, bytes, content);
	printf("ready\n");
	fflush(stdout);
	for (last = now_ns(CLOCK_MONOTONIC); !ended;) {
		uint64_t now;

		for (int i = 0; i < 8; i++)
			memory[mix(&state) % (bytes / 16) / PAGE * PAGE + 8] ^= 1;
		now = now_ns(CLOCK_MONOTONIC);
		if (forget) {
			memset(longest, 0, sizeof longest);
			forget = 0;
			last = now;
		}
		note_gap(now - last, longest);
		if (now - last > LONG_NS) {
			printf("gap %.1f ms until %" PRIu64 "\n", (double)(now - last) / 1e6,
				now_ns(CLOCK_REALTIME));
			fflush(stdout);
			now = now_ns(CLOCK_MONOTONIC);
		}
		last = now;
	}
	printf("longest %.2f %.2f %.2f ms\n", (double)longest[0] / 1e6, (double)longest[1] / 1e6,
		(double)longest[2] / 1e6);
	return 0;
}

static int count(uint64_t millions)
{
	static uint64_t table[1 << 20];
	uint64_t state = 3, start = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (uint64_t i = 0; i < millions * 1000000; i++) {
		uint64_t r = mix(&state);

		table[r >> 44] += r;
	}
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("took %.1f ms cpu %.1f ms %" PRIx64 "\n",
		(double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6, (double)cpu / 1e6, table[7]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold((uint64_t)(atof(argv[2]) * (double)GIB) / PAGE * PAGE, argv[3]);
	if (argc == 3 && strcmp(argv[1], "count") == 0)
		return count(strtoull(argv[2], NULL, 10));
	fprintf(stderr, "usage: stall hold GIB random|heap|zero | stall count MILLIONS\n");
	return 2;
}

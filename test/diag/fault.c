/* Dies in the way that its argument names: one line of source for each, so that
 * the tests can compare it. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int zero;
static int *volatile pointer;
static const char constant[] = "constant";

__attribute__((noinline)) static void null_write(void)
{
	*pointer = 1; /* null-write */
}

__attribute__((noinline)) static int null_member(void)
{
	return ((int *)pointer)[25];
}

__attribute__((noinline)) static void wild(void)
{
	pointer = (int *)0x123450000;
	*pointer = 1;
}

__attribute__((noinline)) static void read_only(void)
{
	*(char *volatile)constant = 'x';
}

__attribute__((noinline)) static void non_canonical(void)
{
	pointer = (int *)0x8000dead00000000;
	*pointer = 1;
}

__attribute__((noinline)) static void run_data(void)
{
	static char data[16] = "\xc3";

	((void (*)(void))(void *)data)();
}

__attribute__((noinline)) static int divide(void)
{
	return 100 / zero; /* divide */
}

/* TILERELEASE (AMX) without permission, or on a processor that has none. */
__attribute__((noinline)) static void new_instruction(void)
{
	__asm__ volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0xc0");
}

__attribute__((noinline)) static void trap(void)
{
	__builtin_trap();
}

__attribute__((noinline)) static int deep(int n)
{
	volatile char frame[4096];

	memset((char *)frame, n, sizeof frame);
	return deep(n + 1) + frame[n & 4095];
}

/* Of a thread with an alternate stack: only so can an overflow be told. */
static void *overflow(void *arg)
{
	stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536};

	sigaltstack(&s, NULL);
	return (void *)(long)deep(0);
}

static void in_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, overflow, NULL);
	pthread_join(t, NULL);
}

/* A mapped file that somebody cuts back. */
static void truncated(void)
{
	int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *map;

	if (fd < 0 || ftruncate(fd, 8192) < 0)
		exit(1);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ftruncate(fd, 100) < 0)
		exit(1);
	map[5000] = 1;
}

static void no_memory(void)
{
	void *p = malloc((size_t)1 << 30);

	if (!p) {
		fprintf(stderr, "fault: no room for the table\n");
		exit(1);
	}
	memset(p, 1, 4096);
}

static void unchecked(void)
{
	*(int *)malloc((size_t)1 << 30) = 1;
}

/* More than its cgroup may have, before anybody can look. */
static void hog(void)
{
	size_t bytes = (size_t)1 << 30;

	mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
		0);
	memset(malloc(bytes), 1, bytes);
}

static void busy(void)
{
	for (;;)
		zero = 0;
}

static const struct {
	const char *name;
	void (*run)(void);
} all[] = {{"null-write", null_write}, {"null-member", (void (*)(void))null_member}, {"wild", wild},
	{"read-only", read_only}, {"non-canonical", non_canonical}, {"run-data", run_data},
	{"divide", (void (*)(void))divide}, {"new-instruction", new_instruction}, {"trap", trap},
	{"overflow", in_thread}, {"truncated", truncated}, {"no-memory", no_memory},
	{"unchecked", unchecked}, {"hog", hog}, {"busy", busy}};

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "assert"))
		assert(zero == 1);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(all[i].name, what))
			all[i].run();
	return 0;
}

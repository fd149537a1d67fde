/*
 * A call has failed: report it, and hold the thread if it failed for lack of
 * memory. Runs anywhere a program may call malloc, so it makes system calls only
 * and takes no lock.
 *
 * What is held: ENOMEM, and EAGAIN of pthread_create when there is no room for a
 * stack. What is not: sizes beyond the machine's memory and swap (bugs, and
 * allocators that probe); mappings that only reserve addresses (PROT_NONE)
 * and huge pages, for whose failure programs are prepared; growing in place; a break that another mapping stands in the way of.
 *
 * A held thread reads the FIFO `hold`, of which cragon has the write end, until
 * end of file. It may have been checkpointed and resumed meanwhile: the read goes
 * on with the FIFO of that name in the place where the job is resumed.
 */
#include "interpose/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REPORTS_MAX 10000 /* of one process; then every power of two */
#define PATH_BYTES 4096

enum mode { MODE_UNKNOWN, MODE_OFF, MODE_HOLD, MODE_FAIL };

static char directory[PATH_BYTES - 64];
static int mode;

/* The environment is read once, before the program can change it. */
static __attribute__((constructor)) void read_mode(void)
{
	const char *value = getenv(WIRE_ENVIRONMENT);
	int found = MODE_OFF;

	if (__atomic_load_n(&mode, __ATOMIC_ACQUIRE) != MODE_UNKNOWN)
		return;
	if (value && (!strncmp(value, "hold:", 5) || !strncmp(value, "fail:", 5)) &&
		strlen(value + 5) < sizeof directory) {
		memcpy(directory, value + 5, strlen(value + 5) + 1);
		found = *value == 'h' ? MODE_HOLD : MODE_FAIL;
	}
	__atomic_store_n(&mode, found, __ATOMIC_RELEASE);
}

static int get_mode(void)
{
	int m = __atomic_load_n(&mode, __ATOMIC_ACQUIRE);

	if (m != MODE_UNKNOWN)
		return m;
	read_mode();
	return __atomic_load_n(&mode, __ATOMIC_ACQUIRE);
}

bool wire_path(char *path, size_t size, const char *name)
{
	size_t a, b = strlen(name);
	int m = get_mode();

	if (m != MODE_HOLD && m != MODE_FAIL)
		return false;
	a = strlen(directory);
	if (a + b + 2 > size)
		return false;
	memcpy(path, directory, a);
	path[a] = '/';
	memcpy(path + a + 1, name, b + 1);
	return true;
}

static int open_wire(const char *name, int flags)
{
	char path[PATH_BYTES];

	if (!wire_path(path, sizeof path, name))
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NONBLOCK, 0);
}

/* ---- is it for lack of memory? ----------------------------------------------- */

static bool fits_machine(uint64_t bytes)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return true;
	return bytes <= ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

static bool can_map(uint64_t bytes)
{
	long p = syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (p == -1)
		return errno != ENOMEM;
	syscall(SYS_munmap, p, bytes);
	return true;
}

static enum wire_reason reason_of(
	enum wire_function function, int error, uint64_t bytes, const uint64_t argument[5])
{
	if (function == CALL_pthread_create ? error != EAGAIN : error != ENOMEM)
		return REASON_OTHER_ERROR;
	if (!fits_machine(bytes))
		return REASON_ABSURD;
	if (function == CALL_mmap || function == CALL_mmap64) {
		int flags = (int)argument[3];

		if (argument[2] == PROT_NONE || flags & MAP_HUGETLB)
			return REASON_RESERVATION;
	}
	if (function == CALL_mremap && !(argument[3] & MREMAP_MAYMOVE))
		return REASON_IN_PLACE;
	if ((function == CALL_brk || function == CALL_sbrk) && can_map(bytes))
		return REASON_LAYOUT;
	if (function == CALL_pthread_create && can_map(bytes))
		return REASON_THREADS;
	return get_mode() == MODE_FAIL ? REASON_MODE : REASON_HELD;
}

/* ---- telling and waiting --------------------------------------------------------- */

/* A program may probe for memory a million times. */
static bool worth_telling(void)
{
	static uint64_t count;
	uint64_t n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);

	return n <= REPORTS_MAX || (n & (n - 1)) == 0;
}

/* A record that is not waited for may be lost when cragon is slow. */
static bool tell(struct wire_call *call)
{
	static uint64_t dropped;
	int fd = open_wire(WIRE_CALLS, O_WRONLY);
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	bool told = false;

	if (fd < 0)
		return false; /* ENXIO: nobody reads */
	call->dropped = __atomic_load_n(&dropped, __ATOMIC_RELAXED);
	for (;;) {
		long n = syscall(SYS_write, fd, call, sizeof *call);

		told = n == sizeof *call;
		if (told || call->reason != REASON_HELD || (errno != EAGAIN && errno != EINTR))
			break;
		syscall(SYS_poll, &room, 1, 100);
	}
	if (!told)
		__atomic_add_fetch(&dropped, 1, __ATOMIC_RELAXED);
	syscall(SYS_close, fd);
	return told;
}

static void wait_for_end_of_file(int fd)
{
	char ignored[64];
	long n;

	do
		n = syscall(SYS_read, fd, ignored, sizeof ignored);
	while (n > 0 || (n < 0 && errno == EINTR));
}

static bool hold(struct wire_call *call)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd;

	if (!wire_path(path, sizeof path, WIRE_PASS))
		return false;
	if (syscall(SYS_faccessat, AT_FDCWD, path, 0) == 0) {
		call->reason = REASON_PASSED;
		return false;
	}
	/* Opened before cragon hears of it, so that its answer cannot be missed. */
	fd = open_wire(WIRE_HOLD, O_RDONLY);
	if (fd >= 0 && syscall(SYS_fstat, fd, &st) == 0)
		call->waits_for = st.st_ino;
	if (fd < 0 || syscall(SYS_fcntl, fd, F_SETFL, 0) < 0 || !tell(call)) {
		if (fd >= 0)
			syscall(SYS_close, fd);
		call->reason = REASON_UNREACHABLE;
		return false;
	}
	wait_for_end_of_file(fd);
	syscall(SYS_close, fd);
	return true;
}

bool call_failed(enum wire_function function, int error, uint64_t bytes, const uint64_t argument[5],
	const void *caller)
{
	int saved = errno;
	bool again = false;
	struct wire_call call;

	if (get_mode() == MODE_OFF)
		return false;
	call = (struct wire_call){
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.function = (uint16_t)function,
		.pid = (int32_t)syscall(SYS_getpid),
		.tid = (int32_t)syscall(SYS_gettid),
		.error = error,
		.reason = reason_of(function, error, bytes, argument),
		.bytes = bytes,
		.caller = (uint64_t)caller,
	};
	for (int i = 0; i < 5; i++)
		call.argument[i] = argument[i];
	if (call.reason == REASON_HELD)
		again = hold(&call);
	if (!again && worth_telling())
		(void)tell(&call);
	errno = saved;
	return again;
}

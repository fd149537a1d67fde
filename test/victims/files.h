/*
 * What victims that write files share. Each goes round without pause: it looks
 * whether its files are exactly what its memory says, then changes them. After a
 * resume memory is that of the checkpoint, so the files have to be too.
 */
#ifndef CRAGON_VICTIM_FILES_H
#define CRAGON_VICTIM_FILES_H

#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Content number `n` of `bytes` bytes: no two numbers share a byte's place and value often. */
static inline void content_fill(char *data, size_t bytes, unsigned n)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)((i * 7 + n * 31 + (i >> 8) * n) % 251);
}

/* Closed again, as a shell's > does. */
static inline void content_put(const char *path, int flags, size_t bytes, unsigned n)
{
	static char data[1 << 20];
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

	if (fd < 0)
		dprintf(1, "%s:\n", path);
	CHECK(fd >= 0);
	content_fill(data, bytes, n);
	CHECK_EQ(write(fd, data, bytes), bytes);
	CHECK_EQ(close(fd), 0);
}

static inline void content_is(const char *path, size_t bytes, unsigned n)
{
	static char want[1 << 20], have[1 << 20];
	int fd = open(path, O_RDONLY);
	ssize_t size;

	if (fd < 0)
		dprintf(1, "%s:\n", path);
	CHECK(fd >= 0);
	size = read(fd, have, sizeof have);
	content_fill(want, bytes, n);
	if (size != (ssize_t)bytes || memcmp(want, have, bytes) != 0)
		dprintf(1, "%s: %zd bytes, should hold content %u in %zu\n", path, size, n, bytes);
	CHECK_EQ(size, bytes);
	CHECK(memcmp(want, have, bytes) == 0);
	CHECK_EQ(close(fd), 0);
}

static inline bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* Rounds until told to stop; ready after the third. */
static inline void rounds(void (*check)(unsigned n), void (*change)(unsigned n))
{
	for (unsigned n = 0; n < 20 || !gone_on(); n++) {
		check(n);
		change(n);
		if (n == 2)
			ready();
		nap_ms(2);
	}
}
#endif

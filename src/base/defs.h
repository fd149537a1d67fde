/*
 * The handful of definitions that every file may use: cleanup attributes,
 * array length, and saturating helpers. No functions with policy live here.
 *
 * Ownership idiom: every owned thing is declared together with the attribute
 * that releases it, and handed over with steal_fd() or steal_ptr().
 */
#ifndef CRAGON_BASE_DEFS_H
#define CRAGON_BASE_DEFS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <dirent.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define NS_PER_SEC 1000000000ull
#define NS_PER_MSEC 1000000ull
#define MIB (1024ull * 1024ull)

/* The only page size of x86-64; a VMA's bounds are multiples of it. */
#define CRAGON_PAGE_BYTES 4096ull

#define cleanup(fn) __attribute__((cleanup(fn)))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

static inline void close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void free_p(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void closedir_p(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

static inline void fclose_p(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

/* Give up ownership: the variable's cleanup will find nothing to release. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *steal_void(void *p)
{
	void *taken = *(void **)p;

	*(void **)p = NULL;
	return taken;
}
#define steal_ptr(p) ((__typeof__(*(p)))steal_void(p))

#define cleanup_fd cleanup(close_p)
#define cleanup_free cleanup(free_p)
#define cleanup_dir cleanup(closedir_p)
#define cleanup_file cleanup(fclose_p)

#endif

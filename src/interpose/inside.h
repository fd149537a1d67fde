/* What the files of the preloaded object share; none of it is exported. */
#ifndef CRAGON_INTERPOSE_INSIDE_H
#define CRAGON_INTERPOSE_INSIDE_H

#include "interpose/wire.h"

#include <stdbool.h>
#include <stddef.h>

/* In libc since 2.34, in libdl before: the old version is in both. */
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");

#define EXPORT __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)

/* The function of that name in the next object, NULL when there is none or while
 * it is being looked up. */
void *next_function(const char *name);

/* A call has failed. Returns true when it is to be tried again, which may be
 * much later. Leaves errno alone. */
bool call_failed(enum wire_function, int error, uint64_t bytes, const uint64_t argument[5],
	const void *caller);

/* DIR/name into `path`; false when there is no DIR or it is too long. */
bool wire_path(char *path, size_t size, const char *name);

#endif

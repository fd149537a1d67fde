/*
 * A bump allocator for metadata that lives and dies together (the protobuf
 * message of an image being built). Memory is zeroed. Allocation failure is
 * sticky: arena_alloc() returns NULL and arena_failed() says so at the end.
 */
#ifndef CRAGON_BASE_ARENA_H
#define CRAGON_BASE_ARENA_H

#include "base/defs.h"

#include <stdbool.h>

struct arena {
	struct arena_block *head;
	bool failed;
};

void arena_done(struct arena *);
void *arena_alloc(struct arena *, size_t bytes); /* 16-byte aligned */
char *arena_strdup(struct arena *, const char *s);
void *arena_memdup(struct arena *, const void *data, size_t bytes);
bool arena_failed(const struct arena *);

/* Appends to an array of pointers that lives in the arena; `*array` grows when
 * *n is a power of two. */
int arena_push(struct arena *, void ***array, size_t *n, void *item);

#define cleanup_arena cleanup(arena_done)

#endif

/* A bump allocator: see arena.h. */
#include "base/arena.h"

#include <errno.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(16) unsigned char data[];
};

void arena_done(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	a->failed = false;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t want = (bytes + 15) & ~(size_t)15;
	struct arena_block *b = a->head;
	void *p;

	if (a->failed)
		return NULL;
	if (want < bytes || want > PTRDIFF_MAX / 2) {
		a->failed = true;
		return NULL;
	}
	if (!b || b->cap - b->used < want) {
		size_t cap = want > 65536 ? want : 65536;

		b = calloc(1, sizeof *b + cap);
		if (!b) {
			a->failed = true;
			return NULL;
		}
		b->cap = cap;
		b->next = a->head;
		a->head = b;
	}
	p = b->data + b->used;
	b->used += want;
	return p;
}

void *arena_memdup(struct arena *a, const void *data, size_t bytes)
{
	void *p = arena_alloc(a, bytes ? bytes : 1);

	if (p && bytes)
		memcpy(p, data, bytes);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s) + 1);
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

int arena_push(struct arena *a, void ***array, size_t *n, void *item)
{
	if ((*n & (*n - 1)) == 0) {
		size_t cap = *n ? *n * 2 : 1;
		void **grown = arena_alloc(a, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		if (*n)
			memcpy(grown, *array, *n * sizeof *grown);
		*array = grown;
	}
	(*array)[(*n)++] = item;
	return 0;
}

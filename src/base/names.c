/* Open addressing over FNV-1a: see names.h. */
#include "base/names.h"

#include <errno.h>
#include <string.h>

static uint64_t hash_of(const char *name)
{
	uint64_t h = 14695981039346656037ull;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211ull;
	return h ^ h >> 29;
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t slot_of(const struct names *n, const char *name)
{
	size_t at = hash_of(name) & (n->slots - 1);

	while (n->slot[at] && strcmp(n->list[n->slot[at] - 1], name) != 0)
		at = (at + 1) & (n->slots - 1);
	return at;
}

static int grow(struct names *n)
{
	size_t slots = n->slots ? n->slots * 2 : 64;
	char **list = realloc(n->list, slots / 2 * sizeof *list);
	uint32_t *slot;

	if (!list)
		return -ENOMEM;
	n->list = list;
	slot = calloc(slots, sizeof *slot);
	if (!slot)
		return -ENOMEM;
	free(n->slot);
	n->slot = slot;
	n->slots = slots;
	for (size_t i = 0; i < n->n; i++)
		n->slot[slot_of(n, n->list[i])] = (uint32_t)i + 1;
	return 0;
}

long names_find(const struct names *n, const char *name)
{
	size_t at;

	if (!n->slots)
		return -ENOENT;
	at = slot_of(n, name);
	return n->slot[at] ? (long)n->slot[at] - 1 : -ENOENT;
}

long names_add(struct names *n, const char *name)
{
	long at = names_find(n, name);

	if (at >= 0)
		return at;
	if ((n->max && n->n >= n->max) || n->n >= UINT32_MAX / 4) {
		n->full = true;
		return -ENOSPC;
	}
	/* Half full at most. */
	if (n->n >= n->slots / 2 && grow(n) < 0)
		return -ENOMEM;
	n->list[n->n] = strdup(name);
	if (!n->list[n->n])
		return -ENOMEM;
	n->slot[slot_of(n, name)] = (uint32_t)n->n + 1;
	return (long)n->n++;
}

void names_done(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->list[i]);
	free(n->list);
	free(n->slot);
	*n = (struct names){.max = n->max};
}

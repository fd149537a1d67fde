/*
 * A set of strings, in the order in which they were added, with a bound. Used
 * for paths: "was this name there?" is asked thousands of times while a job is held.
 */
#ifndef CRAGON_BASE_NAMES_H
#define CRAGON_BASE_NAMES_H

#include "base/defs.h"

#include <stdbool.h>

struct names {
	char **list;
	size_t n;
	size_t max;	/* 0: no bound */
	uint32_t *slot; /* 1 + index into list, 0: free */
	size_t slots;	/* power of two */
	bool full;	/* something was left out */
};

/* Index of the name, or -ENOENT. */
long names_find(const struct names *, const char *name);
static inline bool names_has(const struct names *n, const char *name)
{
	return names_find(n, name) >= 0;
}
/* Index of the name, new or not; -ENOSPC beyond the bound, -ENOMEM. */
long names_add(struct names *, const char *name);
void names_done(struct names *);

#define cleanup_names cleanup(names_done)

#endif

/* "Did you mean": the word of a list that is nearest to a mistyped one. */
#ifndef CRAGON_CLI_SUGGEST_H
#define CRAGON_CLI_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *typed;
	const char *best; /* NULL: nothing is near */
	size_t distance;  /* of best */
};

void suggest_word(struct suggestion *, const char *candidate);

#endif

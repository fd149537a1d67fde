/*
 * The nearest word by edit distance, a swap of neighbours counting as one
 * change. Near means at most a third of the typed letters are wrong; a word
 * that was only cut short ("interv") is near as well.
 */
#include "cli/suggest.h"
#include "base/defs.h"

#include <string.h>

#define WORD_MAX 32 /* longer words are not compared */

static size_t min3(size_t a, size_t b, size_t c)
{
	return MIN(MIN(a, b), c);
}

/* Optimal string alignment; both words are at most WORD_MAX long. */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= alen; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= blen; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= alen; i++)
		for (size_t j = 1; j <= blen; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[alen][blen];
}

void suggest_word(struct suggestion *s, const char *candidate)
{
	size_t typed = strlen(s->typed), length = strlen(candidate), n;

	if (typed > WORD_MAX || length > WORD_MAX)
		return;
	n = distance(s->typed, typed, candidate, length);
	if (typed >= 2 && !strncmp(candidate, s->typed, typed))
		n = 0;
	if (n > (typed + 2) / 3 || n >= length || (s->best && n >= s->distance))
		return;
	s->best = candidate;
	s->distance = n;
}

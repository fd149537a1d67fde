/*
 * Reading values out of a line, fast enough for a million of them: numbers,
 * times, and JSON without building a tree. Nothing is read behind `end`.
 */
#ifndef CRAGON_REPORT_SCAN_H
#define CRAGON_REPORT_SCAN_H

#include "base/defs.h"

#include <stdbool.h>
#include <string.h>

/* Decimal number, [-]digits[.digits][e[+-]digits], that begins at `p`. Returns its
 * end, or NULL. */
const char *scan_number(const char *p, const char *end, double *ret);

/* RFC 3339, or seconds since the epoch; the whole text. Nanoseconds of real time,
 * 0 when it is neither. */
uint64_t scan_time(const char *text, size_t len);

/* ---- JSON ------------------------------------------------------------------ */

struct scan {
	const char *p, *end;
};

struct scan_text { /* of a string, without the quotes */
	const char *data;
	size_t len;
	bool escaped; /* holds backslashes: use scan_unescape() */
};

/* Takes the character if it is the next one behind white space. */
bool scan_take(struct scan *, char c);
bool scan_string(struct scan *, struct scan_text *ret);
/* A number; a null becomes NAN. Anything else: false. */
bool scan_value(struct scan *, double *ret);
/* Any value, nested at most 16 deep. */
bool scan_skip(struct scan *);
/* Steps through an object: true with the next key, its colon taken. Call with *first true
 * at the opening brace; false is the closing brace or an error (*ok tells). */
bool scan_key(struct scan *, bool *first, struct scan_text *ret, bool *ok);
static inline bool scan_is(const struct scan_text *t, const char *word)
{
	return strlen(word) == t->len && !memcmp(t->data, word, t->len);
}
/* Copies, cut to `cap`, NUL-terminated. */
void scan_unescape(const struct scan_text *, char *out, size_t cap);

#endif

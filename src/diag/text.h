/* Text from outside (standard error, file names, the kernel's log) for the
 * bounded strings of facts and evidence. */
#ifndef CRAGON_DIAG_TEXT_H
#define CRAGON_DIAG_TEXT_H

#include "base/defs.h"

#include <stdbool.h>

/* Copies up to a NUL or `len` bytes into `cap` bytes. What is no UTF-8, and
 * control characters other than newline and tab, become '?'; nothing is cut in
 * the middle of a character. */
void text_copy(char *to, size_t cap, const char *from, size_t len);

/* Which of `needles` (NULL-terminated) is in the text: its index, or -1. */
int text_find(const char *text, const char *const *needles);

/* The line that holds `at`, without its newline and leading blanks. */
void text_line_at(const char *text, const char *at, char *to, size_t cap);

/* Where the last `lines` lines of the text begin. Empty ones do not count. */
const char *text_last_lines(const char *text, unsigned lines);

#endif

/*
 * Text from outside, made safe for its place in the page. Bytes that are not
 * UTF-8, control characters and those that turn the direction of writing become
 * U+FFFD, so that what is seen is what is there.
 */
#ifndef CRAGON_REPORT_TEXT_H
#define CRAGON_REPORT_TEXT_H

#include "base/buf.h"

/* For elements and quoted attributes. NULL is empty. */
void html_text(struct buf *, const char *text);
void html_text_n(struct buf *, const char *text, size_t len);

/* A quoted JSON string that may stand in a <script>: no <, >, &, U+2028, U+2029. */
void json_text_in_script(struct buf *, const char *text);

/* A number with five significant digits, or null. */
void json_number(struct buf *, double);

#endif

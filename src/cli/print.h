/*
 * The answer of a command: built in a buffer, written to standard output in
 * one go, so that a full disk or a closed pipe is one error in one place.
 */
#ifndef CRAGON_CLI_PRINT_H
#define CRAGON_CLI_PRINT_H

#include "base/buf.h"

#include <jansson.h>

/* Writes the buffer to standard output. Returns 0, or an exit code after a
 * message on standard error. */
int cli_print(const struct buf *);

/* The same for JSON, indented and with a final newline. Takes over `value`;
 * NULL (out of memory while it was built) is reported. */
int cli_print_json(json_t *value);

/* Appends text that came from outside: control characters, which could drive a
 * terminal or break a line, become \xNN. */
void text_add(struct buf *, const char *text);

/* Appends a command so that a shell would read it back. `words` ends with NULL. */
void text_command(struct buf *, char *const *words);

/* A JSON string of any bytes: what is not UTF-8 becomes \xNN. NULL becomes null. */
json_t *json_text(const char *text);

#endif

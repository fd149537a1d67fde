/* Text in aligned columns, two spaces apart, with no spaces at a line's end. */
#ifndef CRAGON_CLI_TABLE_H
#define CRAGON_CLI_TABLE_H

#include "base/buf.h"

struct table {
	const char *columns; /* a letter each: 'l' left, 'r' right */
	struct buf cells;    /* NUL-terminated texts, row by row */
};

void table_done(struct table *);

/* The next cell; control characters in it are escaped. */
void table_cell(struct table *, const char *text);
void table_printf(struct table *, const char *fmt, ...) printf_like(2, 3);
void table_size(struct table *, uint64_t bytes);
/* Several cells at once, as for a heading; the list ends with NULL. */
void table_cells(struct table *, const char *const *texts);

/* Appends the table, each line behind `indent` spaces. */
void table_print(const struct table *, size_t indent, struct buf *out);

#define cleanup_table cleanup(table_done)

#endif

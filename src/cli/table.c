/*
 * Aligned columns: see table.h. A character of UTF-8 counts as one column;
 * double-width ones are not known here (the static C library has no locale).
 */
#include "cli/table.h"
#include "cli/print.h"
#include "base/units.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define GAP 2u

void table_done(struct table *t)
{
	buf_done(&t->cells);
}

void table_cell(struct table *t, const char *text)
{
	text_add(&t->cells, text);
	buf_add(&t->cells, "", 1);
}

void table_printf(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	table_cell(t, text);
}

void table_size(struct table *t, uint64_t bytes)
{
	char text[32];

	size_format(bytes, text);
	table_cell(t, text);
}

void table_cells(struct table *t, const char *const *texts)
{
	for (; *texts; texts++)
		table_cell(t, *texts);
}

static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void put_spaces(struct buf *out, size_t n)
{
	while (n--)
		buf_add(out, " ", 1);
}

static void put_row(const struct table *t, const char **cell, const size_t *widths, size_t indent,
	struct buf *out)
{
	size_t columns = strlen(t->columns), owed = indent; /* spaces before the next text */

	for (size_t i = 0; i < columns; i++) {
		size_t rest = widths[i] - width(*cell);

		if (t->columns[i] == 'r')
			owed += rest;
		if (**cell) {
			put_spaces(out, owed);
			buf_str(out, *cell);
			owed = 0;
		} else if (t->columns[i] == 'r') {
			rest = 0;
		}
		owed += GAP + (t->columns[i] == 'r' ? 0 : rest);
		*cell += strlen(*cell) + 1;
	}
	buf_str(out, "\n");
}

void table_print(const struct table *t, size_t indent, struct buf *out)
{
	const char *end = t->cells.data + t->cells.len, *cell = t->cells.data;
	size_t columns = strlen(t->columns), i = 0;
	cleanup_free size_t *widths = calloc(columns, sizeof *widths);

	if (buf_error(&t->cells) || !widths) {
		out->bad = -ENOMEM;
		return;
	}
	for (; cell < end; cell += strlen(cell) + 1, i++)
		widths[i % columns] = MAX(widths[i % columns], width(cell));
	for (cell = t->cells.data; cell < end;)
		put_row(t, &cell, widths, indent, out);
}

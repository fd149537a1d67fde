/* Help on the terminal, 79 columns wide: see help.h. */
#include "cli/help.h"
#include "base/units.h"

#include <string.h>

#define COLUMNS 79u

/*
 * Appends words of one paragraph, broken at COLUMNS, continued at `indent`;
 * `at` is the column the cursor is in. Returns where the paragraph ends.
 */
static const char *wrap(struct buf *b, const char *text, size_t indent, size_t at)
{
	while (*text && strncmp(text, "\n\n", 2) != 0) {
		size_t len = strcspn(text, " \n");

		if (len && at > indent && at + 1 + len > COLUMNS) {
			buf_printf(b, "\n%*s", (int)indent, "");
			at = indent;
		} else if (len && at > indent) {
			buf_str(b, " ");
			at++;
		}
		buf_add(b, text, len);
		at += len;
		text += len;
		if (*text == ' ' || (*text == '\n' && text[1] != '\n'))
			text++;
	}
	buf_str(b, "\n");
	return text;
}

static void paragraphs(struct buf *b, const char *text)
{
	while (*text) {
		text = wrap(b, text, 0, 0);
		while (*text == '\n')
			text++;
		if (*text)
			buf_str(b, "\n");
	}
}

void help_overview(struct buf *b)
{
	buf_str(b,
		"Cragon keeps long-running programs alive: it checkpoints them and resumes them\n"
		"after a crash, a time limit or a lost machine.\n\n"
		"Usage: cragon COMMAND [OPTION...] [OPERAND...]\n\n");
	for (const struct command *const *c = commands; *c; c++) {
		buf_printf(b, "  %-12s", (*c)->name);
		wrap(b, (*c)->summary, 14, 14);
	}
	buf_str(b, "\n'cragon help COMMAND' describes a command and its options.\n");
}

static bool takes_duration(const struct option_row *row)
{
	return row->value && (!strcmp(row->value, "D") || !strncmp(row->value, "D|", 2));
}

const char *help_default(const struct command *c, const struct option_row *row)
{
	if (c->inherits && row->setting)
		return row->value ? "that of the first run" : NULL;
	return row->fallback;
}

static void help_option(struct buf *b, const struct command *c, const struct option_row *row)
{
	const char *fallback = help_default(c, row);
	cleanup_buf struct buf text = {0};

	if (row->letter)
		buf_printf(b, "  -%c, --%s", row->letter, row->name);
	else
		buf_printf(b, "      --%s", row->name);
	if (row->value)
		buf_printf(b, " %s", row->value);
	buf_printf(b, "\n%10s", "");
	buf_str(&text, row->help);
	if (fallback)
		buf_printf(&text, " (default: %s)", fallback);
	if (buf_error(&text))
		b->bad = buf_error(&text);
	else
		wrap(b, text.data, 10, 10);
}

void help_command(struct buf *b, const struct command *c)
{
	bool durations = false;

	buf_printf(b, "Usage: cragon %s [OPTION...]%s%s\n", c->name, *c->operands ? " " : "",
		c->operands);
	wrap(b, c->summary, 0, 0);
	if (c->text) {
		buf_str(b, "\n");
		paragraphs(b, c->text);
	}
	buf_str(b, "\nOptions:\n");
	for (const struct option_row *const *row = c->options; *row; row++) {
		if (!(*row)->help)
			continue;
		help_option(b, c, *row);
		durations = durations || takes_duration(*row);
	}
	if (durations)
		buf_str(b, "\nD is a time: " DURATION_FORMS ".\n");
}

/*
 * The man page cragon(1) as roff (the man macros), from the command table:
 * see help.h. What the table cannot know, such as exit codes, is text here.
 */
#include "cli/help.h"
#include "cli/options.h"
#include "base/units.h"

#include <string.h>

static const char intro[] =
	".SH DESCRIPTION\n"
	"Cragon checkpoints a program with all its processes from time to time, and resumes it\n"
	"from the last good image after a crash, a time limit or a lost machine.\n"
	"The program is neither recompiled nor relinked, nothing is loaded into it, and no\n"
	"privilege is needed.\n"
	".PP\n"
	"Options come before the operands of a command; everything after the program's name\n"
	"belongs to the program.\n"
	".SH COMMANDS\n";

static const char values[] =
	".SH VALUES\n"
	"A time (\\fID\\fR) is written as " DURATION_FORMS ".\n"
	".PP\n"
	"A \\fIJOB\\fR is a job directory or an id that \\fBcragon list\\fR prints; left out, it "
	"is\n"
	"the only running job or the newest one under the current directory.\n"
	".SH EXIT STATUS\n"
	"\\fBrun\\fR and \\fBrestart\\fR pass on the exit status of the program; 128+N if it was\n"
	"killed by signal N. Cragon's own are:\n"
	".TP\n2\nThe command line is wrong.\n"
	".TP\n65\nAn image is damaged, missing or of a newer format, or a file that the job needs\n"
	"has changed. Nothing was touched.\n"
	".TP\n75\nStopped, with an image to resume from (see \\fB\\-\\-stop\\-code\\fR).\n"
	".TP\n125\nCragon failed; the job was not started or is not harmed.\n"
	".TP\n126\nThe program cannot be executed.\n"
	".TP\n127\nThe program was not found.\n";

/* Escapes what roff would interpret: backslash, hyphen, and a dot or quote that
 * begins a line. */
static void roff_add(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool first = b->len == 0 || b->data[b->len - 1] == '\n';

		if (first && (text[i] == '.' || text[i] == '\''))
			buf_str(b, "\\&");
		if (text[i] == '\\')
			buf_str(b, "\\e");
		else if (text[i] == '-')
			buf_str(b, "\\-");
		else
			buf_add(b, text + i, 1);
	}
}

static void roff(struct buf *b, const char *text)
{
	roff_add(b, text, strlen(text));
}

static void man_text(struct buf *b, const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);

		buf_str(b, ".PP\n");
		roff_add(b, text, len);
		buf_str(b, "\n");
		text += len;
		text += strspn(text, "\n");
	}
}

static void man_option(struct buf *b, const struct command *c, const struct option_row *row)
{
	const char *fallback = help_default(c, row);

	buf_str(b, ".TP\n");
	if (row->letter)
		buf_printf(b, "\\fB\\-%c\\fR, ", row->letter);
	buf_str(b, "\\fB\\-\\-");
	roff(b, row->name);
	buf_str(b, "\\fR");
	if (row->value) {
		buf_str(b, " \\fI");
		roff(b, row->value);
		buf_str(b, "\\fR");
	}
	buf_str(b, "\n");
	roff(b, row->help);
	if (fallback) {
		buf_str(b, " (default: ");
		roff(b, fallback);
		buf_str(b, ")");
	}
	buf_str(b, "\n");
}

static void man_command(struct buf *b, const struct command *c)
{
	buf_printf(b, ".SS cragon %s [OPTION...]%s", c->name, *c->operands ? " " : "");
	roff(b, c->operands);
	buf_str(b, "\n");
	roff(b, c->summary);
	buf_str(b, ".\n");
	if (c->text)
		man_text(b, c->text);
	for (const struct option_row *const *row = c->options; *row; row++)
		if ((*row)->help)
			man_option(b, c, *row);
}

/* An earlier command may have a row of the same name: its variable is there. */
static bool named_before(const struct command *const *last, const struct option_row *row)
{
	for (const struct command *const *c = commands; c != last; c++)
		for (const struct option_row *const *r = (*c)->options; *r; r++)
			if ((*r)->env && !strcmp((*r)->name, row->name))
				return true;
	return false;
}

static void man_variables(struct buf *b)
{
	char name[64];

	buf_str(b, ".SH ENVIRONMENT\n"
		   "These set a default for the option of the same name; the command line wins.\n"
		   "Options without a value are set by 1, yes or true.\n");
	for (const struct command *const *c = commands; *c; c++)
		for (const struct option_row *const *row = (*c)->options; *row; row++) {
			if (!(*row)->env || named_before(c, *row))
				continue;
			option_variable(*row, name);
			buf_printf(b, ".TP\n\\fB%s\\fR\n\\-\\-", name);
			roff(b, (*row)->name);
			buf_str(b, "\n");
		}
}

void help_man(struct buf *b)
{
	buf_str(b, ".\\\" Made by 'cragon help --man'; change src/cli/ instead.\n"
		   ".TH CRAGON 1 \"\" \"cragon " CRAGON_VERSION "\" \"User Commands\"\n"
		   ".SH NAME\ncragon \\- checkpoint and resume long\\-running programs\n"
		   ".SH SYNOPSIS\n\\fBcragon\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] "
		   "[\\fIOPERAND\\fR...]\n");
	buf_str(b, intro);
	for (const struct command *const *c = commands; *c; c++)
		man_command(b, *c);
	buf_str(b, values);
	man_variables(b);
}

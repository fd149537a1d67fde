/*
 * The parser of a command's options: defaults, then CRAGON_* variables, then
 * the command line. Forms: --name, --name=value, --name value, -x, -xyz,
 * -x value, -xvalue; "--" ends the options, and so does the first operand of a
 * command that runs a program. Not getopt, because that keeps its state in
 * globals, takes abbreviations that break when an option is added, and cannot
 * say what was meant.
 */
#include "cli/options.h"
#include "cli/suggest.h"

#include <errno.h>
#include <string.h>

struct words { /* the command line while it is read */
	int argc;
	char **argv;
	int next;
};

static const struct option_row *row_by_letter(const struct command *c, char letter)
{
	for (const struct option_row *const *row = c->options; *row; row++)
		if ((*row)->letter && (*row)->letter == letter)
			return *row;
	return NULL;
}

static const struct option_row *row_by_name(const struct command *c, const char *name, size_t len)
{
	for (const struct option_row *const *row = c->options; *row; row++)
		if (strlen((*row)->name) == len && !strncmp((*row)->name, name, len))
			return *row;
	return NULL;
}

static int unknown_name(const struct command *c, const char *name, size_t len, struct err *e)
{
	char word[64];
	struct suggestion near = {.typed = word};

	snprintf(word, sizeof word, "%.*s", (int)MIN(len, sizeof word - 1), name);
	for (const struct option_row *const *row = c->options; *row; row++)
		if ((*row)->help)
			suggest_word(&near, (*row)->name);
	if (near.best)
		return err_set(e, -EINVAL, WHY_USAGE, "%s has no option --%s: did you mean --%s?",
			c->name, word, near.best);
	return err_set(e, -EINVAL, WHY_USAGE, "%s has no option --%s: see 'cragon help %s'",
		c->name, word, c->name);
}

static int needs_value(const struct option_row *row, struct err *e)
{
	return err_set(e, -EINVAL, WHY_USAGE, "option --%s needs a value: --%s %s", row->name,
		row->name, row->value);
}

static int apply(
	struct invocation *inv, const struct option_row *row, const char *value, struct err *e)
{
	int r = row->set(inv, value, e);

	if (r < 0)
		return err_in(e, "option --%s", row->name);
	inv->settings.given |= row->setting;
	return 0;
}

/* The word behind the current one is the option's value. */
static int apply_next(
	struct invocation *inv, const struct option_row *row, struct words *w, struct err *e)
{
	if (w->next >= w->argc)
		return needs_value(row, e);
	return apply(inv, row, w->argv[w->next++], e);
}

static int long_option(struct invocation *inv, const char *word, struct words *w, struct err *e)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_row *row = row_by_name(inv->command, name, len);

	if (!row)
		return unknown_name(inv->command, name, len, e);
	if (equals && !row->value)
		return err_set(e, -EINVAL, WHY_USAGE, "option --%s takes no value", row->name);
	if (equals || !row->value)
		return apply(inv, row, equals ? equals + 1 : NULL, e);
	return apply_next(inv, row, w, e);
}

static int short_options(struct invocation *inv, const char *word, struct words *w, struct err *e)
{
	for (const char *c = word + 1; *c; c++) {
		const struct option_row *row = row_by_letter(inv->command, *c);
		int r;

		if (!row)
			return err_set(e, -EINVAL, WHY_USAGE,
				"%s has no option -%c: see 'cragon help %s'", inv->command->name,
				*c > ' ' && *c < 127 ? *c : '?', inv->command->name);
		if (row->value)
			return c[1] ? apply(inv, row, c + 1, e) : apply_next(inv, row, w, e);
		r = apply(inv, row, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int command_line(struct invocation *inv, struct words *w, struct err *e)
{
	bool options = true;
	int operands = 0, r;

	while (w->next < w->argc) {
		char *word = w->argv[w->next++];

		if (!options || word[0] != '-' || !word[1]) {
			w->argv[operands++] = word;
			if (inv->command->stop_at_operand)
				options = false;
		} else if (!strcmp(word, "--")) {
			options = false;
		} else {
			r = word[1] == '-' ? long_option(inv, word, w, e)
					   : short_options(inv, word, w, e);
			if (r < 0)
				return r;
		}
	}
	w->argv[operands] = NULL;
	inv->argc = operands;
	inv->argv = w->argv;
	return 0;
}

void option_variable(const struct option_row *row, char out[static 64])
{
	snprintf(out, 64, "CRAGON_%s", row->name);
	for (char *c = out; *c; c++) {
		if (*c == '-')
			*c = '_';
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
}

static int truth(const char *value, struct err *e)
{
	static const char *const words[] = {"0", "1", "no", "yes", "false", "true"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(value, words[i]))
			return (int)(i & 1);
	return err_set(e, -EINVAL, WHY_USAGE, "'%s' is neither 1 nor 0", value);
}

static int variable(struct invocation *inv, const struct option_row *row, struct err *e)
{
	char name[64];
	const char *value;
	int r = 1;

	option_variable(row, name);
	value = getenv(name);
	if (!value || !*value)
		return 0;
	if (!row->value)
		r = truth(value, e);
	if (r > 0)
		r = row->set(inv, row->value ? value : NULL, e);
	return r < 0 ? err_in(e, "environment variable %s", name) : 0;
}

static int operands_check(const struct invocation *inv, struct err *e)
{
	const struct command *c = inv->command;

	if (inv->argc < c->min_operands)
		return err_set(e, -EINVAL, WHY_USAGE, "%s: something is missing: cragon %s %s",
			c->name, c->name, c->operands);
	if (c->max_operands < 0 || inv->argc <= c->max_operands)
		return 0;
	if (c->max_operands == 0)
		return err_set(e, -EINVAL, WHY_USAGE, "%s takes no operand, but was given '%s'",
			c->name, inv->argv[0]);
	return err_set(e, -EINVAL, WHY_USAGE, "'%s' is one too many: cragon %s %s",
		inv->argv[c->max_operands], c->name, c->operands);
}

int options_parse(struct invocation *inv, int argc, char **argv, struct err *e)
{
	struct words words = {.argc = argc, .argv = argv};
	int r;

	settings_default(&inv->settings);
	for (const struct option_row *const *row = inv->command->options; *row; row++) {
		r = (*row)->env ? variable(inv, *row, e) : 0;
		if (r < 0)
			return r;
	}
	r = command_line(inv, &words, e);
	if (r < 0)
		return r;
	return inv->help ? 0 : operands_check(inv, e);
}

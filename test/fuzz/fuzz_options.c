/*
 * Durations, sizes and the option parser on any text. The first byte chooses
 * the command, the rest is its words, separated by newlines. What the parser
 * lets through has to satisfy what the rest of the program relies on.
 */
#include "fuzz.h"

#include "base/units.h"
#include "cli/options.h"

#include <string.h>

#define WORDS_MAX 64

static const struct command targets[] = {
	{.name = "run",
		.operands = "COMMAND",
		.options = run_options,
		.min_operands = 1,
		.max_operands = -1,
		.stop_at_operand = true},
	{.name = "restart",
		.operands = "[IMAGE_DIR]",
		.options = restart_options,
		.max_operands = 1},
	{.name = "checkpoint",
		.operands = "[JOB]",
		.options = checkpoint_options,
		.max_operands = 1},
	{.name = "inspect",
		.operands = "IMAGE_DIR",
		.options = inspect_options,
		.min_operands = 1,
		.max_operands = 1},
	{.name = "help", .operands = "[COMMAND]", .options = help_options, .max_operands = 1},
};

static void try_units(const char *text)
{
	uint64_t value = 0;
	char out[32];

	duration_parse(text, &value);
	duration_format(value, out);
	if (size_parse(text, &value) == 0)
		size_format(value, out);
	if (number_parse(text, 3, 5, &value) == 0 && (value < 3 || value > 5))
		abort();
}

static void check(const struct invocation *inv)
{
	const struct settings *s = &inv->settings;
	const struct command *c = inv->command;

	if (s->keep < 1 || s->stop_code < 0 || s->stop_code > 255 || s->zstd_level < 0 ||
		s->zstd_level > 22 || s->signal_checkpoint < 1 || s->signal_checkpoint > 64)
		abort();
	if (s->interval_mode == INTERVAL_FIXED && s->interval_ns == 0)
		abort();
	if (inv->argv[inv->argc])
		abort();
	if (!inv->help && (inv->argc < c->min_operands ||
				  (c->max_operands >= 0 && inv->argc > c->max_operands)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[WORDS_MAX + 1] = {0};
	cleanup_free char *text = NULL;
	struct invocation inv = {0};
	struct err e = {0};
	int argc = 0;
	char *word;

	if (size == 0)
		return 0;
	inv.command = &targets[data[0] % ARRAY_LEN(targets)];
	text = strndup((const char *)data + 1, size - 1);
	if (!text)
		return 0;
	for (char *rest = text; argc < WORDS_MAX && (word = strsep(&rest, "\n"));) {
		try_units(word);
		argv[argc++] = word;
	}
	if (options_parse(&inv, argc, argv, &e) == 0)
		check(&inv);
	else if (e.why != WHY_USAGE || !e.text[0])
		abort();
	return 0;
}

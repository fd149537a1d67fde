/*
 * From the command line to one command: finds it, parses its options, runs it.
 * Everything but main() is in the library, so that tests link it.
 */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/suggest.h"

#include <errno.h>
#include <string.h>

static int exit_code(enum why why)
{
	switch (why) {
	case WHY_USAGE:
		return EXIT_USAGE;
	case WHY_NO_COMMAND:
		return EXIT_NO_COMMAND;
	case WHY_NOT_EXECUTABLE:
		return EXIT_NOT_EXECUTABLE;
	case WHY_NO_IMAGE:
	case WHY_BAD_IMAGE:
	case WHY_NEWER_IMAGE:
	case WHY_FILE_CHANGED:
		return EXIT_BAD_IMAGE;
	case WHY_NONE:
	case WHY_SYSTEM:
	case WHY_UNSUPPORTED:
	case WHY_BUSY:
	case WHY_TRACEE_DIED:
	case WHY_NO_SPACE:
	case WHY_PERMISSION:
	case WHY_NO_JOB:
	case WHY_INTERRUPTED:
		break;
	}
	return EXIT_CRAGON;
}

int cli_fail(const struct err *e)
{
	struct log log = {.fd = -1, .terminal = LOG_ERROR};
	cleanup_buf struct buf safe = {0};

	text_add(&safe, e->text);
	log_error(&log, "%s", buf_error(&safe) ? "out of memory" : safe.data ? safe.data : "");
	return exit_code(e->why);
}

const struct command *command_find(const char *name, struct err *e)
{
	struct suggestion near = {.typed = name};

	for (const struct command *const *c = commands; *c; c++) {
		if (!strcmp((*c)->name, name))
			return *c;
		suggest_word(&near, (*c)->name);
	}
	if (near.best)
		err_set(e, -EINVAL, WHY_USAGE, "there is no command '%s': did you mean '%s'?", name,
			near.best);
	else if (strchr(name, '/'))
		err_set(e, -EINVAL, WHY_USAGE,
			"there is no command '%s': to start it, write "
			"'cragon run %s'",
			name, name);
	else
		err_set(e, -EINVAL, WHY_USAGE, "there is no command '%s': see 'cragon help'", name);
	return NULL;
}

/* cragon --help, -h and --version are commands, too. */
static const char *command_word(const char *word)
{
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return "help";
	if (!strcmp(word, "--version"))
		return "version";
	return word;
}

static int print_help(const struct command *c)
{
	cleanup_buf struct buf b = {0};

	help_command(&b, c);
	return cli_print(&b);
}

int cli_main(int argc, char **argv)
{
	struct invocation inv = {0};
	struct err e = {0};
	const char *word;

	if (argc < 2) {
		err_set(&e, -EINVAL, WHY_USAGE, "what to do is missing: see 'cragon help'");
		return cli_fail(&e);
	}
	word = command_word(argv[1]);
	if (word[0] == '-') {
		err_set(&e, -EINVAL, WHY_USAGE,
			"'%s' comes before the command: options follow it, as in 'cragon run %s'",
			word, word);
		return cli_fail(&e);
	}
	inv.command = command_find(word, &e);
	if (!inv.command || options_parse(&inv, argc - 2, argv + 2, &e) < 0)
		return cli_fail(&e);
	return inv.help ? print_help(inv.command) : inv.command->exec(&inv);
}

/* cragon help: all commands, or one; for packagers, the man page and completions. */
#include "cli/help.h"
#include "cli/options.h"
#include "cli/print.h"
#include "engine/engine.h"

static int help_exec(struct invocation *inv)
{
	cleanup_buf struct buf b = {0};
	const struct command *command;
	struct err e = {0};

	if (inv->man) {
		help_man(&b);
	} else if (inv->kinds) {
		engine_support(&b);
	} else if (inv->completion) {
		help_bash(&b);
	} else if (inv->argc == 0) {
		help_overview(&b);
	} else {
		command = command_find(inv->argv[0], &e);
		if (!command)
			return cli_fail(&e);
		help_command(&b, command);
	}
	return cli_print(&b);
}

const struct command cmd_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.summary = "describe all commands, or one with its options",
	.options = help_options,
	.max_operands = 1,
	.exec = help_exec,
};

/* All commands, in the order of help. */
#include "cli/command.h"

const struct command *const commands[] = {
	&cmd_help,
	&cmd_version,
	NULL,
};

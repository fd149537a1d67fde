/* All commands, in the order of help. */
#include "cli/command.h"

const struct command *const commands[] = {
	&cmd_run,
	&cmd_restart,
	&cmd_checkpoint,
	&cmd_list,
	&cmd_status,
	&cmd_diagnose,
	&cmd_check,
	&cmd_inspect,
	&cmd_verify,
	&cmd_report,
	&cmd_prune,
	&cmd_memory,
	&cmd_help,
	&cmd_version,
	NULL,
};

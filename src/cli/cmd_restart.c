/* cragon restart: resumes a job from an image. */
#include "cli/options.h"
#include "cli/outcome.h"
#include "job/launch.h"

static int restart_exec(struct invocation *inv)
{
	cleanup(launched_done) struct launched l = {0};
	struct err e = {0};

	if (launch_restart(&inv->settings, inv->argc ? inv->argv[0] : NULL, &l, &e) < 0)
		return cli_fail(&e);
	return outcome_exit(inv, &l);
}

const struct command cmd_restart = {
	.name = "restart",
	.operands = "[IMAGE_DIR]",
	.summary = "resume a job from its newest valid image, or from IMAGE_DIR",
	.text = "Options that are not given are those of the first run. A damaged image gives way "
		"to the next older one; a damaged IMAGE_DIR is refused with exit code 65, and "
		"nothing is touched. A job that still runs is refused.",
	.options = restart_options,
	.inherits = true,
	.max_operands = 1,
	.exec = restart_exec,
};

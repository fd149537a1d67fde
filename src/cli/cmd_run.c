/*
 * cragon run: starts COMMAND and keeps it checkpointed. Standard output is the
 * program's own, so what --json asks for goes to standard error at the end.
 */
#include "cli/options.h"
#include "cli/outcome.h"
#include "job/launch.h"

static int run_exec(struct invocation *inv)
{
	cleanup(launched_done) struct launched l = {0};
	struct err e = {0};

	if (launch_run(&inv->settings, inv->argv, &l, &e) < 0)
		return cli_fail(&e);
	return outcome_exit(inv, &l);
}

const struct command cmd_run = {
	.name = "run",
	.operands = "COMMAND [ARG...]",
	.summary = "start COMMAND under Cragon",
	.text = "Starts COMMAND and takes checkpoints of it and everything it starts, in a job "
		"directory. The exit code is COMMAND's; 128+N when signal N killed it.\n\n"
		"With -i auto the first checkpoint is taken after one minute; later ones at the "
		"interval that loses least (Young and Daly), from what a checkpoint costs and how "
		"often the job has failed so far or --mtbf: every ten seconds at most and every "
		"hour at least. \"cragon status\" tells the reason.\n\n"
		"SIGUSR1 to cragon takes a checkpoint. SIGTERM, SIGINT, SIGHUP and other signals "
		"sent to cragon are passed on to COMMAND. When cragon itself is killed, the job "
		"is killed with it; \"cragon restart\" continues from the last image.\n\n"
		"With --resume a job that had ended well is started anew; one that was stopped, "
		"lost, killed or failed is continued.",
	.options = run_options,
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.exec = run_exec,
};

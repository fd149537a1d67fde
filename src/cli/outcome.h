/* What `run` and `restart` say and return at the end. */
#ifndef CRAGON_CLI_OUTCOME_H
#define CRAGON_CLI_OUTCOME_H

#include "cli/command.h"
#include "job/launch.h"

/* Returns the exit code; with --json one object goes to standard error. */
int outcome_exit(const struct invocation *, const struct launched *);

#endif

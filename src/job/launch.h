/*
 * `run` and `restart` from the job directory to the outcome. Errors come back
 * as struct err; what happens to the job is written to its log.
 */
#ifndef CRAGON_JOB_LAUNCH_H
#define CRAGON_JOB_LAUNCH_H

#include "job/supervise.h"

struct launched {
	struct outcome outcome;
	char *directory; /* malloc'd; NULL when there was none */
	char id[40];
};

void launched_done(struct launched *);

/* Starts `command` (or continues it, with settings.resume). */
int launch_run(const struct settings *, char *const *command, struct launched *ret, struct err *);

/* `image` NULL: the newest valid one. On failure nothing was touched. */
int launch_restart(const struct settings *, const char *image, struct launched *ret, struct err *);

#endif

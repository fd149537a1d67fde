/*
 * A program tried for real: started, checkpointed, ended, resumed, ended. Its
 * effects on files are real too; its images go to a temporary directory.
 */
#ifndef CRAGON_JOB_TRIAL_H
#define CRAGON_JOB_TRIAL_H

#include "base/err.h"
#include "job/settings.h"

/* One finished step, in order: "start", "obstacle", "checkpoint", "resume", "run on". */
typedef void trial_report_fn(void *ctx, const char *step, bool ok, const char *text);

/* Returns 1 when all steps worked, 0 when one did not (it has been reported),
 * or -errno when the trial itself could not be made. With `streams` the
 * program has the caller's standard streams, else /dev/null. */
int trial_run(const struct settings *, char *const *command, bool streams, trial_report_fn *,
	void *ctx, struct err *);

#endif

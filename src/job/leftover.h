/* Processes that COMMAND left running: ended and named in the log. */
#ifndef CRAGON_JOB_LEFTOVER_H
#define CRAGON_JOB_LEFTOVER_H

#include "base/log.h"
#include "engine/engine.h"

/* SIGTERM, two seconds of grace, then SIGKILL. */
void leftover_end(struct job *, struct log *);

#endif

/*
 * Until when a job ran that nobody saw end: what was changed later in its files'
 * places is somebody else's (engine_restore.ran_until_ns).
 */
#ifndef CRAGON_JOB_RAN_UNTIL_H
#define CRAGON_JOB_RAN_UNTIL_H

#include "job/journal.h"

/* Real time in nanoseconds, rather too late than too early; 0: nothing tells. */
uint64_t ran_until(const struct journal *, int jobdir_fd, uint64_t metrics_ns);

#endif

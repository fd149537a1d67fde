/* The diagnosis of an attempt in job.json, of any age: the one that was stored,
 * or what can be told from what is there. */
#ifndef CRAGON_DIAG_HISTORY_H
#define CRAGON_DIAG_HISTORY_H

#include "diag/diag.h"

/* Facts of an attempt without any (an older cragon, or one that was killed), from
 * its other members and the job directory. `running`: its cragon lives. */
void history_facts(
	const json_t *attempt, int dirfd, const char *jobdir, bool running, struct diag_facts *ret);

void history_diagnose(
	const json_t *attempt, int dirfd, const char *jobdir, bool running, struct diagnosis *ret);

#endif

/*
 * This user's jobs: one small JSON file per job id in
 * $XDG_STATE_HOME/cragon/jobs (or ~/.local/state/cragon/jobs) that names the
 * job directory. A convenience: where it cannot be written, jobs run all the
 * same and `cragon list` knows less.
 */
#ifndef CRAGON_JOB_REGISTRY_H
#define CRAGON_JOB_REGISTRY_H

#include "base/defs.h"

#define JOB_ID_CHARS 6

/* A fresh id, not in the registry. */
void registry_new_id(char ret[static JOB_ID_CHARS + 1]);

int registry_add(const char *id, const char *directory);

/* Directory of a job, malloc'd; NULL when unknown. */
char *registry_find(const char *id);

/* Directories of all registered jobs, NULL-terminated, freed with
 * strings_free(); entries whose directory is gone are removed. NULL only when
 * memory is short. */
char **registry_list(void);

#endif

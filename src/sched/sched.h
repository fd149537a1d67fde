/*
 * The batch system that runs us, as far as a running job can learn of it: which
 * one, how much time is left, which signals are its warnings. Submitting and
 * requeueing are left out.
 *
 * Slurm: SLURM_JOB_END_TIME (seconds since 1970; newer versions), else
 * squeue -h -j ID -o %L, the time left. Grid Engine: the hard and soft limits
 * h_rt and s_rt of the job in `qstat -j ID`, counted from its start, which is when
 * the shepherd made cragon's process group.
 */
#ifndef CRAGON_SCHED_SCHED_H
#define CRAGON_SCHED_SCHED_H

#include "base/defs.h"

#include <stdbool.h>

enum sched_system { SCHED_NONE, SCHED_SLURM, SCHED_GRID_ENGINE };

struct sched {
	enum sched_system system;
	char id[64]; /* of the job; with the array task where there is one */
};

void sched_detect(struct sched *ret);	   /* from the environment */
const char *sched_name(enum sched_system); /* "slurm", "grid-engine", "" */

/* Nanoseconds until the batch system ends the job. -ENODATA: it has no limit;
 * else -errno when that could not be learnt. Takes up to SCHED_PATIENCE_NS. */
#define SCHED_PATIENCE_NS (5 * NS_PER_SEC)
int sched_time_left(const struct sched *, uint64_t *ret_ns);

/* Does this signal mean "the end is near" there? */
bool sched_is_warning(const struct sched *, int sig);

/* Parsers, for tests. 0, -ENODATA (no limit), -EPROTO. */
int sched_parse_slurm_left(const char *text, uint64_t *ret_ns);
int sched_parse_qstat(const char *text, uint64_t *ret_limit_ns);

/* Runs a program without a shell, output at most `size` - 1 bytes. Its exit code,
 * or -errno (-ETIMEDOUT: it was ended). */
int sched_ask(const char *const argv[], char *output, size_t size);

#endif

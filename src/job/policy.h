/*
 * When to checkpoint: pure arithmetic on nanoseconds of CLOCK_MONOTONIC, no
 * clock is read here. What is left out: Young/Daly needs a failure rate, which
 * nothing measures yet; `auto` bounds the cost to about one percent instead.
 */
#ifndef CRAGON_JOB_POLICY_H
#define CRAGON_JOB_POLICY_H

#include "job/settings.h"

#define POLICY_NEVER UINT64_MAX

struct policy {
	enum interval_mode mode;
	uint64_t interval_ns; /* INTERVAL_FIXED */
	uint64_t max_time_ns; /* 0: none */
	uint64_t started_ns;  /* when this attempt started */
	uint64_t last_end_ns; /* when the last try at a checkpoint ended; 0: none in this attempt */
	uint64_t pause_ns; /* of the last good checkpoint, an earlier attempt's included; 0: none */
	uint64_t duration_ns; /* likewise */
	enum why failure;     /* of the last try; WHY_NONE when it was good */
};

enum policy_step { POLICY_NOTHING, POLICY_PERIODIC, POLICY_LAST };

/* Time between two checkpoints; POLICY_NEVER when they are off. */
uint64_t policy_interval(const struct policy *);

/* How long before the limit the last checkpoint starts. */
uint64_t policy_reserve(const struct policy *);

/* What comes next, and when. POLICY_LAST is the checkpoint that ends the run
 * before its limit. */
enum policy_step policy_next(const struct policy *, uint64_t *ret_at_ns);

#endif

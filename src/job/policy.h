/*
 * When to checkpoint: pure arithmetic on nanoseconds of CLOCK_MONOTONIC, no
 * clock is read here.
 *
 * `auto` is Daly's optimum (Future Generation Computer Systems 22, 2006): for a
 * checkpoint that costs C and a mean time M between failures, the time between
 * two of them that loses least. C is the pause and a part of the time in which the
 * image is written beside the job; M is --mtbf or what the job's own history says,
 * blended with a prior, so that one failure in the first hour does not yet mean
 * one every hour. The share of time spent is bounded, and so is the interval.
 *
 * The last checkpoint before a time limit begins early enough for twice what the
 * last one took, scaled by the memory the job has now, and a margin.
 */
#ifndef CRAGON_JOB_POLICY_H
#define CRAGON_JOB_POLICY_H

#include "job/settings.h"

#include "base/buf.h"

#define POLICY_NEVER UINT64_MAX

/* Failures of the system interrupt a job on a large machine every 3.5 days. */
#define POLICY_PRIOR_MTBF_NS (302400 * NS_PER_SEC)

struct policy {
	enum interval_mode mode;
	uint64_t interval_ns; /* INTERVAL_FIXED */
	uint64_t max_time_ns; /* 0: none */
	uint64_t started_ns;  /* when this attempt started */
	uint64_t last_end_ns; /* when the last try at a checkpoint ended; 0: none in this attempt */
	uint64_t pause_ns; /* of the last good checkpoint, an earlier attempt's included; 0: none */
	uint64_t duration_ns;  /* likewise */
	enum why failure;      /* of the last try; WHY_NONE when it was good */
	uint64_t memory_bytes; /* in the image that took duration_ns; 0: not known */
	uint64_t rss_bytes;    /* of the job now; 0: not known */
	uint64_t mtbf_ns;      /* --mtbf; 0: from the history */
	unsigned failures;     /* history: ends that were nobody's wish */
	uint64_t run_ns;       /* history: time the job has run */
};

enum policy_step { POLICY_NOTHING, POLICY_PERIODIC, POLICY_LAST };

/* Time between two checkpoints; POLICY_NEVER when they are off. */
uint64_t policy_interval(const struct policy *);

/* That, its reason: "a checkpoint costs 0.8 s, a failure is expected every 3d 12h
 * (no history yet)". */
void policy_reason(const struct policy *, struct buf *ret);

/* Mean time between failures that `auto` reckons with. */
uint64_t policy_mtbf(const struct policy *);
/* What a checkpoint costs the job; 0: not known yet. */
uint64_t policy_cost(const struct policy *);

/* How long before the limit the last checkpoint starts. */
uint64_t policy_reserve(const struct policy *);

/* What comes next, and when. POLICY_LAST is the checkpoint that ends the run
 * before its limit. */
enum policy_step policy_next(const struct policy *, uint64_t *ret_at_ns);

#endif

/*
 * What is known at the end of an attempt: gathered from outcome, loop, job
 * directory and machine, diagnosed, and kept in job.json.
 */
#ifndef CRAGON_JOB_FACTS_H
#define CRAGON_JOB_FACTS_H

#include "diag/diag.h"
#include "job/metrics.h"
#include "job/supervise.h"

#include <sys/signalfd.h>

struct facts {
	struct diag_facts diag;
	struct diagnosis diagnosis; /* after facts_end() */
	uint64_t cpu_before_ns, since_mono_ns;
};

/* As soon as the job runs; the supervisor may add signals and calls from then on. */
void facts_begin(struct facts *, const struct supervised *, uint64_t from_image);
void facts_signal(struct facts *, const struct signalfd_siginfo *);
void facts_metrics(struct facts *, const struct metrics_view *); /* the last ones */
/* The limit that the batch system has set; `name` "slurm"…, end in real time. */
void facts_time_limit(struct facts *, const char *name, uint64_t end_ns);
void facts_call(struct facts *, const struct intercept_call *);

/* After supervise(): the rest, the diagnosis, and both into the journal, which the
 * caller saves. `tail`: the end of standard error. */
void facts_end(
	struct facts *, const struct supervised *, const struct outcome *, const struct buf *tail);

/* The last attempt in the journal has no end: its cragon was killed, or the node
 * is lost. Diagnosed now, since later nobody can tell any more. */
void facts_lost(struct journal *, const struct workdir *);

#endif

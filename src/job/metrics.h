/*
 * Samples of the machine and of every process of the job, once a second by
 * default: a row in system_metrics.csv, a line in process_metrics.json, and what
 * the watches need to know.
 *
 * Cost. The files of known processes stay open and are read with one pread(2)
 * each. New processes are looked for only when the number of the last one born
 * (loadavg(5), of the job's own PID namespace) has changed. What a sample costs is
 * measured; when a job has so many processes that it would be more than a
 * thousandth of a core, processes are sampled less often.
 */
#ifndef CRAGON_JOB_METRICS_H
#define CRAGON_JOB_METRICS_H

#include "base/log.h"
#include "engine/engine.h"

#define METRICS_SYSTEM_NAME "system_metrics.csv"
#define METRICS_PROCESS_NAME "process_metrics.json"

struct metrics;

struct metrics_view {	  /* bytes, nanoseconds; 0 when not known */
	uint64_t time_ns; /* monotonic, of the last sample */
	uint64_t job_rss, job_peak_rss, job_growth_per_s;
	uint64_t memory_total, memory_available, swap_total, swap_free;
	uint64_t cgroup_used,
		cgroup_limit; /* used without what is reclaimed first; limit 0: none */
	uint64_t cgroup_oom_kills;
	uint64_t job_cpu_ns; /* of living processes and their waited-for children */
	uint64_t job_io_bytes;
	unsigned processes;
	/* CPU time until the first process meets its soft RLIMIT_CPU; UINT64_MAX */
	uint64_t cpu_left_ns;
	uint64_t cpu_limit_ns; /* that limit */
};

/* NULL when memory is short. `interval_ns` 0: nothing is written, views only. */
struct metrics *metrics_open(
	int jobdir_fd, const struct job *, int attempt, uint64_t interval_ns, struct log *);
void metrics_close(struct metrics *);

/* Takes one: rows and view. */
void metrics_sample(struct metrics *);
/* The figures of memory alone, in between. */
void metrics_look_at_memory(struct metrics *);
const struct metrics_view *metrics_last(const struct metrics *);

/* metrics_rows.c: a file of rows that never grows much beyond `max` bytes: older
 * ones are thinned out, so that it covers the whole run. */
int metrics_append(int jobdir_fd, const char *name, const char *header, const char *row, size_t len,
	uint64_t max);

#endif

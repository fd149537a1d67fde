/*
 * What the page shows, gathered from the job directory. Times are real time in
 * nanoseconds, 0: not known. Strings of attempts belong to the JSON tree.
 */
#ifndef CRAGON_REPORT_MODEL_H
#define CRAGON_REPORT_MODEL_H

#include "base/buf.h"
#include "base/err.h"
#include "report/grid.h"

#include <jansson.h>
#include <stdbool.h>

enum report_how { REPORT_RUNNING, REPORT_EXIT, REPORT_SIGNAL, REPORT_STOPPED, REPORT_LOST };

struct report_attempt {
	uint64_t started_ns, ended_ns;
	bool end_estimated; /* from the last sign of life */
	enum report_how how;
	int exit_code, signal; /* -1, 0: not known */
	uint64_t from_image;   /* 0: from the beginning */
	uint64_t last_sample_ns;
	uint64_t lost_ns; /* work between the last image that was used and the end */
	bool lost_known;
	uint64_t progress_ns; /* work done before this attempt and not repeated in it */
	size_t images;	      /* checkpoints taken in it */
	const char *host, *cause, *remedy, *next; /* "" if not known */
	const json_t *evidence;			  /* array of strings, or NULL */
	bool recoverable;
};

struct report_image {
	uint64_t number, time_ns, pause_ns, duration_ns, memory_bytes, stored_bytes;
	char reason[32];
	size_t attempt; /* index */
	bool on_disk;
};

enum report_system {
	SYS_CPU,
	SYS_MEMORY_TOTAL,
	SYS_MEMORY_AVAILABLE,
	SYS_SWAP_USED,
	SYS_PSI_CPU,
	SYS_PSI_MEMORY,
	SYS_PSI_IO,
	SYS_DISK_READ,
	SYS_DISK_WRITTEN,
	SYS_NET_RECEIVED,
	SYS_NET_SENT,
	SYS_JOB_CPU,
	SYS_JOB_RSS,
	SYS_CGROUP_MEMORY,
	SYS_CGROUP_LIMIT,
	SYS_MEMORY_USED, /* total - available */
	SYS_COLUMNS
};

#define REPORT_PROCESSES 8		  /* shown by themselves */
#define PROC_REST REPORT_PROCESSES	  /* the others, summed */
#define PROC_SHOWN (REPORT_PROCESSES + 1) /* columns 0..8 CPU, 9..17 memory */

struct report_process {
	char name[64]; /* "comm (pid)" */
	unsigned column;
};

struct report_call { /* failed allocations that are alike */
	char function[32], error[24], outcome[64];
	uint64_t count, first_ns, last_ns, largest_bytes;
};

#define REPORT_CALLS_MAX 40
#define REPORT_LOG_LINES 30

struct report {
	const char *directory;
	json_t *root; /* job.json, an empty object if it cannot be read */
	struct report_attempt *attempts;
	size_t n_attempts;
	struct report_image *images; /* by number */
	size_t n_images;
	struct grid system, process, image;
	struct report_process processes[REPORT_PROCESSES];
	size_t n_processes, n_processes_seen;
	struct report_call calls[REPORT_CALLS_MAX];
	size_t n_calls;
	uint64_t calls_total, calls_other;
	char *log[REPORT_LOG_LINES]; /* oldest first */
	size_t n_log;
	uint64_t now_ns;
	struct buf notices; /* HTML list items: inputs that could not be read */
};

void report_done(struct report *);

/* The readers fill their part. Anything wrong with an input is a notice; errors
 * are -ENOMEM only. *ret_found grows with each input that exists. */
int report_read_job(struct report *, int dirfd, int *ret_found);    /* job.json */
int report_read_images(struct report *, int dirfd, int *ret_found); /* and what job.json notes */
int report_read_system(struct report *, int dirfd, int *ret_found);
int report_read_processes(struct report *, int dirfd, int *ret_found);
int report_read_calls(struct report *, int dirfd, int *ret_found);
int report_read_log(struct report *, int dirfd, int *ret_found);

/* After all readers: ends that nobody wrote down, progress, lost work. */
void report_settle(struct report *);

void report_notice(struct report *, const char *fmt, ...) printf_like(2, 3);
/* Index of the attempt that was the last to start before a time, 0 if none was. */
size_t report_attempt_at(const struct report *, uint64_t time_ns);
/* Whether a time may belong to this job: clocks of nodes differ, not by days. */
bool report_plausible(const struct report *, uint64_t time_ns);
uint64_t report_begin(const struct report *);
uint64_t report_end(const struct report *);

struct report_totals {
	uint64_t wall_ns;    /* first start to last end */
	uint64_t running_ns; /* sum over attempts */
	uint64_t saved_ns;   /* work that resumes did not have to repeat */
	uint64_t pauses_ns, repeated_ns;
	uint64_t disk_images, disk_bytes;
	uint64_t resumes;
};
void report_sum(const struct report *, struct report_totals *ret);

const char *json_text_of(const json_t *object, const char *key); /* "" if there is none */
uint64_t json_count_of(const json_t *object, const char *key, uint64_t otherwise);
uint64_t json_time_of(const json_t *object, const char *key);

#endif

/*
 * Watching memory and progress: pure arithmetic on samples, no clock is read
 * and nothing is done here.
 *
 * Memory. A limit that no allocation meets (cgroup, machine, --memory-max) ends
 * in the OOM killer. The job is stopped before: when the room that is left falls
 * below a reserve, or would within the time it takes to look again and freeze.
 * The reserve is what a checkpoint needs itself: cragon's buffers, and page
 * cache of the image that is not written back yet, are charged to the same
 * cgroup. While the job grows towards a limit, the watch asks to be called more
 * often than once per sample.
 *
 * Progress. A job that has used no CPU time and moved no bytes for a time hangs.
 */
#ifndef CRAGON_JOB_WATCH_H
#define CRAGON_JOB_WATCH_H

#include "base/defs.h"

#include <stdbool.h>

#define WATCH_FASTEST_NS (20 * NS_PER_MSEC)

enum memory_bound { BOUND_NONE, BOUND_MEMORY_MAX, BOUND_CGROUP, BOUND_MACHINE };

struct memory_room { /* one limit and how far away it is */
	uint64_t used_bytes, limit_bytes;
};

struct memory_sample {
	uint64_t time_ns;	    /* monotonic */
	struct memory_room job;	    /* resident bytes, --memory-max; limit 0: none */
	struct memory_room cgroup;  /* working set; limit 0: none */
	struct memory_room machine; /* total − available, total + free swap */
};

struct memory_watch {
	struct memory_sample last;
	double growth[BOUND_MACHINE + 1]; /* bytes per second towards each limit, smoothed */
	bool has_last;
};

struct memory_verdict {
	bool stop;		 /* now, or it will be too late */
	enum memory_bound bound; /* the limit that is nearest in time */
	uint64_t left_bytes, limit_bytes, growth_bytes_per_s;
	uint64_t look_again_ns; /* in how long; UINT64_MAX: the next sample will do */
};

struct memory_verdict memory_watch_look(struct memory_watch *, const struct memory_sample *);
uint64_t memory_watch_reserve(uint64_t limit_bytes);
const char *memory_bound_name(enum memory_bound); /* "the cgroup's limit" */

struct hang_watch {
	uint64_t cpu_ns, io_bytes; /* at the last progress */
	uint64_t since_ns;	   /* monotonic; 0: nothing seen yet */
	uint64_t excused_ns;	   /* CPU time that checkpoints used in the job's name */
};

/* CPU time below this share of the time passed is no progress: a program that
 * waits for ever still wakes up for its timers. */
#define HANG_CPU_PER_MILLE 1

/* How long there has been no progress, nanoseconds. */
uint64_t hang_watch_look(struct hang_watch *, uint64_t now_ns, uint64_t cpu_ns, uint64_t io_bytes);
/* A checkpoint: the time in which the job was held does not count, nor what the
 * system calls made in its processes took. */
void hang_watch_pardon(struct hang_watch *, uint64_t held_ns, unsigned processes);

#endif

/*
 * The job directory (doc: product contract): finding, creating and describing
 * one. job.json is the journal of the job: command, directory, attempts.
 */
#ifndef CRAGON_JOB_JOBDIR_H
#define CRAGON_JOB_JOBDIR_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum job_state {
	JOB_RUNNING, /* a live cragon supervises it */
	JOB_STOPPED, /* ended with a resumable image (stop code) */
	JOB_DONE,    /* COMMAND exited */
	JOB_LOST,    /* its cragon is gone without a word: killed, node lost */
};

struct job_view {	 /* one job as list and status show it */
	char *id;	 /* short, unique for this user */
	char *directory; /* absolute */
	char **command;	 /* NULL-terminated */
	enum job_state state;
	pid_t pid; /* of its cragon, 0 when none */
	char *hostname;
	int attempts;
	int exit_code;		     /* of the last attempt, -1 while running */
	uint64_t started_ns;	     /* real time, first attempt */
	uint64_t last_image;	     /* number, 0: none */
	uint64_t last_image_ns;	     /* real time it was taken */
	uint64_t next_checkpoint_ns; /* real time, 0: none planned */
	uint64_t interval_ns;	     /* 0: none */
	char *interval_reason;	     /* of the last attempt; may be NULL */
	uint64_t images;	     /* valid ones on disk */
	uint64_t image_bytes;	     /* all of them together */
	uint64_t last_pause_ns, last_duration_ns, last_memory_bytes, last_stored_bytes;
};

void job_view_done(struct job_view *);

/* JOB as a user names it: a directory, an id, or NULL for the only running job
 * or the newest under the current directory. WHY_NO_JOB with what to type. */
int job_find(const char *name, struct job_view *ret, struct err *);

/* All jobs of this user, newest first. Caller frees each and the array. */
int job_list(struct job_view **ret, size_t *ret_n, struct err *);

const char *job_state_name(enum job_state);

#endif

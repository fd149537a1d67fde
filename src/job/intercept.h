/*
 * The job's failed calls (src/interpose): placing the preloaded object and the
 * FIFOs before the job starts, reading what it tells, letting held threads go.
 *
 * The object and the name under which the job finds its FIFOs are in the job's
 * environment and memory, so they have to be the same after every resume, also
 * when the job directory has moved: both are in the user's state directory, the
 * object under a name made of its content, the FIFOs through a link named after
 * the job's id that each start renews.
 */
#ifndef CRAGON_JOB_INTERCEPT_H
#define CRAGON_JOB_INTERCEPT_H

#include "base/buf.h"
#include "base/err.h"
#include "job/settings.h"

#include <jansson.h>
#include <sys/types.h>

#define INTERCEPT_DIR ".intercept"
#define INTERCEPT_LOG "intercepted.log"

struct intercept {
	int dirfd;	      /* JOBDIR/.intercept; -1: no interception */
	int jobdir_fd;	      /* borrowed */
	int calls;	      /* read end of the FIFO */
	int hold;	      /* our end: closing it lets all held threads try again */
	char *object, *link;  /* absolute paths; NULL: not placed */
	char *preload_before; /* LD_PRELOAD, to be put back */
};

#define INTERCEPT_NONE ((struct intercept){.dirfd = -1, .jobdir_fd = -1, .calls = -1, .hold = -1})

struct intercept_call {
	pid_t pid, tid; /* as the job sees them */
	unsigned function;
	int error;
	unsigned reason;
	bool held; /* and waits still: threads let go meanwhile are not */
	uint64_t bytes, argument[5], caller, dropped;
};

void intercept_done(struct intercept *);

/* Makes JOBDIR/.intercept with fresh FIFOs. */
int intercept_open(struct intercept *, const char *jobdir, int jobdir_fd, struct err *);

/* Writes the object and the link. `paths` is what intercept_paths() gave at the
 * job's first start, or NULL. */
int intercept_place(
	struct intercept *, const char *jobdir, const char *id, const json_t *paths, struct err *);
json_t *intercept_paths(const struct intercept *);

/* Removes what intercept_open() and intercept_place() made for a job that did not
 * start; the object stays for others. */
void intercept_discard(struct intercept *);

/* Would the object be loaded into this program? 1; 0 with the reason; -errno. */
int intercept_applies(const char *program, struct buf *ret_reason);

/* LD_PRELOAD and CRAGON_INTERCEPT for the job about to start; and back, since
 * they are not for what cragon itself starts. */
int intercept_environment(struct intercept *, enum memory_mode);
void intercept_environment_undo(struct intercept *);

int intercept_fd(const struct intercept *); /* for poll(); -1: none */
/* 1: *ret is filled; 0: nothing more. Damaged records are skipped. */
int intercept_next(struct intercept *, struct intercept_call *ret);
const char *intercept_function(const struct intercept_call *);
const char *intercept_reason(const struct intercept_call *);

/* All threads that wait now try again. */
int intercept_release(struct intercept *);
/* From now on failures are passed on, or held again. */
void intercept_pass(struct intercept *, bool pass);

/* One line in JOBDIR/intercepted.log. */
void intercept_log(const struct intercept *, const struct intercept_call *);

#endif

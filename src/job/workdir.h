/*
 * One job directory held open: its path, its lock. The lock keeps two cragons
 * from running one job; it is an open-file-description lock (fcntl(2)), which
 * network file systems pass on to their server. Where a file system has no
 * locks, only the process recorded in job.json guards the job.
 */
#ifndef CRAGON_JOB_WORKDIR_H
#define CRAGON_JOB_WORKDIR_H

#include "base/err.h"
#include "job/identity.h"
#include "job/journal.h"

struct workdir {
	char *path; /* absolute */
	int fd;
	int lock_fd;
	bool created; /* by us, just now */
};

#define WORKDIR_NONE ((struct workdir){.fd = -1, .lock_fd = -1})

void workdir_done(struct workdir *);

/* Opens an existing directory. */
int workdir_open(struct workdir *ret, const char *path, struct err *);
/* Opens `path`, creating it when missing; NULL: ./cragon_<prog>_<date>. */
int workdir_create(struct workdir *ret, const char *path, const char *program, struct err *);
/* Takes back a directory that workdir_create() made and that stayed empty. */
void workdir_discard(struct workdir *);

/* WHY_BUSY naming the other cragon when the job is being run. */
int workdir_lock(struct workdir *, const struct identity *self, struct err *);

/* The image directory's job directory (…/checkpoint_images/N_…), malloc'd, or
 * NULL when it lies elsewhere. */
char *workdir_of_image(const char *image);

#endif

/*
 * All descriptors of a frozen job, and their making anew.
 *
 * Collecting runs in three steps so that nothing is half done when something
 * is refused: probe every descriptor of every process; let the kinds claim;
 * describe each open file description once.
 */
#ifndef CRAGON_KIND_FILES_H
#define CRAGON_KIND_FILES_H

#include "kind/kind.h"

struct files_process { /* one process to look at */
	pid_t pid, vpid;
	const char *comm;
	Cragon__Process *process; /* descriptors and locks are added here */
};

/* Obstacles (one line each, naming process and descriptor) are appended to
 * *obstacles; with any of them the result is incomplete but returns 0. */
int files_collect(struct files_dump *, const struct files_process *, size_t n,
	struct buf *obstacles, struct err *);

/* Content of the deleted files among Image.shared that a descriptor leads to.
 * `source` is such a descriptor: /proc/PID/fd/N. -ENOENT: none is known. */
int files_open_deleted(
	const Cragon__Image *, const struct files_process *, size_t n, size_t shared, struct err *);

/* What the job has written so far reaches the disk, so that an image that
 * survives a power failure finds the files it expects. Best effort. */
void files_sync(const Cragon__Image *);

/* Opens everything; on failure files_restore_done() closes what was opened. */
int files_make(struct files_restore *, const Cragon__Image *, const struct files_moved *,
	struct buf *remarks, struct err *);
/* The step that changes files: to be called when nothing else can fail. */
int files_commit(struct files_restore *, struct err *);
void files_restore_done(struct files_restore *);

#endif

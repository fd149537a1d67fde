/*
 * One row per kind of open file description. Adding a kind touches its file,
 * its row in kinds.c, a message in format.proto, a victim and a paragraph of
 * doc/support.md.
 *
 * All claims run before anything is changed, so that `cragon check` and a
 * checkpoint cannot disagree. Restoring has two stages: make opens the
 * description in cragon itself, before the job exists (the job inherits it);
 * link adds what needs other descriptors, inside the restored process.
 */
#ifndef CRAGON_KIND_KIND_H
#define CRAGON_KIND_KIND_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"
#include "tracee/tracee.h"

#include <stdbool.h>
#include <sys/stat.h>

enum verdict { NOT_MINE, SUPPORTED, REFUSED };

/* What is known about one descriptor of a frozen process. */
struct fd_probe {
	pid_t pid;  /* as cragon sees it */
	pid_t vpid; /* as the job sees it */
	int fd;
	const char *link; /* /proc/PID/fd/N, without " (deleted)" */
	bool deleted;	  /* the link ended in " (deleted)" */
	struct stat stat;
	unsigned flags; /* O_*, without O_CLOEXEC */
	int64_t position;
	const char *fdinfo; /* whole text */
	int copy;	    /* our duplicate of the descriptor, -1 when not to be had */
	int standard;	    /* number under which cragon itself has this very description; -1 */
	int same_stream;    /* 0..2: another description of the same terminal or pipe; -1 */
	nlink_t own_links;  /* deleted file: names that images of the job keep of it */
	bool inside_both;   /* pipe: a description of the other end is in the job too */
};

/* Where dump puts what it finds. */
struct files_dump {
	struct arena *arena;
	Cragon__Image *image;
	const char *jobdir; /* of the job; NULL: not known */
};

/* In the job directory: the FIFO that threads with a failed allocation read
 * (interpose/wire.h). */
#define FILES_HOLD_NAME "/.intercept/hold"

/* Files whose content is put back before the job runs may have another name
 * until then. `now` returns the name; *ret_kept: it need not be checked. */
struct files_moved {
	const char *jobdir; /* where it is now; NULL: where it was */
	const char *(*now)(const void *ctx, const char *path, bool *ret_kept);
	const void *ctx;
};

/* Restoring: what make and link may need. */
struct files_restore {
	const Cragon__Image *image;
	int *fds;	     /* one per Image.object, -1 until made; owned */
	int *shared;	     /* one per Image.shared, read-write; owned */
	struct buf *remarks; /* one line each, for the log */
	struct files_moved moved;
};

struct kind {
	const char *name; /* "eventfd": messages, inspect, docs */
	/* For doc/support.md: what is kept, and what is refused or not kept. */
	const char *kept, *limits;
	Cragon__Object__DetailCase detail; /* what its objects carry */
	enum verdict (*claim)(const struct fd_probe *, struct buf *ret_reason);
	int (*dump)(struct files_dump *, const struct fd_probe *, Cragon__Object *, struct err *);
	int (*make)(struct files_restore *, size_t index, int *ret_fd, struct err *);
	/* Just before the job runs: may change files (cut back what was appended). */
	int (*commit)(struct files_restore *, size_t index, int fd, struct err *);
	int (*link)(struct tracee *, taddr scratch, const Cragon__Object *, int fd, struct err *);
};

/* NULL-terminated, in the order of claiming; the last one refuses everything. */
extern const struct kind *const kinds[];
const struct kind *kind_by_name(const char *name);

extern const struct kind kind_outside, kind_file, kind_directory, kind_device, kind_pipe,
	kind_eventfd, kind_epoll, kind_unknown;

/* Fills a FileIdentity from a stat. NULL when out of memory. */
Cragon__FileIdentity *file_identity(struct arena *, const struct stat *);

/* Index into Image.shared of the nameless file (device, inode), added when new;
 * its content still has to be dumped once (Shared.space). -errno. */
int shared_add(struct files_dump *, const struct stat *, Cragon__Shared__Kind, const char *path,
	uint64_t bytes);

#endif

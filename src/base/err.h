/*
 * One error, owned by the caller, allocating nothing.
 *
 * A function that can fail returns 0 (or a positive answer) or a negative
 * errno, and fills the struct err it was given. Callers add context on the way
 * up with err_in(). Nobody parses the text: `why` is the stable part, used by
 * exit codes, JSON and diagnosis.
 */
#ifndef CRAGON_BASE_ERR_H
#define CRAGON_BASE_ERR_H

#include "base/defs.h"

/* name, text used in JSON */
#define CRAGON_WHY(X)                                                                              \
	X(NONE, "none")                                                                            \
	X(SYSTEM, "system")             /* a system call failed; see code */                       \
	X(USAGE, "usage")               /* the user's words are off */                             \
	X(NO_COMMAND, "no-command")     /* command not found */                                    \
	X(NOT_EXECUTABLE, "not-executable")                                                        \
	X(UNSUPPORTED, "unsupported")   /* the job holds something that cannot be checkpointed */  \
	X(BUSY, "busy")                 /* could not be frozen in time; try again later */         \
	X(TRACEE_DIED, "tracee-died")   /* a process ended under our hands */                      \
	X(NO_IMAGE, "no-image")         /* nothing to resume from */                               \
	X(BAD_IMAGE, "bad-image")       /* damaged, truncated or not an image */                   \
	X(NEWER_IMAGE, "newer-image")   /* written by a newer major format */                      \
	X(FILE_CHANGED, "file-changed") /* a file the job needs vanished, shrank or changed */     \
	X(NO_SPACE, "no-space")         /* ENOSPC, EDQUOT */                                       \
	X(PERMISSION, "permission")     /* the kernel or an administrator forbids it */            \
	X(NO_JOB, "no-job")             /* no such job, or it is not running */                    \
	X(INTERRUPTED, "interrupted")   /* a signal asked us to stop */

enum why {
#define X(name, text) WHY_##name,
	CRAGON_WHY(X)
#undef X
};

struct err {
	int code; /* negative errno, 0 when unset */
	enum why why;
	char text[1024]; /* one line, no newline */
};

/* Sets the error and returns `code`. A code of 0 is stored as -EINVAL. */
int err_set(struct err *e, int code, enum why why, const char *fmt, ...) printf_like(4, 5);

/* The same for a failed system call: appends ": strerror". `code` is -errno.
 * ENOSPC/EDQUOT become WHY_NO_SPACE, EPERM/EACCES WHY_PERMISSION. */
int err_sys(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts "text: " in front of the message; returns e->code. */
int err_in(struct err *e, const char *fmt, ...) printf_like(2, 3);

const char *why_name(enum why why);

#endif

/*
 * The last lines of the job's standard error: evidence for the diagnosis. What
 * the program sees stays what it was: of a regular file the end is read when
 * the attempt is over; a pipe is replaced by a pipe whose content a thread of
 * cragon passes on; a terminal is left alone, and so is a pipe that standard
 * output shares (2>&1), where the order of both would suffer. Nothing is kept
 * of these two.
 */
#ifndef CRAGON_JOB_STDERR_TAIL_H
#define CRAGON_JOB_STDERR_TAIL_H

#include "base/buf.h"

#define STDERR_TAIL_NAME "stderr.tail"
#define STDERR_TAIL_BYTES 16384u

struct stderr_tail;

/* Before the job exists. NULL when nothing can be kept; the others take that. */
struct stderr_tail *stderr_tail_open(void);
/* The last bytes written since stderr_tail_open(), at most STDERR_TAIL_BYTES. */
void stderr_tail_read(struct stderr_tail *, struct buf *ret);
/* What was written so far belongs to an earlier try. */
void stderr_tail_forget(struct stderr_tail *);
/* After the job's end: passes on the rest, puts standard error back. */
void stderr_tail_close(struct stderr_tail *);

#endif

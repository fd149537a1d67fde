/*
 * More memory for a job whose allocation failed: what stands in the way, and
 * raising it where an ordinary user may, which is a soft limit below its hard one.
 */
#ifndef CRAGON_JOB_ROOM_H
#define CRAGON_JOB_ROOM_H

#include "base/buf.h"

#include <sys/types.h>

/* Which limit of process `pid` (as cragon sees it) refused `bytes` more? Appends
 * it in words. 1: it can be raised here; 0: it cannot; -errno. */
int room_obstacle(pid_t pid, uint64_t bytes, struct buf *ret_text);

/* Raises the soft limits of address space and data of `pid` so that `bytes` more
 * fit with as much again to spare, hard limits permitting; appends what was done. */
int room_raise(pid_t pid, uint64_t bytes, struct buf *ret_text);

/* Sets them to `bytes`, hard limits permitting: "cragon memory JOB SIZE". */
int room_set(pid_t pid, uint64_t bytes, struct buf *ret_text);

#endif

/*
 * A checkpoint in the making: what the steps of dump.c share.
 *
 * Order: freeze; describe (read-only: /proc, ptrace reads; obstacles are
 * collected here, which is all that engine_plan() does); query (system calls
 * made by the tracees); snapshot (memory); thaw; finish.
 */
#ifndef CRAGON_ENGINE_DUMP_H
#define CRAGON_ENGINE_DUMP_H

#include "engine/job.h"
#include "kind/files.h"
#include "tracee/freeze.h"
#include "sys/procfs.h"

struct dump_process {
	struct frozen_process *frozen;
	Cragon__Process *process;
	bool *whole; /* per VMA: every page goes into the image, even unchanged ones of a file */
	uint64_t caught, ignored; /* signal bit masks from /proc */
};

struct dump {
	struct job *job;
	const struct engine_checkpoint *how; /* NULL: only planned */
	struct notes notes;
	struct frozen frozen;
	struct arena arena;
	Cragon__Image image;
	struct dump_process *processes; /* as many as frozen.n */
	struct files_process *files;
	struct buf obstacles; /* one line each */
	pid_t reaper_inner;
};

void dump_done(struct dump *); /* thaws what is still frozen */

/* Pushes a line "process 7 (name): text"; the checkpoint will be refused. */
void dump_obstacle(struct dump *, const struct dump_process *, const char *fmt, ...)
	printf_like(3, 4);

/* describe.c: everything that can be read without touching the tracees. */
int dump_describe(struct dump *, struct err *);

/* limits.c: all of a process's limits, appended to a list in the arena. */
int dump_limits(struct dump *, pid_t pid, Cragon__Limit ***list, size_t *n);
/* vmas.c */
int dump_vmas(struct dump *, struct dump_process *, struct err *);
/* query.c: what only the tracee itself can ask. */
int dump_query(struct dump *, struct err *);
/* snapshot.c: memory into the writer, while the job is held. */
int snapshot_take(struct dump *, struct image_writer *, struct err *);

/* outputs_dump.c: the files that the job writes. Before the job is held; while it
 * is; and once it runs again (*ret_stored: bytes on disk). */
void outputs_look_around(struct job *);
int outputs_dump(struct dump *, const struct engine_checkpoint *, struct err *);
int outputs_finish(struct dump *, int dirfd, uint64_t *ret_stored, struct err *);

/* Strings and messages in the dump's arena; NULL when out of memory. */
char *dump_string(struct dump *, const char *);

#define dump_new(d, type)                                                      \
	({                                                                     \
		Cragon__##type *new_ = arena_alloc(&(d)->arena, sizeof *new_); \
		new_;                                                          \
	})

#endif

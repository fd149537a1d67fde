/*
 * The files that a job writes, so that they are after a resume what they were
 * at the checkpoint (doc/decisions/009-files.md).
 *
 * The kernel does not tell who wrote a file. What is known: descriptors and
 * mappings at a checkpoint, and at other times when job_note_outputs() looked;
 * and for the rest of the files of the same user, that they lie where the job works
 * and are not older than the job. The former are called `written` here; of the latter
 * nothing is changed without a copy in files_aside, and files which somebody
 * outside the job was seen writing are left alone.
 */
#ifndef CRAGON_ENGINE_OUTPUTS_H
#define CRAGON_ENGINE_OUTPUTS_H

#include "base/names.h"
#include "engine/engine.h"

#include <sys/stat.h>

/* Content up to this size travels in the metadata. */
#define OUTPUTS_INLINE_BYTES 16384u
/* A file that is only appended to is kept by its length from here on, with
 * its first and last bytes. */
#define OUTPUTS_APPEND_BYTES (4 * MIB)
#define OUTPUTS_EDGE_BYTES 65536u
/* With --files keep, content beyond this is not saved. */
#define OUTPUTS_FILE_MAX (1024 * MIB)
#define OUTPUTS_TOTAL_MAX (4096 * MIB)
#define OUTPUTS_NAMES_MAX 20000u
#define OUTPUTS_DEPTH_MAX 16
/* Time stamps of files come from a clock that stands still for up to 10 ms, and
 * those of a server from another clock: younger ones prove nothing. */
#define OUTPUTS_RACE_NS (2 * NS_PER_SEC)

#define OUTPUTS_ASIDE_NAME "files_aside"
#define OUTPUTS_STAGED_PREFIX ".cragon-restore."

struct output_copy { /* of a file in the newest image */
	char *path;
	uint64_t device, inode, size, mtime_ns, ctime_ns, taken_ns;
	uint32_t number; /* files/N */
	uint8_t digest[16];
};

struct outputs { /* what is remembered between the checkpoints of a job */
	uint64_t since_ns;
	struct names seen;    /* open for writing in the job, at some time */
	struct names foreign; /* open for writing outside it */
	struct names told;    /* too big to be saved: said once */
	bool has_image;
	int image_fd; /* directory of the newest image, with has_image */
	struct output_copy *copies;
	size_t n_copies;
};

void outputs_done(struct outputs *);
/* A job resumed from an image goes on where that one was. */
int outputs_inherit(struct outputs *, const Cragon__Outputs *, int image_fd);
/* The image in `image_fd` is the newest now; its copies serve the next one. */
int outputs_remember(struct outputs *, const Cragon__Outputs *, int image_fd);

/* Adds regular files that processes of this user have open for writing, but for
 * cragon and what descends from `reaper` (0: nothing does). */
void outputs_note_others(struct names *, pid_t reaper);

static inline uint64_t time_ns(const struct timespec *t)
{
	return t->tv_sec < 0 ? 0 : (uint64_t)t->tv_sec * NS_PER_SEC + (uint64_t)t->tv_nsec;
}

/* The time by the clock that files are stamped with: behind the real one by a tick. */
uint64_t outputs_now_ns(void);

/* 8 bytes that stand for a path in Outputs.name. */
void output_name_hash(const char *path, uint8_t out[static 8]);

/* ---- looking for files (watch.c) ---------------------------------------- */

struct found_file {
	char *path;
	struct stat st;
};

struct watched {
	char *path;
	bool recursive;
	bool complete;
	bool hidden; /* names with a dot in front count */
	bool known;  /* a directory for everybody: only names that are likely the job's */
};

struct watch {
	const struct names *seen;
	const struct names *programs; /* of the job; their temporary files have such names; may be NULL */
	const char *jobdir;	      /* absolute, may be NULL */
	struct watched *dirs;
	size_t n_dirs;
	struct found_file *files; /* every name, of any type */
	size_t n_files, cap;
	struct names staged; /* names with OUTPUTS_STAGED_PREFIX */
};

void watch_done(struct watch *);
/* Adds a directory of that path, unless it is watched already. */
int watch_add(struct watch *, const char *path, bool recursive);
/* And those of all seen names. */
int watch_add_seen(struct watch *);
/* Fills files; marks directories that were not looked at to the end. */
int watch_look(struct watch *);

#endif

/*
 * The engine: starts a job, checkpoints it, restores it. An outside tracer,
 * ancestor of the job, that attaches only while it works.
 *
 *   cragon (supervisor) ── reaper ── COMMAND ── …
 *
 * The reaper is a child of cragon made without exec: PID 1 of the job's PID
 * namespace, or a child subreaper where namespaces are not allowed. It reaps
 * orphans, reports how COMMAND ended over a pipe, and dies with cragon: when
 * cragon is killed, the whole job is killed too and is resumed from its last
 * image (doc/decisions/001).
 *
 * The engine never prints and never exits; `note` carries things that the
 * log should know ("no time namespace: …").
 */
#ifndef CRAGON_ENGINE_ENGINE_H
#define CRAGON_ENGINE_ENGINE_H

#include "base/err.h"
#include "image/image.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct notes { /* where the engine's remarks go; fn may be NULL */
	void (*fn)(void *ctx, const char *text);
	void *ctx;
};

enum engine_namespaces { NAMESPACES_AUTO, NAMESPACES_NONE };

/* What a checkpoint does about the content of files the job writes. */
enum engine_files {
	FILES_KEEP, /* appends are cut back by length, what may change in place is saved */
	FILES_COPY, /* the content of all of them is saved */
	FILES_NONE, /* nothing but the length of open files */
};

struct job; /* a started or restored job */

struct engine_spawn {
	char *const *argv; /* argv[0] is looked up in PATH */
	enum engine_namespaces namespaces;
	struct notes notes;
	const sigset_t *mask; /* signal mask for COMMAND; NULL: the caller's */
};

/* The file that execvp(3) would run for `name`; `ret` holds PATH_MAX. */
int engine_find_program(const char *name, char *ret, struct err *);

/* Starts COMMAND with the caller's standard streams, environment, directory,
 * process group and session. Returns once execve has succeeded; else
 * WHY_NO_COMMAND, WHY_NOT_EXECUTABLE, or WHY_UNSUPPORTED (32-bit, set-user-id). */
int engine_spawn(struct job **ret, const struct engine_spawn *, struct err *);

struct rlimit;
struct engine_restore {
	enum engine_namespaces namespaces;
	struct notes notes;
	/* RLIM_NLIMITS of them, in place of those of memory, CPU time and file size
	 * that the job had from outside; NULL: as they were. */
	const struct rlimit *limits;
	bool force_files;   /* inputs that have changed are no obstacle */
	const char *jobdir; /* what is in the way goes to its files_aside; NULL: it stays */
	/* Real time after which nothing of the job ran any more, so that what was
	 * changed later is somebody else's; 0: not known. */
	uint64_t ran_until_ns;
};

/* Builds the job of `image` anew and lets it run. On failure everything that
 * had been built is gone again and no file was changed. */
int engine_restore(
	struct job **ret, struct image *image, const struct engine_restore *, struct err *);

/* Frees the handle; the job, if it still runs, is killed with its reaper. */
void job_free(struct job *);

pid_t job_reaper_pid(const struct job *); /* as cragon sees it */
pid_t job_root_pid(const struct job *);   /* COMMAND as cragon sees it, 0 once it ended */
bool job_has_namespace(const struct job *);

/* Readable when COMMAND has ended: add it to the event loop. The reaper goes on
 * until job_end(). */
int job_event_fd(const struct job *);

/* Non-blocking. Returns 1 and the wait status (as of waitpid) when COMMAND has
 * ended, 0 when it still runs, -ESRCH when the reaper is gone (killed) first. */
int job_poll(struct job *, int *ret_status);

/* Processes of the job other than the reaper, as cragon sees them. Caller
 * frees *ret_pids. Returns their count or -errno. */
int job_processes(const struct job *, pid_t **ret_pids);

/* The process that the job itself knows as `inner`, as cragon sees it; 0: none. */
pid_t job_outer_pid(const struct job *, pid_t inner);

/* Sends `sig` to COMMAND (job_signal) or to every process (job_signal_all). */
int job_signal(struct job *, int sig);
int job_signal_all(struct job *, int sig);

/* Kills whatever is left and reaps the reaper. Idempotent. */
void job_end(struct job *);

struct engine_dump_result {
	uint64_t pause_ns; /* longest time a process was held */
	uint64_t processes, threads;
	struct image_totals totals;
};

enum engine_after { AFTER_CONTINUE, AFTER_KILL };

typedef int engine_publish_fn(void *ctx, const struct engine_dump_result *, struct err *);

struct engine_checkpoint {
	struct image_writer *writer;
	int dirfd; /* where the writer writes */
	enum engine_after after;
	engine_publish_fn *publish;
	void *ctx;
	enum engine_files files;
	const char *jobdir; /* nothing in it is the job's, but what the job has open */
	struct notes notes;
};

/* One checkpoint into the writer, which is finished (files written and synced)
 * but not published: checkpoint_info is the caller's. On any error the job runs
 * on as if nothing had happened. With AFTER_KILL the job is still held when
 * `publish` is called and is killed only if that returns 0; the same for
 * AFTER_CONTINUE with `publish` called after the job runs again. */
int engine_checkpoint(struct job *, const struct engine_checkpoint *, struct engine_dump_result *ret,
	struct err *);

/* Notes which files the job has open for writing at this moment: a file that is
 * seen once is looked after from then on. Bounded work (a few thousand
 * descriptors); meant to be called once a second or less. */
void job_note_outputs(struct job *);

/* Read-only: would a checkpoint be refused? Appends one line per obstacle
 * ("process 12 (nginx): descriptor 6 is a TCP socket: not supported yet").
 * Returns the number of obstacles or -errno. The job is held for a moment. */
struct buf;
int engine_plan(struct job *, struct buf *ret_obstacles, struct err *);

/* The kinds of open files and what becomes of each, as a Markdown table. */
void engine_support(struct buf *ret);

#endif

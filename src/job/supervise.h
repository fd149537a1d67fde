/*
 * Cragon while the job runs: one event loop for `run` and `restart`. It waits
 * in poll() for a signal, the next checkpoint's time, COMMAND's end or a
 * request on the control socket, and for nothing else: no other wake-ups.
 *
 * Signals. The job shares cragon's process group and session, so what the
 * terminal sends (si_code SI_KERNEL) has reached it already; cragon survives
 * it and waits for the job. What a process sends to cragon (kill) is passed on
 * to COMMAND. A kill of the whole process group cannot be told from that and
 * arrives twice.
 *
 * Order: supervise() blocks signals, so it comes after engine_spawn() and
 * engine_restore(), whose children start with cragon's own mask.
 */
#ifndef CRAGON_JOB_SUPERVISE_H
#define CRAGON_JOB_SUPERVISE_H

#include "job/identity.h"
#include "job/intercept.h"
#include "job/journal.h"
#include "job/plugin.h"
#include "job/settings.h"
#include "job/workdir.h"

struct supervised {
	struct job *job;
	const struct settings *settings;
	const struct identity *who;
	struct workdir *dir;
	struct journal *journal; /* its last attempt is this one */
	struct intercept *intercept;
	struct plugins *plugins;
	struct log *log;
	char *const *command;
	struct facts *facts; /* for the diagnosis */
	bool resumed;
	uint64_t pause_ns, duration_ns, memory_bytes; /* of the image resumed from */
};

/* Why Cragon ended the job itself (HOW_STOPPED); name in job.json. */
#define STOP_REASONS(X)                 \
	X(NONE, "none")                 \
	X(REQUEST, "request")           \
	X(TIME_LIMIT, "time-limit")     \
	X(CPU_LIMIT, "cpu-limit")       \
	X(MEMORY_LIMIT, "memory-limit") \
	X(ALLOCATION, "allocation")     \
	X(SCHEDULER, "scheduler")       \
	X(HANG, "hang")

enum stop_reason {
#define X(name, text) STOP_##name,
	STOP_REASONS(X)
#undef X
};

struct outcome {
	enum journal_how how;
	enum stop_reason stop;
	unsigned bound; /* STOP_MEMORY_LIMIT: enum memory_bound */
	uint64_t bound_bytes;
	uint64_t wanted_bytes; /* STOP_ALLOCATION: by the call that failed */
	uint64_t failed_calls;
	int signal;    /* HOW_SIGNAL */
	int exit_code; /* what cragon shall return */
	unsigned checkpoints;
	uint64_t last_image; /* number, 0: none in this attempt */
	uint64_t saved_ns;   /* monotonic, of what that image holds */
	uint64_t lost_ns;    /* work since then, at an end that was nobody's wish */
};

/* Tells the plugins; takes over `more`, an object with what is special about the
 * event, or NULL. */
void tell_plugins(const struct supervised *, const char *event, json_t *more);

const char *stop_reason_name(enum stop_reason);

/* Returns when the job is over; the journal says how. */
int supervise(struct supervised *, struct outcome *ret, struct err *);

/* For struct notes: the engine's remarks go to the log; ctx is a struct log. */
void note_to_log(void *ctx, const char *text);

#endif

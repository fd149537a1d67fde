/*
 * One checkpoint from beginning to end: a temporary directory, the engine's
 * dump into it, checkpoint_info, publication. Older images are not touched
 * here, so that a full disk costs nothing that exists.
 */
#ifndef CRAGON_JOB_CHECKPOINT_H
#define CRAGON_JOB_CHECKPOINT_H

#include "engine/engine.h"
#include "job/identity.h"
#include "job/settings.h"

struct checkpoint_request {
	const char *jobdir;
	char *const *command;
	const char *directory; /* COMMAND's at its start */
	const struct identity *who;
	const struct settings *settings; /* compression */
	const char *reason;		 /* "periodic", "request", "signal", "stop", "time-limit" */
	enum engine_after after;
	struct notes notes;
};

struct checkpoint_result {
	uint64_t number;
	char *path; /* malloc'd */
	uint64_t pause_ns, duration_ns;
	uint64_t memory_bytes, stored_bytes;
	uint64_t processes, threads;
};

void checkpoint_result_done(struct checkpoint_result *);

int checkpoint_take(struct job *, const struct checkpoint_request *, struct checkpoint_result *ret,
	struct err *);

#endif

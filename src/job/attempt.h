/*
 * Tries at a job: started or resumed, supervised to an end, diagnosed, and, when
 * another try can succeed, resumed again by the same cragon.
 */
#ifndef CRAGON_JOB_ATTEMPT_H
#define CRAGON_JOB_ATTEMPT_H

#include "job/intercept.h"
#include "job/launch.h"
#include "job/stderr_tail.h"
#include "store/store.h"

#include <sys/resource.h>

struct launch { /* all that one cragon holds while it runs a job */
	struct settings settings;
	struct rlimit limits[RLIM_NLIMITS]; /* that cragon was started with */
	struct identity who;
	struct workdir dir;
	struct journal journal;
	struct log log;
	struct intercept intercept;
	struct plugins plugins;
	char *plugin[SETTINGS_PLUGINS_MAX]; /* absolute paths, malloc'd */
	sigset_t mask; /* signals that were blocked when cragon was started */
	bool mask_known;
	struct stderr_tail *tail;
	struct job *job;
	char **command;	     /* of the journal */
	uint64_t from_image; /* of the try that runs; 0: from the beginning */
	uint64_t pause_ns, duration_ns, memory_bytes; /* of that image */
	unsigned resumes;			      /* by ourselves, so far */
	bool went_back;				      /* to an older image, once */
	struct facts *facts;			      /* of the last try */
};

#define LAUNCH_NONE                             \
	((struct launch){.plugins = {.to = -1}, \
		.dir = WORKDIR_NONE,            \
		.log = {.fd = -1},              \
		.intercept = INTERCEPT_NONE})

void launch_init(struct launch *, const struct settings *);
void launch_done(struct launch *);
int launch_open_log(struct launch *, struct err *);

struct choice { /* images to resume from, newest first */
	struct store_entry *list;
	size_t n, damaged;
};

int choice_list(const char *jobdir, struct choice *ret, struct err *);
void choice_done(struct choice *);

/* Each gives l->job; on failure nothing was touched. */
int attempt_start(struct launch *, char *const *command, struct err *);
int attempt_restore(struct launch *, const char *image, struct err *);
/* Newest first; a damaged one gives way to the next older. */
int attempt_restore_newest(struct launch *, struct err *);

/* From there to the outcome of the last try. */
int attempt_follow(struct launch *, struct launched *ret, struct err *);

#endif

/*
 * Plugins: executables called at events of the job, with the event's name as
 * argument and one JSON object on standard input; the rightmost of the command
 * line comes first.
 *
 * The event loop never waits for one: a runner, a child process of cragon, takes
 * events from a pipe and calls the plugins one after the other, each with a time
 * limit. A plugin can delay those that come after it, and nothing else.
 */
#ifndef CRAGON_JOB_PLUGIN_H
#define CRAGON_JOB_PLUGIN_H

#include "base/log.h"
#include "job/settings.h"

#include <jansson.h>
#include <signal.h>
#include <sys/types.h>

#define PLUGIN_TIME_NS (30 * NS_PER_SEC)

struct plugins {
	pid_t runner; /* 0: none */
	int to;	      /* the pipe */
};

#define PLUGINS_NONE ((struct plugins){.to = -1})

/* Starts the runner, if there is any plugin. `mask`: signals blocked for them. */
int plugins_open(struct plugins *, const struct settings *, const sigset_t *mask, struct log *);

/* Takes over `object`. Never blocks: an event for which there is no room is told
 * in the log and left out. */
void plugins_event(struct plugins *, const char *event, json_t *object, struct log *);

/* Waits until all events are through, as long as their time limits allow. */
void plugins_close(struct plugins *);

#endif

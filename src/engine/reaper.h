/*
 * The reaper: cragon's child above the job. In a PID namespace it is PID 1,
 * else a child subreaper; either way orphans of the job become its children.
 *
 * It is forked without exec and lives by a short protocol over two pipes:
 *   control  cragon -> reaper   one struct reaper_order
 *   events   reaper -> cragon   struct reaper_event, one each
 * It dies when cragon dies (PR_SET_PDEATHSIG): as PID 1 it takes the whole
 * namespace along; as a subreaper it first kills every descendant.
 */
#ifndef CRAGON_ENGINE_REAPER_H
#define CRAGON_ENGINE_REAPER_H

#include "engine/engine.h"

struct reaper {
	pid_t pid; /* as cragon sees it */
	int control, events; /* our ends; -1 when closed */
	bool has_pid_namespace, has_user_namespace, has_time_namespace;
};

enum reaper_event_kind { REAPER_READY, REAPER_STARTED, REAPER_EXEC_FAILED, REAPER_ROOT_ENDED };

struct reaper_event {
	int kind;
	int32_t value; /* -errno, pid or wait status */
};

/* ORDER_START forks and executes; ORDER_WATCH says which child is COMMAND. */
enum reaper_order_kind { ORDER_START, ORDER_WATCH };
struct reaper_order {
	int kind;
	int32_t root; /* ORDER_WATCH: its id in the reaper's namespace */
};

struct reaper_options {
	enum engine_namespaces namespaces;
	bool want_time;          /* restore: put the clocks back */
	int64_t monotonic_ns;    /* what CLOCK_MONOTONIC should read now */
	int64_t boottime_ns;
	const char *path;        /* spawn: program to execute, and its arguments */
	char *const *argv;
	const sigset_t *mask;    /* for the program; NULL: as it is here */
	const int *inherit;      /* restore: descriptors for the job… */
	size_t n_inherit;
	int inherit_base;        /* …to be found at this number and up */
	struct notes notes;
};

/* Forks the reaper, in namespaces where allowed, and waits until it is ready. */
int reaper_start(struct reaper *ret, const struct reaper_options *, struct err *);
int reaper_order(struct reaper *, enum reaper_order_kind, int32_t root);
/* One event, waiting for it. -ESRCH: the reaper is gone. */
int reaper_event(struct reaper *, struct reaper_event *ret);
/* Kills reaper and job, reaps it. Idempotent. */
void reaper_end(struct reaper *);

/* What the reaper does after the fork; reaper_main.c. Never returns. */
struct reaper_birth {
	const struct reaper_options *options;
	int control, events;
	pid_t cragon;
	bool pid_namespace, user_namespace;
	sigset_t mask; /* to give the program */
};
_Noreturn void reaper_main(const struct reaper_birth *);

#endif

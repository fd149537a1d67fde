/*
 * What comes after the end of an attempt, and how much memory the next one
 * needs. Pure: the caller looks at images, machine and history.
 *
 * Only recoverable causes are resumed, at most --retry times, and never twice
 * from the same image with nothing changed. After a lack of memory, time or space
 * there has to be more of it. What fails twice at the same place gets one try
 * from the image before, once.
 */
#ifndef CRAGON_DIAG_RECOVER_H
#define CRAGON_DIAG_RECOVER_H

#include "diag/diag.h"

struct recover_state {
	enum diag_cause cause;
	bool recoverable;	/* the diagnosis' */
	bool stopped;		/* by Cragon, with an image */
	unsigned retries_left;	/* of --retry */
	const uint64_t *images; /* valid ones, newest first */
	size_t n_images;
	uint64_t from_image; /* that the attempt was resumed from; 0: it was started */
	bool more_memory;    /* than at the end of the attempt: limit, cgroup or machine */
	bool more_time;	     /* the time limit that ended it is not over (any more) */
	bool space_back;     /* the full file system has room again */
	bool elsewhere;	     /* another host or another boot */
	bool same_place;     /* it crashed where the attempt before it crashed */
	bool went_back;	     /* an older image has been tried for that already */
	bool retry_hung;     /* the user wants a job that hangs to be resumed */
};

enum recover_action {
	RECOVER_RESUME,	 /* from `image`, now */
	RECOVER_STOP,	 /* end with the stop code: it can go on later, text says with what */
	RECOVER_GIVE_UP, /* end with COMMAND's code: another try would end the same way */
};

struct recover_choice {
	enum recover_action action;
	uint64_t image; /* RECOVER_RESUME */
	char text[DIAG_LINE_MAX];
};

void recover_decide(const struct recover_state *, struct recover_choice *ret);

/* Did both die of the same signal at the same place? */
bool recover_same_place(const struct diag_crash *, const struct diag_crash *);

struct forecast {
	uint64_t peak_bytes, growth_bytes_per_s, next_bytes;
	char text[DIAG_LINE_MAX];
};

/* `run_ns` is how long the attempt ran; the growth is assumed to go on for
 * `horizon_ns`, or for as long again when that is 0, to at most
 * twice the peak. `wanted_bytes`: by a call
 * that failed. 0, or -ENODATA when no peak is known. */
int forecast_memory(uint64_t peak_bytes, uint64_t growth_bytes_per_s, uint64_t run_ns,
	uint64_t horizon_ns, uint64_t wanted_bytes, struct forecast *ret);

/* The same from the facts of an attempt that ended for lack of memory; else, or
 * when nothing is known, -ENODATA. Where a limit refused an allocation, it is the
 * limit that has to grow by what was wanted. */
int forecast_of(const struct diag_facts *, enum diag_cause, struct forecast *ret);

json_t *forecast_to_json(const struct forecast *);

#endif

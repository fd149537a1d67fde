/*
 * The socket `control` in the job directory: other cragon commands ask the
 * running one. One JSON object per line each way:
 *   {"op":"checkpoint","stop":false} -> {"ok":true,"number":3,"path":…}
 *                                    or {"ok":false,"why":…,"text":…}
 *   {"op":"status"}                  -> {"ok":true,"pid":…,…}
 * Only the same user and root are answered. The server never blocks on a
 * client: one that does not read its answer loses it.
 */
#ifndef CRAGON_JOB_CONTROL_H
#define CRAGON_JOB_CONTROL_H

#include "base/err.h"

#include <jansson.h>
#include <poll.h>

#define CONTROL_CLIENTS 8
#define CONTROL_LINE_MAX 4096
#define CONTROL_FDS (1 + CONTROL_CLIENTS)

struct control_client {
	int fd;
	size_t len;
	char line[CONTROL_LINE_MAX];
};

struct control {
	int dirfd; /* borrowed */
	int listener;
	struct control_client client[CONTROL_CLIENTS];
};

/* Returns the answer to one request, a new reference. */
typedef json_t *control_answer_fn(void *ctx, const json_t *request);

int control_open(struct control *, int dirfd, struct err *);
void control_done(struct control *); /* removes the socket */

/* Fills CONTROL_FDS entries; unused ones have fd -1. */
void control_watch(const struct control *, struct pollfd *fds);
/* Serves what poll() reported about them. */
void control_serve(struct control *, const struct pollfd *fds, control_answer_fn *, void *ctx);

/* Asks the cragon of the job in `jobdir` and waits for its answer as long as
 * it takes. -ENOENT or -ECONNREFUSED when nobody listens. */
int control_ask(const char *jobdir, const json_t *request, json_t **ret, struct err *);

/* {"ok":false,…} */
json_t *control_refusal(const struct err *);

#endif

/* The rows of `cragon check` about the machine. */
#ifndef CRAGON_CLI_CHECK_ROWS_H
#define CRAGON_CLI_CHECK_ROWS_H

#include <stddef.h>

enum check_state {
	CHECK_OK,
	CHECK_LIMITED, /* Cragon works, with a restriction */
	CHECK_MISSING, /* no checkpoint is possible */
	CHECK_FAILED,  /* a step of the trial did not work */
};

struct check_row {
	char name[40];
	enum check_state state;
	char means[1200];
	char remedy[300]; /* "" when there is nothing to do */
};

#define CHECK_ROWS_MAX 64

struct check {
	struct check_row row[CHECK_ROWS_MAX];
	size_t n;
};

void check_add(
	struct check *, const char *name, enum check_state, const char *means, const char *remedy);
void check_machine(struct check *);
const char *check_state_name(enum check_state);

#endif

/*
 * A file of the job directory, line by line, with bounded memory: a line that is
 * longer than LINES_MAX is skipped and counted. Only regular files are read, so
 * that a FIFO in the directory cannot hold the report up.
 */
#ifndef CRAGON_REPORT_LINES_H
#define CRAGON_REPORT_LINES_H

#include "base/defs.h"

#include <stdbool.h>

#define LINES_MAX (2 * MIB)

struct lines {
	int fd;
	char *data;
	size_t start, end; /* what is read and not yet given out */
	bool eof, skipping;
	uint64_t too_long;
};

#define LINES_NONE       \
	(struct lines)   \
	{                \
		.fd = -1 \
	}

/* 0, or -errno; -EINVAL when it is no regular file. */
int lines_open(struct lines *, int dirfd, const char *name);
/* From `tail_bytes` before the end on; the first line may be cut. */
int lines_open_tail(struct lines *, int dirfd, const char *name, size_t tail_bytes);
void lines_done(struct lines *);

/* 1: *ret is a line without its newline, NUL-terminated, valid until the next
 * call; 0: end of file; -errno. */
int lines_next(struct lines *, char **ret, size_t *ret_len);

#define cleanup_lines cleanup(lines_done)

#endif

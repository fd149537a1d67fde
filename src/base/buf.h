/*
 * A growable byte buffer. After a failed growth the buffer is marked bad and
 * further appends do nothing, so that a caller checks once, at the end, with
 * buf_error(). Text appended with buf_printf() is always NUL-terminated (the
 * NUL is not counted in len).
 */
#ifndef CRAGON_BASE_BUF_H
#define CRAGON_BASE_BUF_H

#include "base/defs.h"

struct buf {
	char *data;
	size_t len; /* bytes */
	size_t cap;
	int bad; /* -ENOMEM once an append failed */
};

void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *data, size_t len);
int buf_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
int buf_error(const struct buf *b);

#define cleanup_buf cleanup(buf_done)

#endif

/* Bounded reading by lines: see lines.h. */
#include "report/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int lines_open_tail(struct lines *l, int dirfd, const char *name, size_t tail_bytes)
{
	struct stat st;
	int r = 0;

	*l = LINES_NONE;
	l->fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (l->fd < 0)
		return -errno;
	if (fstat(l->fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (tail_bytes && (uint64_t)st.st_size > tail_bytes &&
		 lseek(l->fd, -(off_t)tail_bytes, SEEK_END) < 0)
		r = -errno;
	if (r == 0 && !(l->data = malloc(LINES_MAX + 1)))
		r = -ENOMEM;
	if (r < 0)
		lines_done(l);
	return r;
}

int lines_open(struct lines *l, int dirfd, const char *name)
{
	return lines_open_tail(l, dirfd, name, 0);
}

void lines_done(struct lines *l)
{
	close_p(&l->fd);
	free_p(&l->data);
}

/* Moves what is left to the front and reads on. */
static int fill(struct lines *l)
{
	ssize_t n;

	if (l->start) {
		memmove(l->data, l->data + l->start, l->end - l->start);
		l->end -= l->start;
		l->start = 0;
	}
	if (l->end == LINES_MAX) {
		l->too_long += !l->skipping;
		l->skipping = true;
		l->end = 0;
	}
	do
		n = read(l->fd, l->data + l->end, MIN(LINES_MAX - l->end, 256 * 1024));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	l->eof = n == 0;
	l->end += (size_t)n;
	return 0;
}

int lines_next(struct lines *l, char **ret, size_t *ret_len)
{
	size_t looked = 0; /* bytes from start on that hold no newline */

	for (;;) {
		char *from = l->data + l->start;
		char *newline = memchr(from + looked, '\n', l->end - l->start - looked);
		int r;

		if (!newline && l->eof) {
			if (l->start == l->end || l->skipping)
				return 0;
			newline = l->data + l->end++; /* there is room for the NUL */
		}
		if (newline) {
			l->start = (size_t)(newline - l->data) + 1;
			if (l->skipping) {
				l->skipping = false;
				looked = 0;
				continue;
			}
			*newline = 0;
			*ret = from;
			*ret_len = (size_t)(newline - from);
			return 1;
		}
		looked = l->end - l->start;
		r = fill(l);
		if (r < 0)
			return r;
		if (l->skipping)
			looked = 0;
	}
}

/*
 * Content of one output file: comparing it with what the image holds and
 * writing what differs, so that blocks that are the same stay as they are.
 */
#include "engine/outputs_restore.h"
#include "base/io.h"
#include "image/saved.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define STEP_BYTES (1024u * 1024u)

typedef int step_fn(
	int fd, const uint8_t *is, size_t is_bytes, const uint8_t *was, size_t n, off_t at);

static int step_compare(
	int fd, const uint8_t *is, size_t is_bytes, const uint8_t *was, size_t n, off_t at)
{
	return is_bytes != n || memcmp(is, was, n) != 0;
}

/* Page by page: a sparse file stays one. */
static int step_put(
	int fd, const uint8_t *is, size_t is_bytes, const uint8_t *was, size_t n, off_t at)
{
	for (size_t k = 0; k < n; k += CRAGON_PAGE_BYTES) {
		size_t part = MIN(n - k, CRAGON_PAGE_BYTES);
		int r;

		if (k + part <= is_bytes && memcmp(is + k, was + k, part) == 0)
			continue;
		r = io_pwrite(fd, was + k, part, at + (off_t)k);
		if (r < 0)
			return r;
	}
	return 0;
}

static ssize_t read_up_to(int fd, uint8_t *data, size_t n, off_t at)
{
	size_t have = 0;

	while (have < n) {
		ssize_t k = pread(fd, data + have, n - have, at + (off_t)have);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		have += (size_t)k;
	}
	return (ssize_t)have;
}

static int each_range(const Cragon__OutputFile *f, int fd, uint8_t *is, step_fn *step)
{
	for (size_t i = 0; i < f->n_range; i++) {
		const Cragon__OutputRange *range = f->range[i];

		for (size_t at = 0; at < range->content.len; at += STEP_BYTES) {
			size_t n = MIN(range->content.len - at, STEP_BYTES);
			off_t place = (off_t)(range->offset + at);
			ssize_t have = read_up_to(fd, is, n, place);
			int r = have < 0 ? (int)have
					 : step(fd, is, (size_t)have, range->content.data + at, n,
						   place);

			if (r)
				return r;
		}
	}
	return 0;
}

static int each_step(
	const struct outputs_restore *o, const Cragon__OutputFile *f, int fd, step_fn *step)
{
	cleanup_free uint8_t *is = malloc(STEP_BYTES), *was = malloc(STEP_BYTES);
	cleanup_fd int saved = -1;

	if (!is || !was)
		return -ENOMEM;
	if (!f->copy)
		return each_range(f, fd, is, step);
	saved = saved_open(o->saved, f->copy);
	if (saved < 0)
		return saved;
	for (uint64_t at = 0; at < f->identity->size; at += STEP_BYTES) {
		size_t n = (size_t)MIN(f->identity->size - at, STEP_BYTES);
		ssize_t have = read_up_to(fd, is, n, (off_t)at), held;
		int r;

		held = have < 0 ? have : read_up_to(saved, was, n, (off_t)at);
		if (held < 0)
			return (int)held;
		if (held != (ssize_t)n)
			return -EBADMSG;
		r = step(fd, is, (size_t)have, was, n, (off_t)at);
		if (r)
			return r;
	}
	return 0;
}

int output_differs(const struct outputs_restore *o, const Cragon__OutputFile *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != f->identity->size)
		return 1;
	return each_step(o, f, fd, step_compare);
}

int output_put(const struct outputs_restore *o, const Cragon__OutputFile *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != f->identity->size &&
		ftruncate(fd, (off_t)f->identity->size) < 0)
		return -errno;
	return each_step(o, f, fd, step_put);
}

int output_check(const struct outputs_restore *o, const Cragon__OutputFile *f, struct err *e)
{
	cleanup_fd int fd = -1;
	struct digest now;
	int r;

	if (!f->copy)
		return 0;
	fd = saved_open(o->saved, f->copy);
	r = fd < 0 ? fd : saved_digest(fd, f->identity->size, &now);
	if (r < 0 || f->digest.len != sizeof now.bytes ||
		memcmp(f->digest.data, now.bytes, sizeof now.bytes) != 0)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "the image's copy of %s is damaged%s%s",
			f->path, r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
	return 0;
}

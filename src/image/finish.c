/*
 * The end of writing: index and metadata files, and everything down to the
 * disk. The kernel is told to begin with all of pages.dat while the two small
 * files are made; waiting for it comes last.
 */
#include "image/writer.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>

static int write_file(struct image_writer *w, const char *name, const uint8_t *data, size_t bytes,
	int *ret_fd, struct err *e)
{
	cleanup_fd int fd =
		openat(w->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return writer_write_error(e, -errno, name);
	r = io_write(fd, data, bytes);
	if (r < 0)
		return writer_write_error(e, r, name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int write_index(struct image_writer *w, int *ret_fd, size_t *ret_bytes, struct err *e)
{
	cleanup_free uint8_t *file = NULL;
	int r = index_sort_extents(&w->index, e);

	if (r < 0)
		return r;
	r = index_encode(&w->index, &file, ret_bytes, e);
	if (r < 0)
		return r;
	return write_file(w, IMAGE_INDEX_NAME, file, *ret_bytes, ret_fd, e);
}

static int write_meta(struct image_writer *w, const Cragon__Image *meta, int *ret_fd,
	size_t *ret_bytes, struct err *e)
{
	cleanup_free uint8_t *file = NULL;
	int r = meta_encode(meta, &file, ret_bytes, e);

	if (r < 0)
		return r;
	return write_file(w, IMAGE_META_NAME, file, *ret_bytes, ret_fd, e);
}

static int sync_file(int fd, const char *name, struct err *e)
{
	/* Delayed allocation, quotas and network file systems report a full disk here. */
	if (fsync(fd) < 0)
		return writer_write_error(e, -errno, name);
	return 0;
}

static int finish(
	struct image_writer *w, const Cragon__Image *meta, struct image_totals *ret, struct err *e)
{
	cleanup_fd int index_fd = -1, meta_fd = -1;
	size_t index_bytes = 0, meta_bytes = 0;
	int r;

	sync_file_range(w->pages_fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* advice */
	r = write_index(w, &index_fd, &index_bytes, e);
	if (r < 0)
		return r;
	r = write_meta(w, meta, &meta_fd, &meta_bytes, e);
	if (r < 0)
		return r;
	r = sync_file(w->pages_fd, IMAGE_PAGES_NAME, e);
	if (r < 0)
		return r;
	r = sync_file(index_fd, IMAGE_INDEX_NAME, e);
	if (r < 0)
		return r;
	r = sync_file(meta_fd, IMAGE_META_NAME, e);
	if (r < 0)
		return r;
	*ret = (struct image_totals){
		.memory_bytes = w->memory_bytes,
		.stored_bytes = w->index.pages_bytes + index_bytes + meta_bytes,
		.zero_bytes = w->zero_bytes,
		.frames = w->index.nframes,
	};
	return 0;
}

int image_writer_finish(
	struct image_writer *w, const Cragon__Image *meta, struct image_totals *ret, struct err *e)
{
	int r;

	writer_stop(w);
	if (atomic_load(&w->failed)) {
		*e = w->err;
		return e->code;
	}
	if (w->finished)
		return err_set(e, -EINVAL, WHY_SYSTEM, "the image is finished already");
	w->finished = true;
	r = finish(w, meta, ret, e);
	if (r < 0)
		writer_fail(w, e);
	return r;
}

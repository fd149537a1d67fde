/*
 * Files of rows for month-long jobs: when one passes its bound, every second row
 * of its older three quarters goes. A row is there completely or not at all, also
 * on a full disk. See metrics.h.
 */
#include "job/metrics.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *line_end(const char *from, const char *end)
{
	const char *nl = memchr(from, '\n', (size_t)(end - from));

	return nl ? nl + 1 : end;
}

static int thin(int dirfd, const char *name, bool has_header, uint64_t bytes)
{
	cleanup_buf struct buf all = {0}, kept = {0};
	const char *at, *end, *recent;
	bool keep = true;
	int r = io_slurp_at(dirfd, name, &all, 2 * bytes);

	if (r < 0)
		return r;
	at = all.data;
	end = all.data + all.len;
	recent = line_end(all.data + all.len / 4 * 3, end);
	while (at < recent) {
		const char *next = line_end(at, end);

		if (has_header || keep)
			buf_add(&kept, at, (size_t)(next - at));
		if (!has_header)
			keep = !keep;
		has_header = false;
		at = next;
	}
	buf_add(&kept, at, (size_t)(end - at));
	r = buf_error(&kept);
	return r < 0 ? r : io_publish_at(dirfd, name, kept.data, kept.len);
}

/* What a full disk let through of a row goes again. */
static int append(int fd, off_t size, const char *data, size_t len)
{
	int r = io_write(fd, data, len);

	if (r < 0 && ftruncate(fd, size) < 0)
		return -errno;
	return r;
}

int metrics_append(int jobdir_fd, const char *name, const char *header, const char *row, size_t len,
	uint64_t max)
{
	cleanup_fd int fd = openat(
		jobdir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!st.st_size && header)
		r = append(fd, 0, header, strlen(header));
	if (r == 0)
		r = append(fd, st.st_size ? st.st_size : (off_t)(header ? strlen(header) : 0), row,
			len);
	if (r == 0 && (uint64_t)st.st_size + len > max)
		r = thin(jobdir_fd, name, header != NULL, (uint64_t)st.st_size + len);
	return r;
}

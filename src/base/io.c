/* Whole reads, whole writes, clocks: see io.h. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int io_write(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_pwrite(int fd, const void *data, size_t len, off_t at)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_pread(int fd, void *data, size_t len, off_t at)
{
	char *p = data;

	while (len) {
		ssize_t n = pread(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_slurp_fd(int fd, struct buf *out, size_t max)
{
	size_t start = out->len;

	for (;;) {
		ssize_t n;
		int r = buf_reserve(out, 4096);

		if (r < 0)
			return r;
		n = read(fd, out->data + out->len, out->cap - out->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		out->len += (size_t)n;
		out->data[out->len] = 0;
		if (out->len - start > max)
			return -EFBIG;
		if (n == 0)
			return 0;
	}
}

int io_slurp_at(int dirfd, const char *path, struct buf *out, size_t max)
{
	cleanup_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return io_slurp_fd(fd, out, max);
}

int io_publish_at(int dirfd, const char *name, const void *data, size_t len)
{
	char temporary[300];
	cleanup_fd int fd = -1;
	int r;

	if (snprintf(temporary, sizeof temporary, ".%s.%d.tmp", name, (int)getpid()) >=
		(int)sizeof temporary)
		return -ENAMETOOLONG;
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = io_write(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, temporary, 0);
		return r;
	}
	/* Some network file systems refuse fsync on a directory; the rename still happened. */
	if (fsync(dirfd) < 0 && errno != EINVAL && errno != EROFS && errno != EBADF)
		return -errno;
	return 0;
}

int io_mkdir_p(const char *path)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return -errno;
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t now_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t now_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

void sleep_ns(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC)};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

void format_time(uint64_t real_ns, char out[static 40])
{
	time_t seconds = (time_t)(real_ns / NS_PER_SEC);
	struct tm tm;
	size_t n;

	localtime_r(&seconds, &tm);
	n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(out + n, 40 - n, ".%06u", (unsigned)(real_ns % NS_PER_SEC / 1000));
	strftime(out + n, 40 - n, "%z", &tm);
	/* RFC 3339 wants +HH:MM where strftime prints +HHMM. */
	n = strlen(out);
	if (n >= 2 && n + 1 < 40) {
		memmove(out + n - 1, out + n - 2, 3);
		out[n - 2] = ':';
	}
}

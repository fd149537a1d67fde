/* See saved.h. Copies run while the job is held: big reads, no sync, and
 * nothing is written for zeros. */
#include "image/saved.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <xxhash.h>

#define STEP_BYTES (256u * 1024u)

static void name_of(uint32_t number, char out[static 16])
{
	snprintf(out, 16, "%u", number);
}

int saved_open_dir(int image_fd, bool create)
{
	int fd;

	if (create && mkdirat(image_fd, IMAGE_FILES_NAME, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(image_fd, IMAGE_FILES_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int create(int dir, uint32_t number)
{
	char name[16];
	int fd;

	name_of(number, name);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

int saved_open(int dir, uint32_t number)
{
	char name[16];
	struct stat st;
	cleanup_fd int fd = -1;

	name_of(number, name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? steal_fd(&fd) : -EINVAL;
}

static bool is_zero(const uint8_t *data, size_t n)
{
	return n == 0 || (!data[0] && memcmp(data, data + 1, n - 1) == 0);
}

static void state_free_p(XXH3_state_t **s)
{
	XXH3_freeState(*s);
}

static void finish(XXH3_state_t *state, struct digest *ret)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
	memcpy(ret->bytes, canonical.digest, sizeof ret->bytes);
}

/* Reads `bytes` bytes of `from`, zeros beyond its end; writes them to `to` unless -1. */
static int pass(int from, int to, uint64_t bytes, struct digest *ret)
{
	cleanup_free uint8_t *step = malloc(STEP_BYTES);
	cleanup(state_free_p) XXH3_state_t *state = XXH3_createState();

	if (!step || !state)
		return -ENOMEM;
	XXH3_128bits_reset(state);
	for (uint64_t at = 0; at < bytes;) {
		size_t want = (size_t)MIN(bytes - at, STEP_BYTES);
		ssize_t n = pread(from, step, want, (off_t)at);
		int r = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			memset(step, 0, want);
			n = (ssize_t)want;
		}
		XXH3_128bits_update(state, step, (size_t)n);
		if (to >= 0 && !is_zero(step, (size_t)n))
			r = io_pwrite(to, step, (size_t)n, (off_t)at);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	finish(state, ret);
	return 0;
}

int saved_copy(int dir, uint32_t number, int from, uint64_t bytes, struct digest *ret)
{
	cleanup_fd int to = create(dir, number);
	int r;

	if (to < 0)
		return to;
	r = pass(from, to, bytes, ret);
	if (r == 0 && ftruncate(to, (off_t)bytes) < 0)
		r = -errno;
	return r;
}

int saved_clone(int dir, uint32_t number, int from)
{
	cleanup_fd int to = create(dir, number);
	char name[16];
	int r;

	if (to < 0)
		return to;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	r = -errno;
	name_of(number, name);
	unlinkat(dir, name, 0);
	return r;
}

int saved_digest(int fd, uint64_t bytes, struct digest *ret)
{
	return pass(fd, -1, bytes, ret);
}

static int check_copy(int dir, const Cragon__OutputFile *f, struct err *e)
{
	cleanup_fd int fd = saved_open(dir, f->copy);
	struct digest now;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_FILES_NAME "/%u, the content of %s, is missing", f->copy, f->path);
	if (!f->identity || (uint64_t)st.st_size != f->identity->size)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_FILES_NAME "/%u, the content of %s, has another size", f->copy,
			f->path);
	r = saved_digest(fd, f->identity->size, &now);
	if (r < 0)
		return err_sys(e, r, "cannot read " IMAGE_FILES_NAME "/%u", f->copy);
	if (f->digest.len != sizeof now.bytes ||
		memcmp(f->digest.data, now.bytes, sizeof now.bytes) != 0)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_FILES_NAME "/%u, the content of %s, is damaged", f->copy, f->path);
	return 0;
}

int saved_verify(int image_fd, const Cragon__Image *image, struct err *e)
{
	const Cragon__Outputs *o = image->outputs;
	cleanup_fd int dir = -1;

	for (size_t i = 0; o && i < o->n_file; i++) {
		int r;

		if (!o->file[i]->copy)
			continue;
		if (dir < 0)
			dir = saved_open_dir(image_fd, false);
		if (dir < 0)
			return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
				IMAGE_FILES_NAME ", the content of files, is missing");
		r = check_copy(dir, o->file[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

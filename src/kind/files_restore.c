/* Making a job's descriptors anew: see files.h. Everything is opened in cragon
 * itself, before the job exists; the job inherits it. Kinds and details have
 * been checked (engine/check.c). */
#include "kind/files.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* Shared memory comes back as a memfd: same behaviour, another name in maps. */
static int make_memory(const Cragon__Shared *shared)
{
	int fd = memfd_create("cragon-shared", MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* At its old name when that is free, so that /proc shows what it showed. */
static int make_deleted_file(const Cragon__Shared *shared)
{
	char *slash;
	cleanup_free char *path = strdup(shared->path);
	int fd;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		unlink(path);
		return fd;
	}
	slash = strrchr(path, '/');
	if (slash)
		slash[slash == path] = 0;
	fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int make_shared(const Cragon__Shared *shared, int *ret_fd, struct err *e)
{
	cleanup_fd int fd = shared->kind == CRAGON__SHARED__KIND__MEMORY
				    ? make_memory(shared)
				    : make_deleted_file(shared);

	if (fd < 0)
		return err_sys(e, fd, "cannot make room for %s", shared->path);
	if (ftruncate(fd, (off_t)shared->bytes) < 0)
		return err_sys(e, -errno, "cannot make room for %s (%llu bytes)", shared->path,
			(unsigned long long)shared->bytes);
	(void)fchmod(fd, shared->mode);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int *none_yet(size_t n)
{
	int *fds = malloc((n + 1) * sizeof *fds);

	for (size_t i = 0; fds && i < n; i++)
		fds[i] = -1;
	return fds;
}

static int make_all(struct files_restore *r, struct err *e)
{
	for (size_t i = 0; i < r->image->n_shared; i++) {
		int n = make_shared(r->image->shared[i], &r->shared[i], e);

		if (n < 0)
			return n;
	}
	for (size_t i = 0; i < r->image->n_object; i++) {
		const struct kind *kind = kind_by_name(r->image->object[i]->kind);
		int n;

		if (r->fds[i] >= 0)
			continue; /* came with the other end of its pipe */
		n = kind->make(r, i, &r->fds[i], e);
		if (n < 0)
			return n;
	}
	return 0;
}

int files_make(struct files_restore *r, const Cragon__Image *image, const struct files_moved *moved,
	struct buf *remarks, struct err *e)
{
	*r = (struct files_restore){
		.image = image,
		.fds = none_yet(image->n_object),
		.shared = none_yet(image->n_shared),
		.remarks = remarks,
		.moved = *moved,
	};
	if (!r->fds || !r->shared)
		return err_sys(e, -ENOMEM, "opening files");
	return make_all(r, e);
}

int files_commit(struct files_restore *r, struct err *e)
{
	for (size_t i = 0; i < r->image->n_object; i++) {
		const struct kind *kind = kind_by_name(r->image->object[i]->kind);
		int n = kind && kind->commit ? kind->commit(r, i, r->fds[i], e) : 0;

		if (n < 0)
			return n;
	}
	return 0;
}

void files_restore_done(struct files_restore *r)
{
	for (size_t i = 0; r->fds && i < r->image->n_object; i++)
		close_p(&r->fds[i]);
	for (size_t i = 0; r->shared && i < r->image->n_shared; i++)
		close_p(&r->shared[i]);
	free(r->fds);
	free(r->shared);
	*r = (struct files_restore){0};
}

/*
 * Regular files. A file with a name is opened again by that name; what the job
 * appended after the checkpoint is cut back, and a file that vanished or
 * shrank stops the resume. A deleted file's content travels in the image.
 *
 * What the job had written otherwise is put back by engine/outputs_restore.c.
 */
#include "kind/kind.h"
#include "kind/reopen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>

static bool names_a_process(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 && path[6] >= '0' && path[6] <= '9';
}

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	if (!S_ISREG(p->stat.st_mode))
		return NOT_MINE;
	if (strncmp(p->link, "/memfd:", 7) == 0) {
		buf_str(reason, "memory opened as a file (memfd): not supported yet");
		return REFUSED;
	}
	if (p->link[0] != '/') {
		buf_printf(reason, "a kernel object (%s): not supported", p->link);
		return REFUSED;
	}
	if (names_a_process(p->link)) {
		buf_printf(reason, "%s, a file about one process: not supported", p->link);
		return REFUSED;
	}
	if (p->deleted && p->stat.st_nlink > p->own_links) {
		buf_printf(reason,
			"%s, which was deleted but still has another name: not supported", p->link);
		return REFUSED;
	}
	return SUPPORTED;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	Cragon__File *f = arena_alloc(d->arena, sizeof *f);
	int shared;

	if (!f)
		return err_sys(e, -ENOMEM, "describing a file");
	cragon__file__init(f);
	f->identity = file_identity(d->arena, &p->stat);
	f->mode = p->stat.st_mode & 07777;
	if (p->deleted) {
		shared = shared_add(d, &p->stat, CRAGON__SHARED__KIND__DELETED_FILE, p->link,
			(uint64_t)p->stat.st_size);
		if (shared < 0)
			return err_sys(e, shared, "describing a deleted file");
		f->shared = (uint32_t)shared + 1;
	}
	object->detail_case = CRAGON__OBJECT__DETAIL_FILE;
	object->file = f;
	return 0;
}

static bool is_virtual(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

static int check_identity(int fd, const Cragon__Object *object, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, -errno, "%s", object->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s is no longer a regular file; put it back as it was, then restart",
			object->path);
	if ((uint64_t)st.st_size < object->file->identity->size && !is_virtual(fd))
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s has shrunk since the checkpoint (%lld bytes, were %llu); put it back "
			"as "
			"it was, or restart from an older image",
			object->path, (long long)st.st_size,
			(unsigned long long)object->file->identity->size);
	return 0;
}

/* The stream that restart itself has there, when it is the same file opened the same
 * way: shared again, as it was at the job's start, so that what cragon and the job
 * write goes one behind the other. */
static bool is_own_stream(const Cragon__Object *object, int fd)
{
	const int compared = O_ACCMODE | O_APPEND | O_NONBLOCK;
	struct stat own, st;
	int number = object->standard - 1, flags;

	if (object->standard < 1 || object->standard > 3 || fstat(number, &own) < 0 ||
		fstat(fd, &st) < 0 || own.st_dev != st.st_dev || own.st_ino != st.st_ino)
		return false;
	flags = fcntl(number, F_GETFL);
	return flags >= 0 && ((unsigned)flags & compared) == (object->flags & compared);
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	cleanup_fd int fd = -1;
	bool kept = false;
	int n;

	if (object->file->shared)
		fd = reopen_fd(r->shared[object->file->shared - 1], object->flags);
	else
		fd = reopen_path(r->moved.now(r->moved.ctx, object->path, &kept), object->flags);
	if (fd == -EACCES && object->standard >= 1 && object->standard <= 3) {
		/* Opened for us by somebody with more rights (sudo, a batch system). */
		buf_printf(r->remarks, "%s may not be opened: restart's own stream %d is used\n",
			object->path, object->standard - 1);
		*ret_fd = fcntl(object->standard - 1, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? err_sys(e, -errno, "standard stream %d", object->standard - 1)
				   : 0;
	}
	if (fd == -ENOENT)
		return err_set(e, fd, WHY_FILE_CHANGED,
			"%s has vanished since the checkpoint; put it back, or restart from an "
			"older image",
			object->path);
	if (fd < 0)
		return err_sys(e, fd, "cannot open %s again", object->path);
	if (!object->file->shared && !kept) {
		n = check_identity(fd, object, e);
		if (n < 0)
			return n;
	}
	if (is_own_stream(object, fd)) {
		/* Its position is set in commit: until then cragon may have to write there. */
		*ret_fd = fcntl(object->standard - 1, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? err_sys(e, -errno, "standard stream %d", object->standard - 1)
				   : 0;
	}
	if (object->position && lseek(fd, object->position, SEEK_SET) < 0 && errno != ESPIPE)
		return err_sys(e, -errno, "cannot go to byte %lld of %s",
			(long long)object->position, object->path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* One of restart's own streams took the place of a file that may not be opened,
 * and leads elsewhere: not ours to cut. */
static bool stands_in(const Cragon__Object *object, const struct stat *st)
{
	struct stat own;

	return object->standard >= 1 && object->standard <= 3 &&
	       fstat(object->standard - 1, &own) == 0 && own.st_dev == st->st_dev &&
	       own.st_ino == st->st_ino && st->st_ino != object->file->identity->inode;
}

static int commit(struct files_restore *r, size_t index, int fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	struct stat st;

	if (is_own_stream(object, fd))
		(void)lseek(fd, object->position, SEEK_SET);
	if (!object->file->writer || object->file->shared)
		return 0;
	if ((object->flags & O_ACCMODE) == O_RDONLY)
		return 0; /* the description that writes cuts it */
	if (fstat(fd, &st) < 0)
		return err_sys(e, -errno, "%s", object->path);
	if (stands_in(object, &st))
		return 0;
	if ((uint64_t)st.st_size <= object->file->identity->size)
		return 0;
	if (ftruncate(fd, (off_t)object->file->identity->size) < 0)
		return err_sys(e, -errno, "cannot cut %s back to %llu bytes", object->path,
			(unsigned long long)object->file->identity->size);
	buf_printf(r->remarks, "%s cut back by %llu bytes written after the checkpoint\n",
		object->path, (unsigned long long)st.st_size - object->file->identity->size);
	return 0;
}

const struct kind kind_file = {.name = "file",
	.kept = "name, position, flags (O_APPEND and the rest), sharing across fork and dup, "
		"advisory locks; what the job appended after the checkpoint is cut back at the "
		"resume; the content of deleted files travels in the image",
	.limits = "what the job wrote is put back as --files says; a file it only reads that "
		  "vanished or changed stops the resume with exit code 65 (--force-files); memfd, "
		  "leases and files of /proc about one process are refused",
	.detail = CRAGON__OBJECT__DETAIL_FILE,
	.claim = claim,
	.dump = dump,
	.make = make,
	.commit = commit};

/*
 * Directories, with their read position (meaningful on the same file system
 * only, as seekdir(3) is), and O_PATH descriptors of named files.
 */
#include "kind/kind.h"
#include "kind/reopen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	if (!S_ISDIR(p->stat.st_mode))
		return NOT_MINE;
	if (p->deleted) {
		buf_printf(reason, "directory %s, which was deleted: not supported", p->link);
		return REFUSED;
	}
	if (strncmp(p->link, "/proc/", 6) == 0 && p->link[6] >= '0' && p->link[6] <= '9') {
		buf_printf(reason, "%s, a directory about one process: not supported", p->link);
		return REFUSED;
	}
	return SUPPORTED;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	return 0;
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	int fd = reopen_path(object->path, object->flags);

	if (fd == -ENOENT)
		return err_set(e, fd, WHY_FILE_CHANGED,
			"directory %s has vanished since the checkpoint; put it back, then restart",
			object->path);
	if (fd < 0)
		return err_sys(e, fd, "cannot open %s again", object->path);
	if (object->position)
		(void)lseek(fd, object->position, SEEK_SET);
	*ret_fd = fd;
	return 0;
}

const struct kind kind_directory = {.name = "directory",
	.kept = "name and read position (on the same file system); O_PATH descriptors",
	.limits = "a deleted directory is refused",
	.claim = claim,
	.dump = dump,
	.make = make};

/* Event counters, eventfd(2). fdinfo shows count and, since Linux 6.5,
 * whether it is a semaphore; older kernels hide that, and a counter that may be
 * a semaphore is restored as a plain one. */
#include "kind/kind.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	return strcmp(p->link, "anon_inode:[eventfd]") == 0 ? SUPPORTED : NOT_MINE;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	const char *count = proc_field(p->fdinfo, "eventfd-count");
	const char *semaphore = proc_field(p->fdinfo, "eventfd-semaphore");
	Cragon__EventFd *ev = arena_alloc(d->arena, sizeof *ev);

	if (!ev)
		return err_sys(e, -ENOMEM, "describing an eventfd");
	if (!count)
		return err_set(
			e, -EPROTO, WHY_SYSTEM, "the kernel does not show an eventfd's count");
	cragon__event_fd__init(ev);
	ev->count = strtoull(count, NULL, 16);
	ev->semaphore = semaphore && *semaphore == '1';
	object->detail_case = CRAGON__OBJECT__DETAIL_EVENTFD;
	object->eventfd = ev;
	return 0;
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	cleanup_fd int fd =
		eventfd(0, EFD_CLOEXEC | (object->eventfd->semaphore ? EFD_SEMAPHORE : 0));
	uint64_t count = object->eventfd->count;

	if (fd < 0)
		return err_sys(e, -errno, "cannot make an eventfd");
	if (count && write(fd, &count, sizeof count) != sizeof count)
		return err_sys(e, -errno, "cannot set an eventfd's count");
	if (fcntl(fd, F_SETFL, (int)object->flags) < 0)
		return err_sys(e, -errno, "cannot set an eventfd's flags");
	*ret_fd = steal_fd(&fd);
	return 0;
}

const struct kind kind_eventfd = {.name = "eventfd",
	.kept = "counter, semaphore mode",
	.limits = "before Linux 6.5 the kernel does not show the mode, and a semaphore comes back "
		  "as a counter",
	.detail = CRAGON__OBJECT__DETAIL_EVENTFD,
	.claim = claim,
	.dump = dump,
	.make = make};

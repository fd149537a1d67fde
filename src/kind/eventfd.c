/*
 * Event counters, eventfd(2). fdinfo shows the count and, since Linux 6.5,
 * whether it is a semaphore; before, that is tried out: reading takes one from
 * a semaphore and everything from a plain counter. The job is frozen meanwhile.
 */
#include "kind/kind.h"
#include "sys/calls.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	return strcmp(p->link, "anon_inode:[eventfd]") == 0 ? SUPPORTED : NOT_MINE;
}

/* With a count of two or more, read(2) does not block and tells the modes
 * apart; what was taken or added is put right. 0 plain, 1 semaphore, -errno. */
static int try_semaphore(int fd, uint64_t count)
{
	uint64_t added = count < 2 ? 2 - count : 0, taken, back;

	if (fd < 0)
		return 0; /* before 5.6 there is no way to ask */
	if (added && write(fd, &added, sizeof added) != sizeof added)
		return -errno;
	if (read(fd, &taken, sizeof taken) != sizeof taken)
		return -errno;
	if (taken == 1) { /* count + added - 1 are left */
		for (; added > 1; added--)
			if (read(fd, &back, sizeof back) != sizeof back)
				return -errno;
		back = added ? 0 : 1;
	} else {
		back = count;
	}
	if (back && write(fd, &back, sizeof back) != sizeof back)
		return -errno;
	return taken == 1;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	const char *count = proc_field(p->fdinfo, "eventfd-count");
	const char *semaphore = proc_field(p->fdinfo, "eventfd-semaphore");
	Cragon__EventFd *ev = arena_alloc(d->arena, sizeof *ev);
	int tried;

	if (sys_without("eventfd_semaphore"))
		semaphore = NULL;
	if (!ev)
		return err_sys(e, -ENOMEM, "describing an eventfd");
	if (!count)
		return err_set(
			e, -EPROTO, WHY_SYSTEM, "the kernel does not show an eventfd's count");
	cragon__event_fd__init(ev);
	ev->count = strtoull(count, NULL, 16);
	tried = semaphore ? *semaphore == '1' : try_semaphore(p->copy, ev->count);
	if (tried < 0)
		return err_sys(e, tried, "cannot tell whether an eventfd is a semaphore");
	ev->semaphore = tried > 0;
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
	.limits = "before Linux 5.6 (pidfd_getfd) the mode cannot be asked for, and a semaphore "
		  "comes back as a counter",
	.detail = CRAGON__OBJECT__DETAIL_EVENTFD,
	.claim = claim,
	.dump = dump,
	.make = make};

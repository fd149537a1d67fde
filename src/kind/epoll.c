/*
 * epoll(7) sets. fdinfo lists what is watched by descriptor number; whether
 * that number still is the watched file is checked with kcmp(2), because a
 * program may close and reuse a number while a duplicate keeps the watch
 * alive. Watches are added again inside the restored process, because the
 * kernel remembers the number.
 */
#include "kind/kind.h"
#include "sys/calls.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

struct watch {
	int fd;
	uint32_t events;
	uint64_t data;
};

/* 1 and the watch, 0 at the end. */
static int next_watch(const char **cursor, struct watch *ret)
{
	while (*cursor && **cursor) {
		const char *line = *cursor, *end = strchr(line, '\n');
		unsigned long data;

		*cursor = end ? end + 1 : NULL;
		if (sscanf(line, "tfd: %d events: %x data: %lx", &ret->fd, &ret->events, &data) ==
			3) {
			ret->data = data;
			return 1;
		}
	}
	return 0;
}

/* include/uapi/linux/kcmp.h, struct kcmp_epoll_slot */
struct epoll_slot {
	uint32_t efd, tfd, toff;
};

static bool is_what_it_watches(const struct fd_probe *p, const struct watch *w)
{
	struct epoll_slot slot = {.efd = (uint32_t)p->fd, .tfd = (uint32_t)w->fd};
	int r = sys_kcmp(p->pid, p->pid, SYS_KCMP_EPOLL_TFD, (unsigned long)w->fd,
		(unsigned long)(uintptr_t)&slot);

	return r == 0 || r == -EOPNOTSUPP || r == -EINVAL;
}

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	const char *cursor = p->fdinfo;
	struct watch w;

	if (strcmp(p->link, "anon_inode:[eventpoll]") != 0)
		return NOT_MINE;
	while (next_watch(&cursor, &w) > 0)
		if (!is_what_it_watches(p, &w)) {
			buf_printf(reason,
				"an epoll set that watches descriptor %d of before it was closed "
				"or "
				"replaced: not supported",
				w.fd);
			return REFUSED;
		}
	return SUPPORTED;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	Cragon__Epoll *epoll = arena_alloc(d->arena, sizeof *epoll);
	const char *cursor = p->fdinfo;
	struct watch w;

	if (!epoll)
		return err_sys(e, -ENOMEM, "describing an epoll set");
	cragon__epoll__init(epoll);
	epoll->pid = p->vpid;
	epoll->fd = p->fd;
	while (next_watch(&cursor, &w) > 0) {
		Cragon__EpollWatch *watch = arena_alloc(d->arena, sizeof *watch);

		if (!watch ||
			arena_push(d->arena, (void ***)&epoll->watch, &epoll->n_watch, watch) < 0)
			return err_sys(e, -ENOMEM, "describing an epoll set");
		cragon__epoll_watch__init(watch);
		watch->fd = w.fd;
		watch->events = w.events;
		watch->data = w.data;
	}
	object->detail_case = CRAGON__OBJECT__DETAIL_EPOLL;
	object->epoll = epoll;
	return 0;
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return err_sys(e, -errno, "cannot make an epoll set");
	*ret_fd = fd;
	return 0;
}

static int link_watches(
	struct tracee *t, taddr scratch, const Cragon__Object *object, int fd, struct err *e)
{
	for (size_t i = 0; i < object->epoll->n_watch; i++) {
		const Cragon__EpollWatch *w = object->epoll->watch[i];
		struct epoll_event event = {.events = w->events, .data.u64 = w->data};
		long r = tracee_write(t->pid, scratch, &event, sizeof event);

		if (r == 0)
			r = tracee_call(t, SYS_epoll_ctl, (uint64_t)fd, EPOLL_CTL_ADD,
				(uint64_t)w->fd, scratch);
		if (r < 0)
			return err_sys(e, (int)r, "cannot watch descriptor %d again", w->fd);
	}
	return 0;
}

const struct kind kind_epoll = {.name = "epoll",
	.kept = "what is watched, with events and data; edge-triggered and one-shot ones included",
	.limits = "a watch on a file that has no descriptor any more is refused",
	.detail = CRAGON__OBJECT__DETAIL_EPOLL,
	.claim = claim,
	.dump = dump,
	.make = make,
	.link = link_watches};

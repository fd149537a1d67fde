/*
 * Streams of whoever started cragon: terminals, and the pipes and sockets on
 * cragon's own standard streams. They are not restored but replaced by those
 * of `cragon restart`. Told by kcmp(2) against cragon's own descriptors 0 to 2.
 * A standard stream on a regular file or on /dev/null is not outside: it goes
 * on in that file.
 */
#include "kind/kind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool is_terminal(const struct stat *st)
{
	unsigned major = (unsigned)(st->st_rdev >> 8) & 0xfff;

	/* Documentation/admin-guide/devices.txt: 4 tty, 5 /dev/tty and console,
	 * 136-143 pseudo terminals, 204 serial ports. */
	return S_ISCHR(st->st_mode) &&
	       (major == 4 || major == 5 || (major >= 136 && major <= 143) || major == 204);
}

static const char *what_is(const struct stat *st)
{
	if (S_ISFIFO(st->st_mode))
		return "pipe";
	if (S_ISSOCK(st->st_mode))
		return "socket";
	return is_terminal(st) ? "terminal" : "device";
}

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	if (S_ISREG(p->stat.st_mode) || S_ISDIR(p->stat.st_mode))
		return NOT_MINE;
	if (is_terminal(&p->stat)) {
		if (strstr(p->link, "ptmx")) {
			buf_str(reason, "the master of a pseudo terminal: not supported yet");
			return REFUSED;
		}
		return SUPPORTED;
	}
	if (S_ISCHR(p->stat.st_mode) || S_ISBLK(p->stat.st_mode))
		return NOT_MINE;
	if (p->standard >= 0)
		return SUPPORTED;
	/* Opened anew through /dev/stdout: same pipe, other description. */
	return p->same_stream >= 0 && !p->inside_both ? SUPPORTED : NOT_MINE;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	Cragon__Outside *o = arena_alloc(d->arena, sizeof *o);

	if (!o)
		return err_sys(e, -ENOMEM, "describing a stream");
	cragon__outside__init(o);
	/* A terminal that is not ours by description is still the user's. */
	o->standard = p->standard >= 0 ? p->standard : p->same_stream;
	o->what = arena_strdup(d->arena, what_is(&p->stat));
	object->detail_case = CRAGON__OBJECT__DETAIL_OUTSIDE;
	object->outside = o;
	return 0;
}

/* A terminal the job had opened by itself: the new controlling terminal, if
 * there is one. */
static int open_terminal(struct files_restore *r, const Cragon__Object *object)
{
	int fd = open("/dev/tty", (int)(object->flags & O_ACCMODE) | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	buf_printf(r->remarks, "no terminal here: %s is replaced by /dev/null\n", object->path);
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* A descriptor above 2 that came from whoever started cragon: that of the same
 * number here, if we were given one. */
static int passed_on(struct files_restore *r, int number)
{
	int flags = fcntl(number, F_GETFD);

	if (flags >= 0 && !(flags & FD_CLOEXEC))
		return fcntl(number, F_DUPFD_CLOEXEC, 3);
	buf_printf(r->remarks,
		"descriptor %d came from outside the job and is not here: replaced by /dev/null\n",
		number);
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	int standard = object->outside->standard, fd;

	if (standard < 0)
		fd = open_terminal(r, object);
	else if (standard > 2)
		fd = passed_on(r, standard);
	else
		fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 && standard >= 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* restart was started with it closed */
	if (fd < 0)
		return err_sys(e, -errno, "cannot open a stream for the job");
	*ret_fd = fd;
	return 0;
}

const struct kind kind_outside = {.name = "outside",
	.kept = "a terminal, pipe or socket that cragon had been started with becomes that of "
		"`cragon restart`, by number: on another terminal the job goes on there",
	.limits = "terminal attributes (raw mode) are not set again",
	.detail = CRAGON__OBJECT__DETAIL_OUTSIDE,
	.claim = claim,
	.dump = dump,
	.make = make};

/*
 * Pipes and named FIFOs, with what is in them. The content is copied with
 * tee(2), which leaves it where it is. A pipe whose other end belongs to
 * somebody outside the job cannot be kept: poll(2) tells (no hang-up although
 * the job has no such end).
 *
 * Left out: packet boundaries (O_DIRECT pipes) are refused.
 */
#include "kind/kind.h"
#include "kind/reopen.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

static bool is_write_end(unsigned flags)
{
	return (flags & O_ACCMODE) == O_WRONLY;
}

static bool other_end_outside(const struct fd_probe *p)
{
	struct pollfd poll_one = {.fd = p->copy, .events = POLLIN | POLLOUT};

	if (p->inside_both || p->copy < 0 || (p->flags & O_ACCMODE) == O_RDWR)
		return false;
	if (poll(&poll_one, 1, 0) < 0)
		return true;
	/* POLLHUP on a read end: no writer exists; POLLERR on a write end: no reader. */
	return !(poll_one.revents & (is_write_end(p->flags) ? POLLERR : POLLHUP));
}

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	if (!S_ISFIFO(p->stat.st_mode))
		return NOT_MINE;
	if (p->flags & O_DIRECT) {
		buf_str(reason, "a pipe in packet mode (O_DIRECT): not supported");
		return REFUSED;
	}
	if (p->link[0] == '/' && p->deleted) {
		buf_printf(reason, "FIFO %s, which was deleted: not supported", p->link);
		return REFUSED;
	}
	if (p->link[0] != '/' && other_end_outside(p)) {
		buf_str(reason, "a pipe whose other end belongs to a process outside the job");
		return REFUSED;
	}
	return SUPPORTED;
}

/* Copies what is in the pipe behind /proc/PID/fd/N without taking it out. */
static int peek_content(
	struct files_dump *d, const struct fd_probe *p, Cragon__Pipe *pipe, struct err *e)
{
	cleanup_fd int source = -1, in = -1, out = -1;
	int ends[2], queued = 0, r;
	char path[64];
	ssize_t n;

	if (ioctl(p->copy, FIONREAD, &queued) < 0 || queued <= 0)
		return 0;
	/* The link leads to the pipe, so a read end can be had from a write end. */
	snprintf(path, sizeof path, "/proc/%d/fd/%d", p->pid, p->fd);
	source = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (source < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, -errno, "cannot look into a pipe");
	in = ends[1];
	out = ends[0];
	(void)fcntl(in, F_SETPIPE_SZ, MAX((int)pipe->capacity, 65536));
	n = tee(source, in, (size_t)queued, SPLICE_F_NONBLOCK);
	if (n < 0)
		return err_sys(e, -errno, "cannot copy the content of a pipe");
	if (n != queued)
		return err_set(e, -EAGAIN, WHY_SYSTEM,
			"only %zd of %d bytes in a pipe could be copied (limit of pipe buffers: "
			"/proc/sys/fs/pipe-user-pages-soft)",
			n, queued);
	pipe->content.data = arena_alloc(d->arena, (size_t)n);
	if (!pipe->content.data)
		return err_sys(e, -ENOMEM, "copying the content of a pipe");
	pipe->content.len = (size_t)n;
	for (size_t done = 0; done < (size_t)n;) {
		ssize_t got = read(out, pipe->content.data + done, (size_t)n - done);

		if (got <= 0)
			return err_sys(e, got ? -errno : -EIO, "reading the content of a pipe");
		done += (size_t)got;
	}
	r = 0;
	return r;
}

static bool content_known(const Cragon__Image *image, uint64_t id)
{
	for (size_t i = 0; i < image->n_object; i++) {
		const Cragon__Object *o = image->object[i];

		if (o->detail_case == CRAGON__OBJECT__DETAIL_PIPE && o->pipe->id == id)
			return true;
	}
	return false;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	Cragon__Pipe *pipe = arena_alloc(d->arena, sizeof *pipe);
	int capacity = fcntl(p->copy, F_GETPIPE_SZ), r;

	if (!pipe)
		return err_sys(e, -ENOMEM, "describing a pipe");
	if (capacity < 0)
		return err_sys(e, -errno, "cannot read the size of a pipe");
	cragon__pipe__init(pipe);
	pipe->id = p->stat.st_ino;
	pipe->fifo = p->link[0] == '/';
	pipe->capacity = (uint32_t)capacity;
	pipe->write_end = is_write_end(p->flags);
	if (!content_known(d->image, pipe->id)) {
		r = peek_content(d, p, pipe, e);
		if (r < 0)
			return r;
	}
	object->detail_case = CRAGON__OBJECT__DETAIL_PIPE;
	object->pipe = pipe;
	return 0;
}

/* A description of the same pipe that was made before, as a way in; -1 when none. */
static int made_before(const struct files_restore *r, size_t index)
{
	uint64_t id = r->image->object[index]->pipe->id;

	for (size_t i = 0; i < r->image->n_object; i++) {
		const Cragon__Object *o = r->image->object[i];

		if (i != index && o->detail_case == CRAGON__OBJECT__DETAIL_PIPE &&
			o->pipe->id == id && r->fds[i] >= 0)
			return r->fds[i];
	}
	return -1;
}

/* Capacity and content go in while both ends are open here. */
static int fill(struct files_restore *r, uint64_t id, int write_fd, struct err *e)
{
	for (size_t i = 0; i < r->image->n_object; i++) {
		const Cragon__Object *o = r->image->object[i];
		int n;

		if (o->detail_case != CRAGON__OBJECT__DETAIL_PIPE || o->pipe->id != id)
			continue;
		if (fcntl(write_fd, F_GETPIPE_SZ) != (int)o->pipe->capacity &&
			fcntl(write_fd, F_SETPIPE_SZ, (int)o->pipe->capacity) < 0)
			buf_printf(r->remarks,
				"a pipe keeps the default size instead of %u bytes\n",
				o->pipe->capacity);
		if (!o->pipe->content.len)
			continue;
		n = io_write(write_fd, o->pipe->content.data, o->pipe->content.len);
		if (n < 0)
			return err_sys(
				e, n, "cannot refill a pipe with %zu bytes", o->pipe->content.len);
	}
	return 0;
}

static int set_flags(int fd, const Cragon__Object *object, struct err *e)
{
	/* Opened non-blocking so that no end waits for the other; now as it was. */
	if (fcntl(fd, F_SETFL, (int)object->flags) < 0)
		return err_sys(e, -errno, "cannot set the flags of a pipe");
	return 0;
}

/* The job directory may have moved since. NULL: the path stands. */
static char *moved_hold(const struct files_restore *r, const char *path)
{
	size_t n = strlen(path), suffix = strlen(FILES_HOLD_NAME);
	char *moved = NULL;

	if (!r->moved.jobdir || n < suffix || strcmp(path + n - suffix, FILES_HOLD_NAME) != 0)
		return NULL;
	return asprintf(&moved, "%s" FILES_HOLD_NAME, r->moved.jobdir) < 0 ? NULL : moved;
}

static int make_fifo(
	struct files_restore *r, const Cragon__Object *object, int *ret_fd, struct err *e)
{
	cleanup_free char *moved = moved_hold(r, object->path);
	/* Read-write never blocks and keeps both sides open while we fill. */
	cleanup_fd int way_in = open(moved ? moved : object->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int n;

	if (way_in < 0)
		return err_set(e, -errno, WHY_FILE_CHANGED, "FIFO %s cannot be opened again: %s",
			object->path, strerror(errno));
	n = fill(r, object->pipe->id, way_in, e);
	if (n < 0)
		return n;
	*ret_fd = reopen_fd(way_in, object->flags | O_NONBLOCK);
	if (*ret_fd < 0)
		return err_sys(e, *ret_fd, "cannot open FIFO %s again", object->path);
	return 0;
}

/* Hands one end of a fresh pipe to the first description of that end. */
static int give_end(struct files_restore *r, uint64_t id, bool write_end, int *end, struct err *e)
{
	for (size_t i = 0; i < r->image->n_object; i++) {
		const Cragon__Object *o = r->image->object[i];

		if (o->detail_case != CRAGON__OBJECT__DETAIL_PIPE || o->pipe->id != id ||
			o->pipe->write_end != write_end || r->fds[i] >= 0 ||
			(o->flags & O_ACCMODE) == O_RDWR)
			continue;
		r->fds[i] = steal_fd(end);
		return set_flags(r->fds[i], o, e);
	}
	return 0;
}

static int make_pipe(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	cleanup_fd int reading = -1, writing = -1;
	int ends[2], n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, -errno, "cannot make a pipe");
	reading = ends[0];
	writing = ends[1];
	n = fill(r, object->pipe->id, writing, e);
	if (n == 0 && (object->flags & O_ACCMODE) == O_RDWR) {
		*ret_fd = reopen_fd(writing, object->flags | O_NONBLOCK);
		n = *ret_fd < 0 ? err_sys(e, *ret_fd, "cannot make a pipe") : 0;
	}
	if (n == 0)
		n = give_end(r, object->pipe->id, false, &reading, e);
	if (n == 0)
		n = give_end(r, object->pipe->id, true, &writing, e);
	return n;
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	int before = made_before(r, index), n;
	cleanup_fd int fd = -1;

	if (before >= 0) {
		fd = reopen_fd(before, object->flags | O_NONBLOCK);
		if (fd < 0)
			return err_sys(e, fd, "cannot make the other end of a pipe");
	} else {
		n = object->pipe->fifo ? make_fifo(r, object, &fd, e) : make_pipe(r, index, &fd, e);
		if (n < 0)
			return n;
	}
	if (fd < 0)
		return 0; /* make_pipe() has put both ends in place */
	n = set_flags(fd, object, e);
	if (n < 0)
		return n;
	*ret_fd = steal_fd(&fd);
	return 0;
}

const struct kind kind_pipe = {.name = "pipe",
	.kept = "pipes and FIFOs with their content, size, flags, and ends that are closed",
	.limits = "packet mode (O_DIRECT), and a pipe whose other end is outside the job, unless "
		  "it is a standard stream",
	.detail = CRAGON__OBJECT__DETAIL_PIPE,
	.claim = claim,
	.dump = dump,
	.make = make};

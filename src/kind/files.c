/* Collecting a job's descriptors: see files.h. Restoring is in files_restore.c. */
#include "kind/files.h"
#include "sys/calls.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct found {
	struct fd_probe probe;
	const struct files_process *owner;
	const struct kind *kind;
	char *link, *fdinfo; /* owned */
	bool cloexec;
};

struct collection {
	struct found *list;
	size_t n, cap;
};

static void collection_done(struct collection *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->list[i].link);
		free(c->list[i].fdinfo);
		close_p(&c->list[i].probe.copy);
	}
	free(c->list);
}

static bool same_device(const struct stat *a, const struct stat *b)
{
	if (S_ISCHR(a->st_mode))
		return S_ISCHR(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_our_own(const struct fd_probe *p, int fd)
{
	return sys_kcmp(getpid(), p->pid, SYS_KCMP_FILE, (unsigned long)fd, (unsigned long)p->fd) ==
	       0;
}

/* Which of cragon's own streams this is: 0, 1, 2, or one of a higher number
 * that the job inherited through cragon. Several may be one description (a
 * terminal): then the one with the same number, so that a restart with other
 * streams does what the numbers say. */
static void find_standard(struct fd_probe *p)
{
	p->standard = p->same_stream = -1;
	for (int s = 0; s <= 2; s++) {
		struct stat st;

		if (fstat(s, &st) < 0 || !same_device(&p->stat, &st))
			continue;
		if (p->same_stream < 0 || s == p->fd)
			p->same_stream = s;
		if (p->standard != p->fd && is_our_own(p, s))
			p->standard = s;
	}
	if (p->standard < 0 && p->fd > 2 && is_our_own(p, p->fd))
		p->standard = p->fd;
}

static int parse_fdinfo(struct found *f)
{
	const char *flags = proc_field(f->fdinfo, "flags");
	const char *position = proc_field(f->fdinfo, "pos");

	if (!flags || !position)
		return -EPROTO;
	f->probe.flags = (unsigned)strtoul(flags, NULL, 8);
	f->cloexec = f->probe.flags & O_CLOEXEC;
	f->probe.flags &= ~(unsigned)O_CLOEXEC;
	f->probe.position = strtoll(position, NULL, 10);
	return 0;
}

/* Our own descriptor for the same thing, -1 when not to be had. Before Linux 5.6
 * a pipe can be opened again, the same end of it. */
static int duplicate(const struct fd_probe *p, int pidfd)
{
	int copy = sys_pidfd_getfd(pidfd, p->fd);
	char path[64];

	if (copy == -ENOSYS && S_ISFIFO(p->stat.st_mode)) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", p->pid, p->fd);
		copy = open(path, (int)(p->flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC);
	}
	return copy < 0 ? -1 : copy;
}

static int probe_one(struct found *f, const struct files_process *owner, int pidfd, int fd)
{
	static const char deleted[] = " (deleted)";
	cleanup_buf struct buf link = {0}, info = {0};
	char name[40];
	size_t n;
	int r;

	f->owner = owner;
	f->probe = (struct fd_probe){.pid = owner->pid, .vpid = owner->vpid, .fd = fd, .copy = -1};
	snprintf(name, sizeof name, "fd/%d", fd);
	r = proc_link(owner->pid, name, &link);
	if (r < 0)
		return r;
	snprintf(name, sizeof name, "/proc/%d/fd/%d", owner->pid, fd);
	if (stat(name, &f->probe.stat) < 0)
		return -errno;
	snprintf(name, sizeof name, "fdinfo/%d", fd);
	r = proc_read(owner->pid, name, &info);
	if (r < 0)
		return r;
	n = link.len;
	if (link.data[0] == '/' && n >= sizeof deleted - 1 &&
		strcmp(link.data + n - (sizeof deleted - 1), deleted) == 0 &&
		(f->probe.stat.st_nlink == 0 || access(link.data, F_OK) < 0)) {
		link.data[n - (sizeof deleted - 1)] = 0;
		f->probe.deleted = true;
	}
	f->link = steal_ptr(&link.data);
	f->fdinfo = steal_ptr(&info.data);
	f->probe.link = f->link;
	f->probe.fdinfo = f->fdinfo;
	r = parse_fdinfo(f);
	if (r < 0)
		return r;
	f->probe.copy = duplicate(&f->probe, pidfd);
	find_standard(&f->probe);
	return 0;
}

/* An image keeps what a job appends to by another name (files/N): such a file
 * is not gone when the job deletes it. Counts those names. */
static nlink_t own_links(const char *jobdir, const struct stat *st)
{
	cleanup_free char *path = NULL;
	cleanup_dir DIR *images = NULL;
	struct dirent *image;
	nlink_t n = 0;

	if (!jobdir || asprintf(&path, "%s/checkpoint_images", jobdir) < 0)
		return path = NULL, (nlink_t)0;
	images = opendir(path);
	while (images && (image = readdir(images))) {
		char name[NAME_MAX + 8];
		cleanup_dir DIR *files = NULL;
		struct dirent *file;
		int fd;

		snprintf(name, sizeof name, "%s/files", image->d_name);
		fd = openat(dirfd(images), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		files = fd < 0 ? NULL : fdopendir(fd);
		while (files && (file = readdir(files)))
			n += file->d_ino == st->st_ino;
	}
	return n;
}

static int probe_process(struct collection *c, const struct files_process *owner, struct err *e)
{
	cleanup_fd int pidfd = sys_pidfd_open(owner->pid);
	cleanup_free int *fds = NULL;
	int n = proc_fds(owner->pid, &fds);

	if (n < 0)
		return err_sys(e, n, "cannot list the open files of process %d", owner->vpid);
	for (int i = 0; i < n; i++) {
		int r;

		if (c->n == c->cap) {
			size_t cap = c->cap ? c->cap * 2 : 64;
			struct found *grown = realloc(c->list, cap * sizeof *grown);

			if (!grown)
				return err_sys(e, -ENOMEM, "listing open files");
			c->list = grown;
			c->cap = cap;
		}
		c->list[c->n] = (struct found){.probe.copy = -1};
		r = probe_one(&c->list[c->n++], owner, pidfd, fds[i]);
		if (r < 0)
			return err_sys(e, r, "cannot look at descriptor %d of process %d", fds[i],
				owner->vpid);
	}
	return 0;
}

/* Both ends of a pipe in the job? */
static void pair_pipes(struct collection *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct fd_probe *p = &c->list[i].probe;

		if (!S_ISFIFO(p->stat.st_mode))
			continue;
		for (size_t k = 0; k < c->n && !p->inside_both; k++) {
			const struct fd_probe *q = &c->list[k].probe;

			p->inside_both = S_ISFIFO(q->stat.st_mode) &&
					 same_device(&p->stat, &q->stat) &&
					 ((p->flags ^ q->flags) & O_ACCMODE);
		}
	}
}

static int claim_all(struct files_dump *d, struct collection *c, struct buf *obstacles)
{
	for (size_t i = 0; i < c->n; i++) {
		struct found *f = &c->list[i];
		cleanup_buf struct buf reason = {0};
		enum verdict verdict = NOT_MINE;

		if (f->probe.deleted && S_ISREG(f->probe.stat.st_mode) && f->probe.stat.st_nlink)
			f->probe.own_links = own_links(d->jobdir, &f->probe.stat);
		for (const struct kind *const *k = kinds; *k && verdict == NOT_MINE; k++) {
			f->kind = *k;
			verdict = (*k)->claim(&f->probe, &reason);
		}
		if (verdict == REFUSED)
			buf_printf(obstacles, "process %d (%s): descriptor %d is %s\n",
				f->owner->vpid, f->owner->comm, f->probe.fd,
				reason.data ? reason.data : "not supported");
	}
	return buf_error(obstacles);
}

/* The very same open file description? */
static bool same_description(const struct fd_probe *a, const struct fd_probe *b)
{
	if (a->stat.st_dev != b->stat.st_dev || a->stat.st_ino != b->stat.st_ino ||
		a->flags != b->flags)
		return false;
	return sys_kcmp(a->pid, b->pid, SYS_KCMP_FILE, (unsigned long)a->fd,
		       (unsigned long)b->fd) == 0;
}

/* A stream of the outside is one object per standard number, so that a
 * terminal shared by 0, 1 and 2 can become three different things. */
static bool same_object(const struct found *a, const struct found *b)
{
	if (a->kind != b->kind || !same_description(&a->probe, &b->probe))
		return false;
	return a->kind != &kind_outside || a->probe.standard == b->probe.standard;
}

static int describe(struct files_dump *d, struct found *f, struct err *e)
{
	Cragon__Object *object = arena_alloc(d->arena, sizeof *object);
	int r;

	if (!object)
		return err_sys(e, -ENOMEM, "describing open files");
	cragon__object__init(object);
	object->kind = arena_strdup(d->arena, f->kind->name);
	object->path = arena_strdup(d->arena, f->probe.link);
	object->flags = f->probe.flags;
	object->position = f->probe.position;
	object->standard = f->probe.standard <= 2 ? f->probe.standard + 1 : 0;
	r = f->kind->dump(d, &f->probe, object, e);
	if (r < 0)
		return err_in(e, "process %d (%s), descriptor %d", f->owner->vpid, f->owner->comm,
			f->probe.fd);
	if (arena_push(d->arena, (void ***)&d->image->object, &d->image->n_object, object) < 0)
		return err_sys(e, -ENOMEM, "describing open files");
	return (int)d->image->n_object - 1;
}

/* Files that somebody in the job writes: those are cut back at a restore. */
static void mark_writers(struct files_dump *d)
{
	Cragon__Image *image = d->image;

	for (size_t i = 0; i < image->n_object; i++) {
		Cragon__Object *a = image->object[i];

		if (a->detail_case != CRAGON__OBJECT__DETAIL_FILE ||
			(a->flags & O_ACCMODE) == O_RDONLY)
			continue;
		for (size_t k = 0; k < image->n_object; k++) {
			Cragon__Object *b = image->object[k];

			if (b->detail_case == CRAGON__OBJECT__DETAIL_FILE &&
				b->file->identity->device == a->file->identity->device &&
				b->file->identity->inode == a->file->identity->inode)
				b->file->writer = true;
		}
	}
}

/* "lock:\t1: FLOCK  ADVISORY  WRITE 1234 08:02:99 0 EOF" */
static int add_locks(
	struct files_dump *d, const struct found *f, struct buf *obstacles, struct err *e)
{
	Cragon__Process *process = f->owner->process;

	for (const char *line = f->fdinfo; (line = strstr(line, "lock:\t")); line += 6) {
		char kind[12], access[12], end[24];
		unsigned long start;
		Cragon__Lock *lock;

		if (sscanf(line, "lock:\t%*d: %11s %*s %11s %*d %*s %lu %23s", kind, access, &start,
			    end) != 4)
			continue;
		if (strcmp(kind, "LEASE") == 0 || strcmp(kind, "DELEG") == 0) {
			buf_printf(obstacles,
				"process %d (%s): descriptor %d holds a lease on %s\n",
				f->owner->vpid, f->owner->comm, f->probe.fd, f->link);
			continue;
		}
		lock = arena_alloc(d->arena, sizeof *lock);
		if (!lock ||
			arena_push(d->arena, (void ***)&process->lock, &process->n_lock, lock) < 0)
			return err_sys(e, -ENOMEM, "describing locks");
		cragon__lock__init(lock);
		lock->fd = f->probe.fd;
		lock->kind = strcmp(kind, "FLOCK") == 0	   ? CRAGON__LOCK__KIND__FLOCK
			     : strcmp(kind, "OFDLCK") == 0 ? CRAGON__LOCK__KIND__OFD
							   : CRAGON__LOCK__KIND__POSIX;
		lock->write = strcmp(access, "WRITE") == 0;
		lock->start = start;
		lock->length = strcmp(end, "EOF") == 0 ? 0 : strtoull(end, NULL, 10) - start + 1;
	}
	return 0;
}

static int add_descriptor(struct files_dump *d, const struct found *f, int object, struct err *e)
{
	Cragon__Process *process = f->owner->process;
	Cragon__Descriptor *descriptor = arena_alloc(d->arena, sizeof *descriptor);

	if (!descriptor ||
		arena_push(d->arena, (void ***)&process->fd, &process->n_fd, descriptor) < 0)
		return err_sys(e, -ENOMEM, "describing open files");
	cragon__descriptor__init(descriptor);
	descriptor->number = f->probe.fd;
	descriptor->cloexec = f->cloexec;
	descriptor->object = (uint32_t)object;
	return 0;
}

static int describe_all(
	struct files_dump *d, struct collection *c, struct buf *obstacles, struct err *e)
{
	cleanup_free int *object_of = calloc(c->n + 1, sizeof *object_of);

	if (!object_of)
		return err_sys(e, -ENOMEM, "describing open files");
	for (size_t i = 0; i < c->n; i++) {
		int r;

		object_of[i] = -1;
		for (size_t k = 0; k < i && object_of[i] < 0; k++)
			if (same_object(&c->list[i], &c->list[k]))
				object_of[i] = object_of[k];
		if (object_of[i] < 0)
			object_of[i] = describe(d, &c->list[i], e);
		if (object_of[i] < 0)
			return object_of[i];
		r = add_descriptor(d, &c->list[i], object_of[i], e);
		if (r == 0)
			r = add_locks(d, &c->list[i], obstacles, e);
		if (r < 0)
			return r;
	}
	mark_writers(d);
	return 0;
}

int files_collect(struct files_dump *d, const struct files_process *processes, size_t n,
	struct buf *obstacles, struct err *e)
{
	cleanup(collection_done) struct collection c = {0};
	size_t before = obstacles->len;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = probe_process(&c, &processes[i], e);
		if (r < 0)
			return r;
	}
	pair_pipes(&c);
	r = claim_all(d, &c, obstacles);
	if (r < 0)
		return err_sys(e, r, "describing open files");
	return obstacles->len > before ? 0 : describe_all(d, &c, obstacles, e);
}

int shared_add(struct files_dump *d, const struct stat *st, Cragon__Shared__Kind kind,
	const char *path, uint64_t bytes)
{
	Cragon__Image *image = d->image;
	Cragon__Shared *shared;

	for (size_t i = 0; i < image->n_shared; i++)
		if (image->shared[i]->device == st->st_dev &&
			image->shared[i]->inode == st->st_ino) {
			image->shared[i]->bytes = MAX(image->shared[i]->bytes, bytes);
			return (int)i;
		}
	shared = arena_alloc(d->arena, sizeof *shared);
	if (!shared || arena_push(d->arena, (void ***)&image->shared, &image->n_shared, shared) < 0)
		return -ENOMEM;
	cragon__shared__init(shared);
	shared->kind = kind;
	shared->path = arena_strdup(d->arena, path);
	shared->bytes = bytes;
	shared->mode = st->st_mode & 07777;
	shared->device = st->st_dev;
	shared->inode = st->st_ino;
	/* Spaces of shared content come first; those of the processes follow. */
	shared->space = (uint32_t)image->n_shared - 1;
	return shared->path ? (int)image->n_shared - 1 : -ENOMEM;
}

int files_open_deleted(const Cragon__Image *image, const struct files_process *processes, size_t n,
	size_t shared, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < processes[i].process->n_fd; k++) {
			const Cragon__Descriptor *fd = processes[i].process->fd[k];
			const Cragon__Object *object = image->object[fd->object];
			char path[64];
			int opened;

			if (object->detail_case != CRAGON__OBJECT__DETAIL_FILE ||
				object->file->shared != shared + 1)
				continue;
			snprintf(path, sizeof path, "/proc/%d/fd/%d", processes[i].pid, fd->number);
			opened = open(path, O_RDONLY | O_CLOEXEC);
			if (opened < 0)
				return err_sys(
					e, -errno, "cannot read the deleted file %s", object->path);
			return opened;
		}
	return -ENOENT;
}

void files_sync(const Cragon__Image *image)
{
	for (size_t i = 0; i < image->n_object; i++) {
		const Cragon__Object *o = image->object[i];
		cleanup_fd int fd = -1;

		if (o->detail_case != CRAGON__OBJECT__DETAIL_FILE || o->file->shared ||
			!o->file->writer)
			continue;
		fd = open(o->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0)
			(void)fdatasync(fd);
	}
}

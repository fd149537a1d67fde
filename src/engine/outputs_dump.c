/*
 * The job's output files into an image: see outputs.h. All that depends on
 * their content happens while the job is held; hashing shared blocks and syncing
 * come afterwards. What did not change since the image before is another name of
 * that image's copy.
 */
#include "engine/dump.h"
#include "base/io.h"
#include "base/units.h"
#include "image/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>

struct writer_state { /* one file that is open for writing, or mapped so */
	uint64_t device, inode;
	bool appends; /* every writer only adds at the end */
	bool mapped;
};

struct gather {
	struct dump *d;
	const struct engine_checkpoint *q;
	struct outputs *memory;
	Cragon__Outputs *out;
	struct watch watch;
	struct names paths; /* of out->file, same order */
	struct names programs;
	struct writer_state *writers;
	size_t n_writers;
	int files;     /* directory, made when needed */
	uint32_t last; /* number given out in it */
	uint64_t saved_bytes;
	bool no_clone;
};

static void gather_done(struct gather *g)
{
	watch_done(&g->watch);
	names_done(&g->paths);
	names_done(&g->programs);
	free(g->writers);
	close_p(&g->files);
}

/* ---- who has what open ---------------------------------------------------- */

static int add_writer(struct gather *g, const Cragon__FileIdentity *id, bool appends, bool mapped)
{
	struct writer_state *grown;

	for (size_t i = 0; i < g->n_writers; i++) {
		struct writer_state *w = &g->writers[i];

		if (w->inode != id->inode || w->device != id->device)
			continue;
		w->appends &= appends;
		w->mapped |= mapped;
		return 0;
	}
	grown = realloc(g->writers, (g->n_writers + 1) * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	g->writers = grown;
	grown[g->n_writers++] = (struct writer_state){id->device, id->inode, appends, mapped};
	return 0;
}

static const struct writer_state *writer_of(const struct gather *g, const struct stat *st)
{
	for (size_t i = 0; i < g->n_writers; i++)
		if (g->writers[i].inode == st->st_ino && g->writers[i].device == st->st_dev)
			return &g->writers[i];
	return NULL;
}

static bool is_virtual(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
}

static int note_open(struct gather *g, const char *path)
{
	long r = is_virtual(path) ? 0 : names_add(&g->memory->seen, path);

	return r == -ENOMEM ? -ENOMEM : 0;
}

/* A file in a directory for everybody that the job reads, made while it ran: its own
 * temporary file, most likely, to be deleted when it is read. */
static bool is_temporary(const struct gather *g, const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *dir = slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) : NULL;
	struct stat st, parent;

	return dir && stat(dir, &parent) == 0 && (parent.st_mode & S_ISVTX) &&
	       (parent.st_mode & S_IWOTH) && lstat(path, &st) == 0 && st.st_uid == geteuid() &&
	       time_ns(&st.st_ctim) >= g->out->since_ns && !names_has(&g->memory->foreign, path);
}

static int writers_of_objects(struct gather *g)
{
	const Cragon__Image *image = &g->d->image;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_object; i++) {
		const Cragon__Object *o = image->object[i];
		unsigned access = o->flags & O_ACCMODE;

		if (o->detail_case != CRAGON__OBJECT__DETAIL_FILE || o->file->shared ||
			(o->flags & O_PATH))
			continue;
		if (access == O_RDONLY) {
			if (is_temporary(g, o->path))
				r = note_open(g, o->path);
			continue;
		}
		r = add_writer(g, o->file->identity,
			(o->flags & O_APPEND) ||
				(access == O_WRONLY &&
					(uint64_t)o->position == o->file->identity->size),
			false);
		if (r == 0)
			r = note_open(g, o->path);
	}
	return r;
}

static int writers_of_memory(struct gather *g)
{
	const Cragon__Image *image = &g->d->image;
	int r = 0;

	for (size_t i = 0; i < image->n_process; i++)
		for (size_t k = 0; r == 0 && k < image->process[i]->n_vma; k++) {
			const Cragon__Vma *v = image->process[i]->vma[k];

			if (v->kind != CRAGON__VMA__KIND__FILE_SHARED || !v->writable_file)
				continue;
			r = add_writer(g, v->identity, false, true);
			if (r == 0)
				r = note_open(g, v->path);
		}
	return r;
}

/* ---- keeping content -------------------------------------------------------- */

static int files_dir(struct gather *g)
{
	if (g->files < 0)
		g->files = saved_open_dir(g->q->dirfd, true);
	return g->files;
}

static int put_bytes(struct gather *g, Cragon__OutputFile *f, int fd, uint64_t offset, size_t n)
{
	Cragon__OutputRange *range = dump_new(g->d, OutputRange);
	int r;

	if (!range)
		return -ENOMEM;
	cragon__output_range__init(range);
	range->offset = offset;
	range->content.len = n;
	range->content.data = arena_alloc(&g->d->arena, n);
	if (!range->content.data)
		return -ENOMEM;
	r = io_pread(fd, range->content.data, n, (off_t)offset);
	if (r == -ENODATA)
		return 0; /* somebody else cuts it at this moment */
	return r < 0 ? r : arena_push(&g->d->arena, (void ***)&f->range, &f->n_range, range);
}

static int put_digest(struct gather *g, Cragon__OutputFile *f, const void *digest)
{
	f->digest.len = 16;
	f->digest.data = arena_memdup(&g->d->arena, digest, 16);
	return f->digest.data ? 0 : -ENOMEM;
}

/* Unchanged since the image before? Mapped files change without a time stamp. */
static const struct output_copy *old_copy(
	const struct gather *g, const Cragon__OutputFile *f, const struct stat *st)
{
	const struct outputs *m = g->memory;

	for (size_t i = 0; m->has_image && !f->mapped && i < m->n_copies; i++) {
		const struct output_copy *c = &m->copies[i];

		if (c->inode == st->st_ino && c->device == st->st_dev &&
			c->size == (uint64_t)st->st_size && c->mtime_ns == time_ns(&st->st_mtim) &&
			c->ctime_ns == time_ns(&st->st_ctim) &&
			c->ctime_ns + OUTPUTS_RACE_NS < c->taken_ns)
			return c;
	}
	return NULL;
}

/* 1: done. */
static int take_over(struct gather *g, Cragon__OutputFile *f, const struct stat *st)
{
	const struct output_copy *old = old_copy(g, f, st);
	char from[32], to[16];
	int dir;

	if (!old)
		return 0;
	dir = files_dir(g);
	if (dir < 0)
		return dir;
	snprintf(from, sizeof from, IMAGE_FILES_NAME "/%u", old->number);
	snprintf(to, sizeof to, "%u", g->last + 1);
	if (linkat(g->memory->image_fd, from, dir, to, 0) < 0)
		return 0; /* copied, then */
	f->copy = ++g->last;
	f->whole = true;
	return put_digest(g, f, old->digest) < 0 ? -ENOMEM : 1;
}

static int clone_or_copy(struct gather *g, Cragon__OutputFile *f, int fd, bool only_clone)
{
	struct digest digest;
	int dir = files_dir(g), r = -EOPNOTSUPP;

	if (dir < 0)
		return dir;
	if (!g->no_clone) {
		r = saved_clone(dir, g->last + 1, fd);
		if (r == -EOPNOTSUPP || r == -ENOTTY || r == -EXDEV || r == -EINVAL)
			g->no_clone = r != -EXDEV;
		else if (r < 0)
			return r;
		if (r == 0) {
			f->copy = ++g->last;
			f->whole = true;
			return 1;
		}
	}
	if (only_clone)
		return 0;
	r = saved_copy(dir, g->last + 1, fd, f->identity->size, &digest);
	if (r < 0)
		return r;
	f->copy = ++g->last;
	f->whole = true;
	g->saved_bytes += f->identity->size;
	return put_digest(g, f, digest.bytes) < 0 ? -ENOMEM : 1;
}

/* Its length, both its ends, and a name that nobody else can take from it. */
static int keep_length(struct gather *g, Cragon__OutputFile *f, int fd)
{
	uint64_t size = f->identity->size, edge = MIN(size, OUTPUTS_EDGE_BYTES);
	int dir = files_dir(g), r;
	char to[16];
	struct stat st;

	if (dir < 0)
		return dir;
	r = put_bytes(g, f, fd, 0, edge);
	if (r == 0 && size > edge)
		r = put_bytes(g, f, fd, MAX(size - edge, edge), MIN(edge, size - edge));
	if (r < 0)
		return r;
	snprintf(to, sizeof to, "%u", g->last + 1);
	/* By name: linking a descriptor needs a capability, and its own name is another check. */
	if (linkat(AT_FDCWD, f->path, dir, to, 0) < 0)
		return 0;
	if (fstatat(dir, to, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != f->identity->inode) {
		unlinkat(dir, to, 0);
		return 0;
	}
	f->link = ++g->last;
	return 0;
}

static void tell_too_big(struct gather *g, const Cragon__OutputFile *f)
{
	char size[32], text[512];

	if (names_has(&g->memory->told, f->path) || names_add(&g->memory->told, f->path) < 0 ||
		!g->q->notes.fn)
		return;
	size_format(f->identity->size, size);
	snprintf(text, sizeof text,
		"%s (%s) is too big to be saved: after a resume it is cut back to its length, but "
		"bytes changed in place before that are not put back (--files copy saves it)",
		f->path, size);
	g->q->notes.fn(g->q->notes.ctx, text);
}

static int keep_content(struct gather *g, Cragon__OutputFile *f, const struct stat *st,
	const struct writer_state *w)
{
	cleanup_fd int fd = -1;
	struct stat now;
	int r;

	if (st->st_size == 0) {
		f->whole = true;
		return 0;
	}
	r = take_over(g, f, st);
	if (r)
		return MIN(r, 0);
	fd = open(f->path, O_RDONLY | O_NOATIME | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EPERM)
		fd = open(f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0 || now.st_ino != st->st_ino)
		return 0; /* not ours to read: its length is all */
	if (st->st_size <= OUTPUTS_INLINE_BYTES) {
		r = put_bytes(g, f, fd, 0, (size_t)st->st_size);
		f->whole = f->n_range > 0;
		return r;
	}
	if (g->q->files == FILES_COPY)
		return MIN(clone_or_copy(g, f, fd, false), 0);
	if (w && w->appends && !w->mapped && (uint64_t)st->st_size >= OUTPUTS_APPEND_BYTES) {
		r = clone_or_copy(g, f, fd, true);
		return r ? MIN(r, 0) : keep_length(g, f, fd);
	}
	if ((uint64_t)st->st_size > OUTPUTS_FILE_MAX ||
		g->saved_bytes + (uint64_t)st->st_size > OUTPUTS_TOTAL_MAX) {
		r = clone_or_copy(g, f, fd, true);
		if (r)
			return MIN(r, 0);
		tell_too_big(g, f);
		return keep_length(g, f, fd);
	}
	return MIN(clone_or_copy(g, f, fd, false), 0);
}

/* ---- the set ------------------------------------------------------------------ */

static int link_target(struct gather *g, Cragon__OutputFile *f)
{
	char text[4096];
	ssize_t n = readlink(f->path, text, sizeof text - 1);

	if (n < 0)
		return -errno;
	text[n] = 0;
	f->target = dump_string(g->d, text);
	return f->target ? 0 : -ENOMEM;
}

/* Another name of a file that is in the set already? 1 + its index. */
static uint32_t same_file(const struct gather *g, const struct stat *st)
{
	for (size_t i = 0; st->st_nlink > 1 && i < g->out->n_file; i++) {
		const Cragon__FileIdentity *id = g->out->file[i]->identity;

		if (id->inode == st->st_ino && id->device == st->st_dev && !g->out->file[i]->same)
			return (uint32_t)i + 1;
	}
	return 0;
}

static int describe_file(struct gather *g, const char *path, const struct stat *st)
{
	const struct writer_state *w = writer_of(g, st);
	Cragon__OutputFile *f = dump_new(g->d, OutputFile);
	int r = 0;

	if (!f)
		return -ENOMEM;
	cragon__output_file__init(f);
	f->path = dump_string(g->d, path);
	f->identity = file_identity(&g->d->arena, st);
	if (!f->path || !f->identity)
		return -ENOMEM;
	f->ctime_ns = time_ns(&st->st_ctim);
	f->mode = st->st_mode & 07777;
	f->written = names_has(&g->memory->seen, path);
	f->mapped = w && w->mapped;
	if (S_ISDIR(st->st_mode)) {
		f->type = CRAGON__OUTPUT_FILE__TYPE__DIRECTORY;
	} else if (S_ISLNK(st->st_mode)) {
		f->type = CRAGON__OUTPUT_FILE__TYPE__SYMLINK;
		r = link_target(g, f);
	} else {
		f->same = same_file(g, st);
		if (!f->same)
			r = keep_content(g, f, st, w);
	}
	if (r < 0)
		return r;
	r = (int)MIN(names_add(&g->paths, path), 0);
	return r < 0 ? r : arena_push(&g->d->arena, (void ***)&g->out->file, &g->out->n_file, f);
}

static int add_path(struct gather *g, const char *path, const struct stat *st, struct err *e)
{
	int r;

	if (names_has(&g->paths, path))
		return 0;
	r = describe_file(g, path, st);
	/* What vanishes or may not be read is not the job's any more. */
	if (r == -ENOENT || r == -EACCES || r == -ESTALE)
		return 0;
	return r < 0 ? err_sys(e, r, "cannot save %s", path) : 0;
}

/* A file that nobody in the job has open: theirs, as far as can be told? */
static bool is_output(const struct gather *g, const struct found_file *file)
{
	mode_t mode = file->st.st_mode;
	uint64_t changed = time_ns(&file->st.st_ctim);

	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return false;
	if (names_has(&g->memory->seen, file->path))
		return true;
	return file->st.st_uid == geteuid() && changed >= g->out->since_ns &&
	       !names_has(&g->memory->foreign, file->path);
}

static int add_open(struct gather *g, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->memory->seen.n; i++) {
		const char *path = g->memory->seen.list[i];
		struct stat st;

		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			r = add_path(g, path, &st, e);
	}
	return r;
}

static int add_found(struct gather *g, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->watch.n_files; i++)
		if (is_output(g, &g->watch.files[i]))
			r = add_path(g, g->watch.files[i].path, &g->watch.files[i].st, e);
	return r;
}

/* Where programs put their temporary files; one of the job's own holds nothing else. */
static int watch_temporary(struct watch *w)
{
	const char *own = getenv("TMPDIR");
	int r = own ? watch_add(w, own, true) : 0;

	return r < 0 ? r : watch_add(w, "/tmp", false);
}

static int look(struct gather *g)
{
	const Cragon__Image *image = &g->d->image;
	int r = 0;

	g->watch.seen = &g->memory->seen;
	g->watch.programs = &g->programs;
	g->watch.jobdir = g->q->jobdir;
	for (size_t i = 0; r == 0 && i < image->n_process; i++) {
		if (image->process[i]->cwd && image->process[i]->cwd[0])
			r = watch_add(&g->watch, image->process[i]->cwd, true);
		if (names_add(&g->programs, image->process[i]->comm) == -ENOMEM)
			return -ENOMEM;
	}
	if (r == 0)
		r = watch_add_seen(&g->watch);
	if (r == 0)
		r = watch_temporary(&g->watch);
	return r < 0 ? r : watch_look(&g->watch);
}

/* ---- what the next run needs to know ---------------------------------------- */

static int put_directories(struct gather *g)
{
	Cragon__Outputs *o = g->out;

	for (size_t i = 0; i < g->watch.n_dirs; i++) {
		Cragon__OutputDirectory *dir = dump_new(g->d, OutputDirectory);

		if (!dir ||
			arena_push(&g->d->arena, (void ***)&o->directory, &o->n_directory, dir) < 0)
			return -ENOMEM;
		cragon__output_directory__init(dir);
		dir->path = dump_string(g->d, g->watch.dirs[i].path);
		dir->recursive = g->watch.dirs[i].recursive;
		dir->complete = g->watch.dirs[i].complete;
		if (!dir->path)
			return -ENOMEM;
	}
	o->name.len = 8 * g->watch.n_files;
	o->name.data = arena_alloc(&g->d->arena, o->name.len + 1);
	for (size_t i = 0; o->name.data && i < g->watch.n_files; i++)
		output_name_hash(g->watch.files[i].path, o->name.data + 8 * i);
	return o->name.data ? 0 : -ENOMEM;
}

static int put_names(struct gather *g, const struct names *from, char ***list, size_t *n)
{
	for (size_t i = 0; i < from->n; i++) {
		char *name = dump_string(g->d, from->list[i]);

		if (!name || arena_push(&g->d->arena, (void ***)list, n, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int gather_set(struct gather *g, struct err *e)
{
	int r = writers_of_objects(g);

	if (r == 0)
		r = writers_of_memory(g);
	if (r == 0 && g->q->files != FILES_NONE)
		r = look(g);
	if (r < 0)
		return err_sys(e, r, "looking for the job's files");
	if (g->q->files != FILES_NONE) {
		r = add_open(g, e);
		if (r == 0)
			r = add_found(g, e);
		if (r < 0)
			return r;
		r = put_directories(g);
	}
	if (r == 0)
		r = put_names(g, &g->memory->seen, &g->out->seen, &g->out->n_seen);
	if (r == 0)
		r = put_names(g, &g->memory->foreign, &g->out->foreign, &g->out->n_foreign);
	return r < 0 ? err_sys(e, r, "describing the job's files") : 0;
}

int outputs_dump(struct dump *d, const struct engine_checkpoint *q, struct err *e)
{
	cleanup(gather_done) struct gather g = {
		.d = d, .q = q, .memory = &d->job->outputs, .files = -1};

	g.out = dump_new(d, Outputs);
	if (!g.out)
		return err_sys(e, -ENOMEM, "describing the job's files");
	cragon__outputs__init(g.out);
	g.out->since_ns = g.memory->since_ns;
	g.out->taken_ns = d->image.clock->realtime_ns;
	g.out->mode = q->files == FILES_COPY   ? CRAGON__OUTPUTS__MODE__COPY
		      : q->files == FILES_NONE ? CRAGON__OUTPUTS__MODE__NONE
					       : CRAGON__OUTPUTS__MODE__KEEP;
	d->image.outputs = g.out;
	return gather_set(&g, e);
}

void outputs_look_around(struct job *job)
{
	job_note_outputs(job);
	outputs_note_others(&job->outputs.foreign, job->reaper.pid);
}

/* ---- after the job runs again ------------------------------------------------- */

static int finish_copy(struct dump *d, int dir, Cragon__OutputFile *f, uint64_t *stored)
{
	cleanup_fd int fd = saved_open(dir, f->copy);
	struct digest digest;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (!f->digest.len) {
		r = saved_digest(fd, f->identity->size, &digest);
		if (r < 0)
			return r;
		f->digest.data = arena_memdup(&d->arena, digest.bytes, sizeof digest.bytes);
		if (!f->digest.data)
			return -ENOMEM;
		f->digest.len = sizeof digest.bytes;
	}
	if (fstat(fd, &st) == 0)
		*stored += (uint64_t)st.st_blocks * 512;
	return fsync(fd) < 0 ? -errno : 0;
}

int outputs_finish(struct dump *d, int dirfd, uint64_t *ret_stored, struct err *e)
{
	Cragon__Outputs *o = d->image.outputs;
	cleanup_fd int dir = -1;

	*ret_stored = 0;
	for (size_t i = 0; o && i < o->n_file; i++) {
		int r;

		if (!o->file[i]->copy)
			continue;
		if (dir < 0)
			dir = saved_open_dir(dirfd, false);
		r = dir < 0 ? dir : finish_copy(d, dir, o->file[i], ret_stored);
		if (r < 0)
			return err_sys(e, r, "cannot save %s", o->file[i]->path);
	}
	return dir >= 0 && fsync(dir) < 0 && errno != EINVAL
		       ? err_sys(e, -errno, "cannot save files")
		       : 0;
}

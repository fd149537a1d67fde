/* Putting a job's output files back: see outputs_restore.h. */
#include "engine/outputs_restore.h"
#include "base/io.h"
#include "image/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define NAMED_MAX 20	       /* files named in one line of the log */
#define WRITERS_PATIENCE_NS (300 * NS_PER_MSEC) /* a shell may hold the same log for ever */
#define VERSION_MAX (16 * MIB) /* of a doubtful file, kept aside before it is changed in place */

static void remove_staged(struct outputs_restore *o)
{
	for (size_t i = 0; o->files && i < o->meta->n_file; i++)
		if (o->files[i].stage == STAGE_NEW && o->files[i].now)
			unlink(o->files[i].now);
	for (size_t i = o->made.n; i-- > 0;)
		rmdir(o->made.list[i]);
}

void outputs_restore_done(struct outputs_restore *o)
{
	if (!o->committed)
		remove_staged(o);
	for (size_t i = 0; o->files && i < o->meta->n_file; i++)
		free(o->files[i].now);
	free_p(&o->files);
	watch_done(&o->watch);
	names_done(&o->index);
	names_done(&o->seen);
	names_done(&o->foreign);
	names_done(&o->made);
	names_done(&o->put);
	names_done(&o->again);
	close_p(&o->saved);
	close_p(&o->aside);
}

int outputs_restore_begin(struct outputs_restore *o, const Cragon__Outputs *meta,
	const struct engine_restore *options, struct buf *remarks, struct err *e)
{
	o->options = options;
	o->remarks = remarks;
	if (!meta || !meta->n_file)
		return 0;
	o->meta = meta;
	o->files = calloc(meta->n_file, sizeof *o->files);
	for (size_t i = 0; o->files && i < meta->n_file; i++)
		if (names_add(&o->index, meta->file[i]->path) != (long)i)
			return err_set(e, -EINVAL, WHY_BAD_IMAGE,
				"the image is not sound: an output file is there twice");
	return o->files ? 0 : err_sys(e, -ENOMEM, "putting files back");
}

const Cragon__OutputFile *outputs_file(const struct outputs_restore *o, const char *path)
{
	long i = names_find(&o->index, path);

	return i < 0 ? NULL : o->meta->file[i];
}

const char *outputs_now(const struct outputs_restore *o, const char *path)
{
	long i = names_find(&o->index, path);

	if (i >= 0 && o->meta->file[i]->same) /* an earlier entry, checked */
		i = (long)o->meta->file[i]->same - 1;
	if (i < 0)
		return path;
	return o->files[i].now ? o->files[i].now : o->meta->file[i]->path;
}

/* ---- staging ---------------------------------------------------------------- */

/* Directories that lead to the path; remembered, to be removed after a failure. */
static int make_way(struct outputs_restore *o, const char *path)
{
	cleanup_free char *dir = strdup(path);

	if (!dir)
		return -ENOMEM;
	for (char *slash = dir + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(dir, 0777) == 0 && names_add(&o->made, dir) == -ENOMEM)
			return -ENOMEM;
		*slash = '/';
	}
	return 0;
}

/* DIR/.cragon-restore.INDEX for DIR/name. */
static char *staged_name(const char *path, size_t index)
{
	const char *slash = strrchr(path, '/');
	char *name;

	if (asprintf(&name, "%.*s/" OUTPUTS_STAGED_PREFIX "%zu", (int)(slash - path), path, index) <
		0)
		return NULL;
	return name;
}

static int fill_new(struct outputs_restore *o, const Cragon__OutputFile *f, const char *name)
{
	cleanup_fd int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = output_put(o, f, fd);
	if (r == 0 && fchmod(fd, f->mode) < 0)
		r = -errno;
	return r;
}

static int shrunk(
	struct outputs_restore *o, const Cragon__OutputFile *f, uint64_t size, struct err *e)
{
	if (o->options->force_files) {
		buf_printf(o->remarks, "%s has shrunk and cannot be put back: left as it is\n",
			f->path);
		return 0;
	}
	return err_set(e, -ESTALE, WHY_FILE_CHANGED,
		"%s has shrunk since the checkpoint (%llu bytes, were %llu); put it back as it "
		"was, "
		"or restart from an older image, or with --force-files",
		f->path, (unsigned long long)size, (unsigned long long)f->identity->size);
}

static int stage_new(struct outputs_restore *o, size_t i, struct err *e)
{
	const Cragon__OutputFile *f = o->meta->file[i];
	struct stat st;
	char from[16];
	int r = make_way(o, f->path);

	o->files[i].now = staged_name(f->path, i);
	if (r < 0 || !o->files[i].now)
		return err_sys(e, r < 0 ? r : -ENOMEM, "putting %s back", f->path);
	o->files[i].stage = STAGE_NEW;
	unlink(o->files[i].now); /* of a resume that was cut short */
	if (f->link) {
		snprintf(from, sizeof from, "%u", f->link);
		r = linkat(o->saved, from, AT_FDCWD, o->files[i].now, 0) < 0 ? -errno : 0;
		if (r == 0 && stat(o->files[i].now, &st) == 0 &&
			(uint64_t)st.st_size < f->identity->size)
			return shrunk(o, f, (uint64_t)st.st_size, e);
	} else {
		r = output_check(o, f, e);
		if (r < 0)
			return r;
		r = fill_new(o, f, o->files[i].now);
	}
	return r < 0 ? err_sys(e, r, "cannot put %s back", f->path) : 0;
}

static bool is_unchanged(
	const struct outputs_restore *o, const Cragon__OutputFile *f, const struct stat *st)
{
	return !f->mapped && st->st_ino == f->identity->inode &&
	       st->st_dev == f->identity->device && (uint64_t)st->st_size == f->identity->size &&
	       time_ns(&st->st_mtim) == f->identity->mtime_ns &&
	       time_ns(&st->st_ctim) == f->ctime_ns &&
	       f->ctime_ns + OUTPUTS_RACE_NS < o->meta->taken_ns;
}

/* The saved first bytes of a file that is kept by its length, compared. */
static bool begins_alike(
	const struct outputs_restore *o, const Cragon__OutputFile *f, const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free uint8_t *is = NULL;
	const ProtobufCBinaryData *was;

	if (fd < 0 || !f->n_range)
		return false;
	was = &f->range[0]->content;
	is = malloc(was->len + 1);
	return is && io_pread(fd, is, was->len, (off_t)f->range[0]->offset) == 0 &&
	       memcmp(is, was->data, was->len) == 0;
}

/* A file found under a name that is not in the set, and that is this one. Inodes
 * are used again, so only what has no copy is looked for in this way, and is
 * known by its beginning. */
static const struct found_file *find_renamed(
	const struct outputs_restore *o, const Cragon__OutputFile *f)
{
	for (size_t i = 0; i < o->watch.n_files; i++) {
		const struct found_file *at = &o->watch.files[i];

		if (at->st.st_ino == f->identity->inode && at->st.st_dev == f->identity->device &&
			S_ISREG(at->st.st_mode) && !names_has(&o->index, at->path) &&
			(uint64_t)at->st.st_size >= f->identity->size &&
			!aside_is_foreign(o, at->path, &at->st) && begins_alike(o, f, at->path))
			return at;
	}
	return NULL;
}

static int vanished(struct outputs_restore *o, const Cragon__OutputFile *f, struct err *e)
{
	if (o->options->force_files) {
		buf_printf(o->remarks, "%s has vanished and cannot be put back\n", f->path);
		return 0;
	}
	return err_set(e, -ENOENT, WHY_FILE_CHANGED,
		"%s has vanished since the checkpoint; put it back, or restart from an "
		"older image, or with --force-files",
		f->path);
}

static int stage_in_place(struct outputs_restore *o, size_t i, const struct stat *st, struct err *e)
{
	const Cragon__OutputFile *f = o->meta->file[i];

	if (!f->whole && (uint64_t)st->st_size < f->identity->size)
		return shrunk(o, f, (uint64_t)st->st_size, e);
	o->files[i].stage = STAGE_IN_PLACE;
	return output_check(o, f, e);
}

static int stage_regular(struct outputs_restore *o, size_t i, struct err *e)
{
	const Cragon__OutputFile *f = o->meta->file[i];
	const struct found_file *renamed;
	struct stat st;
	bool there = lstat(f->path, &st) == 0;

	if (there && is_unchanged(o, f, &st))
		return 0;
	if (there && aside_is_foreign(o, f->path, &st)) {
		buf_printf(o->remarks, "%s was changed by somebody else: it is left as it is\n",
			f->path);
		return 0;
	}
	if (there && S_ISREG(st.st_mode) && st.st_ino == f->identity->inode)
		return stage_in_place(o, i, &st, e);
	if (there && !f->whole && !f->link && S_ISREG(st.st_mode))
		return stage_in_place(
			o, i, &st, e); /* the best there is: copied, moved to another disk */
	if (f->whole || f->link)
		return stage_new(o, i, e);
	renamed = find_renamed(o, f);
	if (!renamed)
		return vanished(o, f, e);
	o->files[i].now = strdup(renamed->path);
	o->files[i].stage = STAGE_ELSEWHERE;
	return o->files[i].now ? 0 : err_sys(e, -ENOMEM, "putting files back");
}

static int stage_one(struct outputs_restore *o, size_t i, struct err *e)
{
	const Cragon__OutputFile *f = o->meta->file[i];

	switch (f->type) {
	case CRAGON__OUTPUT_FILE__TYPE__DIRECTORY: {
		cleanup_free char *inside = NULL;

		if (asprintf(&inside, "%s/", f->path) < 0)
			return inside = NULL, err_sys(e, -ENOMEM, "putting files back");
		make_way(o, inside);
		return 0;
	}
	case CRAGON__OUTPUT_FILE__TYPE__SYMLINK:
		o->files[i].stage = STAGE_SYMLINK;
		return 0;
	case CRAGON__OUTPUT_FILE__TYPE__REGULAR:
		if (!f->same)
			return stage_regular(o, i, e);
		o->files[i].stage = STAGE_LINK;
		return 0;
	case _CRAGON__OUTPUT_FILE__TYPE_IS_INT_SIZE:
	default:
		return 0; /* of a newer minor version */
	}
}

/* Of a job whose cragon was killed a moment ago some process may not have heard of it
 * yet: it would go on writing into what is put back. */
static void wait_for_writers(struct outputs_restore *o)
{
	uint64_t deadline = now_mono_ns() + WRITERS_PATIENCE_NS;
	bool again = true;

	while (again) {
		names_done(&o->foreign);
		outputs_note_others(&o->foreign, 0);
		again = false;
		for (size_t i = 0; i < o->meta->n_file && !again; i++)
			again = o->meta->file[i]->written &&
				names_has(&o->foreign, o->meta->file[i]->path);
		again = again && now_mono_ns() < deadline;
		if (again)
			sleep_ns(20 * NS_PER_MSEC);
	}
}

static int look_around(struct outputs_restore *o)
{
	int r = 0;

	for (size_t i = 0; i < o->meta->n_seen; i++)
		(void)names_add(&o->seen, o->meta->seen[i]);
	wait_for_writers(o);
	o->watch.seen = &o->seen;
	o->watch.jobdir = o->options->jobdir;
	for (size_t i = 0; r == 0 && i < o->meta->n_directory; i++)
		r = watch_add(
			&o->watch, o->meta->directory[i]->path, o->meta->directory[i]->recursive);
	if (r == 0)
		r = watch_look(&o->watch);
	/* Of a resume that was cut short. */
	for (size_t i = 0; i < o->watch.staged.n; i++)
		unlink(o->watch.staged.list[i]);
	return r;
}

int outputs_stage(struct outputs_restore *o, int image_fd, struct err *e)
{
	int r;

	if (!o->meta)
		return 0;
	r = look_around(o);
	if (r < 0)
		return err_sys(e, r, "looking for the job's files");
	o->saved = saved_open_dir(image_fd, false); /* -ENOENT: none is needed */
	for (size_t i = 0; i < o->meta->n_file; i++) {
		r = stage_one(o, i, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- commit ------------------------------------------------------------------- */

/* A file may be read-only for its owner: the mode is put right afterwards. */
static int open_in_spite(const char *path, int access)
{
	int flags = access | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, fd = open(path, flags);

	if (fd >= 0 || errno != EACCES)
		return fd < 0 ? -errno : fd;
	if (chmod(path, 0600) < 0)
		return -EACCES; /* somebody else's */
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

void outputs_tell(struct outputs_restore *o, const struct names *names, const char *what)
{
	if (!names->n)
		return;
	buf_printf(o->remarks, "%s:", what);
	for (size_t i = 0; i < MIN(names->n, NAMED_MAX); i++)
		buf_printf(o->remarks, "%s %s", i ? "," : "", names->list[i]);
	if (names->n > NAMED_MAX)
		buf_printf(o->remarks, " and %zu more", names->n - NAMED_MAX);
	buf_str(o->remarks, "\n");
}

static void note_put(struct outputs_restore *o, const Cragon__OutputFile *f, uint64_t before)
{
	if (before > f->identity->size && o->put.n < NAMED_MAX)
		buf_printf(o->remarks, "%s cut back by %llu bytes written after the checkpoint\n",
			f->path, (unsigned long long)(before - f->identity->size));
	else
		(void)names_add(&o->put, f->path);
}

static int change(struct outputs_restore *o, const Cragon__OutputFile *f, const char *path)
{
	cleanup_fd int fd = open_in_spite(path, O_RDWR);
	struct stat st;
	int r;

	/* Opened for the job by somebody with more rights: its descriptor cuts it. */
	if (fd == -EACCES)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (!f->written && (uint64_t)st.st_size <= VERSION_MAX)
		(void)aside_copy(o, path, fd);
	r = output_put(o, f, fd);
	if (r == 0)
		note_put(o, f, (uint64_t)st.st_size);
	return r;
}

static int put_content(struct outputs_restore *o, size_t i)
{
	const Cragon__OutputFile *f = o->meta->file[i];
	const char *path = outputs_now(o, f->path);
	cleanup_fd int fd = open_in_spite(path, O_RDONLY);
	/* What cannot be read is changed unread. */
	int r = fd < 0 ? 1 : output_differs(o, f, fd);

	return r > 0 ? change(o, f, path) : r;
}

static int put_name(struct outputs_restore *o, size_t i)
{
	const Cragon__OutputFile *f = o->meta->file[i];
	struct stat st;
	bool there = lstat(f->path, &st) == 0;

	if (there && (!f->written || !S_ISREG(st.st_mode)))
		(void)aside_move(o, f->path);
	if (rename(o->files[i].now, f->path) < 0)
		return -errno;
	(void)names_add(there ? &o->put : &o->again, f->path);
	free_p(&o->files[i].now);
	return 0;
}

static int put_attributes(const Cragon__OutputFile *f)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)(f->identity->mtime_ns / NS_PER_SEC),
			.tv_nsec = (long)(f->identity->mtime_ns % NS_PER_SEC)}};
	struct stat st;

	if (lstat(f->path, &st) < 0)
		return 0;
	if (!S_ISLNK(st.st_mode) && (st.st_mode & 07777) != f->mode)
		(void)chmod(f->path, f->mode);
	if (f->type != CRAGON__OUTPUT_FILE__TYPE__DIRECTORY &&
		time_ns(&st.st_mtim) != f->identity->mtime_ns)
		(void)utimensat(AT_FDCWD, f->path, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* A name that had to lead to the same file as an earlier entry. */
static int put_link(struct outputs_restore *o, size_t i)
{
	const Cragon__OutputFile *f = o->meta->file[i], *first;
	cleanup_free char *name = staged_name(f->path, i);
	struct stat a, b;

	if (!name || f->same > o->meta->n_file)
		return name ? -EINVAL : -ENOMEM;
	first = o->meta->file[f->same - 1];
	if (stat(first->path, &a) < 0)
		return 0;
	if (lstat(f->path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		return 0;
	make_way(o, f->path);
	unlink(name);
	if (link(first->path, name) < 0)
		return -errno;
	if (lstat(f->path, &b) == 0)
		(void)aside_move(o, f->path);
	return rename(name, f->path) < 0 ? -errno : 0;
}

static int put_symlink(struct outputs_restore *o, size_t i)
{
	const Cragon__OutputFile *f = o->meta->file[i];
	cleanup_free char *name = staged_name(f->path, i);
	char text[4096];
	ssize_t n = readlink(f->path, text, sizeof text - 1);

	if (n >= 0) {
		text[n] = 0;
		if (strcmp(text, f->target) == 0)
			return 0;
	} else if (errno == EINVAL) {
		(void)aside_move(o, f->path);
	}
	if (!name)
		return -ENOMEM;
	make_way(o, f->path);
	unlink(name);
	if (symlink(f->target, name) < 0 || rename(name, f->path) < 0)
		return -errno;
	(void)names_add(n < 0 ? &o->again : &o->put, f->path);
	return 0;
}

static int commit_one(struct outputs_restore *o, size_t i)
{
	int r = 0;

	switch (o->files[i].stage) {
	case STAGE_NOTHING:
		return o->meta->file[i]->type == CRAGON__OUTPUT_FILE__TYPE__DIRECTORY
			       ? put_attributes(o->meta->file[i])
			       : 0;
	case STAGE_IN_PLACE:
		r = put_content(o, i);
		break;
	case STAGE_ELSEWHERE:
	case STAGE_NEW:
		r = put_content(o, i);
		if (r == 0)
			r = put_name(o, i);
		break;
	case STAGE_LINK:
		return put_link(o, i);
	case STAGE_SYMLINK:
		r = put_symlink(o, i);
		break;
	}
	return r < 0 ? r : put_attributes(o->meta->file[i]);
}

int outputs_commit(struct outputs_restore *o, struct err *e)
{
	if (!o->meta)
		return 0;
	for (size_t i = 0; i < o->meta->n_file; i++) {
		int r = commit_one(o, i);

		if (r < 0)
			return err_sys(e, r, "cannot put %s back", o->meta->file[i]->path);
	}
	outputs_tell(o, &o->put, "as it was at the checkpoint again");
	outputs_tell(o, &o->again, "there again");
	aside_created(o);
	o->committed = true;
	return 0;
}

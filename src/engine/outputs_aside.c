/*
 * What the job made after the checkpoint, out of its way: a program that is about
 * to create a file again would find it there, append to it, refuse to start
 * over it (O_EXCL, lock files), or, as sqlite with a journal, roll it back into a
 * database that has just been put back. Nothing is deleted: it is moved to
 * JOBDIR/files_aside/N, or, where that is another file system, to a hidden
 * directory beside it.
 *
 * Moved is what has a name that was not there at the checkpoint, belongs to the user, was
 * born after it and before the job's end, in a directory all names of which are
 * known. The rest is only told.
 */
#include "engine/outputs_restore.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#define ASIDE_DIRECTORIES_MAX 100000
#define ASIDE_VERSIONS_MAX 100

/* files_aside/1, /2, …: one for each resume that needed one. */
static int open_aside(struct outputs_restore *o)
{
	cleanup_fd int parent = -1;
	cleanup_free char *path = NULL;

	if (o->aside >= 0)
		return o->aside;
	if (!o->options->jobdir)
		return -ENOTSUP;
	if (asprintf(&path, "%s/" OUTPUTS_ASIDE_NAME, o->options->jobdir) < 0)
		return path = NULL, -ENOMEM;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (parent < 0)
		return -errno;
	for (unsigned n = 1; n < ASIDE_DIRECTORIES_MAX; n++) {
		char name[16];

		snprintf(name, sizeof name, "%u", n);
		if (mkdirat(parent, name, 0700) == 0) {
			o->aside = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			return o->aside < 0 ? -errno : o->aside;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -ENOSPC;
}

/* The path without its first slash, its directories made. */
static int make_place(int dir, const char *path)
{
	cleanup_free char *copy = strdup(path + 1);

	if (!copy)
		return -ENOMEM;
	for (char *slash = copy; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdirat(dir, copy, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Without the first slash; a second one of that name gets ".1". */
static char *version_name(const char *path, unsigned n)
{
	char *name;

	if (!n)
		return strdup(path + 1);
	return asprintf(&name, "%s.%u", path + 1, n) < 0 ? NULL : name;
}

/* RENAME_NOREPLACE is more than NFS knows. */
static int rename_new(const char *path, int dir, const char *to)
{
	if (renameat2(AT_FDCWD, path, dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (faccessat(dir, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(AT_FDCWD, path, dir, to) < 0 ? -errno : 0;
}

/* Another file system: a hidden directory where the file is. */
static int move_nearby(const char *path)
{
	cleanup_free char *dir = NULL, *to = NULL;
	const char *slash = strrchr(path, '/');
	int r;

	if (asprintf(&dir, "%.*s/.cragon_aside", (int)(slash - path), path) < 0)
		return dir = NULL, -ENOMEM;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	for (unsigned n = 1; n < ASIDE_DIRECTORIES_MAX; n++) {
		free_p(&to);
		if (asprintf(&to, "%s/%s.%u", dir, slash + 1, n) < 0)
			return to = NULL, -ENOMEM;
		r = rename_new(path, AT_FDCWD, to);
		if (r != -EEXIST)
			return r;
	}
	return -ENOSPC;
}

int aside_move(struct outputs_restore *o, const char *path)
{
	int dir = open_aside(o), r;

	if (dir < 0)
		return dir;
	r = make_place(dir, path);
	if (r < 0)
		return r;
	for (unsigned n = 0; n < ASIDE_VERSIONS_MAX; n++) {
		cleanup_free char *to = version_name(path, n);

		if (!to)
			return -ENOMEM;
		r = rename_new(path, dir, to);
		if (r != -EEXIST)
			return r == -EXDEV ? move_nearby(path) : r;
	}
	return -EEXIST;
}

int aside_copy(struct outputs_restore *o, const char *path, int fd)
{
	int dir = open_aside(o), r;
	cleanup_fd int to = -1;
	uint8_t data[65536];
	ssize_t n = 0;

	if (dir < 0)
		return dir;
	r = make_place(dir, path);
	if (r < 0)
		return r;
	for (unsigned k = 0; to < 0 && k < ASIDE_VERSIONS_MAX; k++) {
		cleanup_free char *name = version_name(path, k);

		to = name ? openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
		if (to < 0 && (!name || errno != EEXIST))
			return -errno;
	}
	if (to < 0)
		return -EEXIST;
	for (off_t at = 0; r == 0 && (n = pread(fd, data, sizeof data, at)) > 0; at += n)
		r = io_write(to, data, (size_t)n);
	return n < 0 ? -errno : r;
}

/* A server stamps its files by a clock of its own. */
static uint64_t clock_slack_ns(const char *path)
{
	static const uint32_t local[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
		TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC};
	struct statfs fs;

	if (statfs(path, &fs) == 0)
		for (size_t i = 0; i < ARRAY_LEN(local); i++)
			if ((uint32_t)fs.f_type == local[i])
				return 0;
	return NS_PER_SEC;
}

bool aside_is_foreign(const struct outputs_restore *o, const char *path, const struct stat *st)
{
	const Cragon__OutputFile *f = outputs_file(o, path);
	uint64_t end = o->options->ran_until_ns;

	if (f && f->written)
		return false;
	if (names_has(&o->foreign, path))
		return true;
	return end && S_ISREG(st->st_mode) && time_ns(&st->st_mtim) > end + clock_slack_ns(path);
}

/* ---- created since ----------------------------------------------------------- */

struct created {
	struct outputs_restore *o;
	struct names moved, left;
	uint64_t *known; /* hashes of the names that were there, ascending */
	size_t n_known;
};

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

static bool was_there(const struct created *c, const char *path)
{
	uint8_t hash[8];

	output_name_hash(path, hash);
	return c->n_known && bsearch(hash, c->known, c->n_known, 8, compare_hashes);
}

/* The name was looked for, and would have been seen? */
static bool was_watched(const struct created *c, const char *path)
{
	const Cragon__Outputs *meta = c->o->meta;

	for (size_t i = 0; i < meta->n_directory; i++) {
		const Cragon__OutputDirectory *d = meta->directory[i];
		size_t n = strlen(d->path);

		if (!d->complete || strncmp(path, d->path, n) != 0 || (n > 1 && path[n] != '/'))
			continue;
		if (d->recursive || !strchr(path + n + 1, '/'))
			return true;
	}
	return false;
}

/* Nanoseconds of its birth, 0: the file system does not know. */
static uint64_t birth_of(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &st) < 0 ||
		!(st.stx_mask & STATX_BTIME) || st.stx_btime.tv_sec < 0)
		return 0;
	return (uint64_t)st.stx_btime.tv_sec * NS_PER_SEC + st.stx_btime.tv_nsec;
}

static bool somebody_is_inside(const struct outputs_restore *o, const char *dir)
{
	size_t n = strlen(dir);

	for (size_t i = 0; i < o->foreign.n; i++)
		if (strncmp(o->foreign.list[i], dir, n) == 0 && o->foreign.list[i][n] == '/')
			return true;
	return false;
}

/* A directory that had another name at the checkpoint: renamed since. */
static bool was_renamed(const struct outputs_restore *o, const struct stat *st)
{
	for (size_t i = 0; i < o->meta->n_file; i++) {
		const Cragon__OutputFile *f = o->meta->file[i];

		if (f->identity->inode == st->st_ino && f->identity->device == st->st_dev)
			return true;
	}
	return false;
}

static bool is_made_by_job(const struct created *c, const char *path, const struct stat *st)
{
	const struct outputs_restore *o = c->o;
	uint64_t born = birth_of(path), end = o->options->ran_until_ns;

	if (st->st_uid != geteuid() || aside_is_foreign(o, path, st) ||
		(S_ISDIR(st->st_mode) && somebody_is_inside(o, path)))
		return false;
	if (!born)
		born = time_ns(&st->st_ctim);
	if (born + OUTPUTS_RACE_NS < o->meta->taken_ns && !was_renamed(o, st))
		return false;
	return !end || born <= end + clock_slack_ns(path);
}

static void look_at(struct created *c, const char *path, bool sure)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return; /* renamed back, or moved with its directory */
	if ((sure || was_watched(c, path)) && is_made_by_job(c, path, &st) &&
		aside_move(c->o, path) == 0)
		(void)names_add(&c->moved, path);
	else
		(void)names_add(&c->left, path);
}

/* sqlite would roll such a file back into the database that has been put back. */
static void look_for_journals(struct created *c, const char *path)
{
	static const char *const ends[] = {"-journal", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		cleanup_free char *name = NULL;

		if (asprintf(&name, "%s%s", path, ends[i]) < 0) {
			name = NULL;
			return;
		}
		if (!names_has(&c->o->index, name) && !was_there(c, name) &&
			access(name, F_OK) == 0)
			look_at(c, name, true);
	}
}

static int know_names(struct created *c)
{
	const ProtobufCBinaryData *name = &c->o->meta->name;

	c->n_known = name->len / 8;
	c->known = malloc(c->n_known * 8 + 8);
	if (!c->known)
		return -ENOMEM;
	if (c->n_known)
		memcpy(c->known, name->data, c->n_known * 8);
	qsort(c->known, c->n_known, 8, compare_hashes);
	return 0;
}

void aside_created(struct outputs_restore *o)
{
	struct created c = {.o = o};

	if (know_names(&c) < 0)
		return;
	for (size_t i = 0; i < o->meta->n_file; i++)
		if (o->meta->file[i]->type == CRAGON__OUTPUT_FILE__TYPE__REGULAR)
			look_for_journals(&c, o->meta->file[i]->path);
	for (size_t i = 0; i < o->watch.n_files; i++) {
		const char *path = o->watch.files[i].path;

		if (!names_has(&o->index, path) && !was_there(&c, path))
			look_at(&c, path, false);
	}
	outputs_tell(o, &c.moved, "created after the checkpoint, moved to " OUTPUTS_ASIDE_NAME);
	outputs_tell(o, &c.left, "created after the checkpoint, left where it is");
	names_done(&c.moved);
	names_done(&c.left);
	free(c.known);
}

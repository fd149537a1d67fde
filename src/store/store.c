/*
 * Beginning, publishing and listing images: see store.h.
 *
 * An image becomes visible by one rename, after its files and its manifest are
 * on the disk. Two cragons must not write into one job directory at the same
 * time; that is the job's lock, not ours.
 */
#include "store/store.h"

#include "base/io.h"
#include "store/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct store_pending {
	char *images; /* JOBDIR/checkpoint_images */
	int images_fd;
	int fd; /* the temporary directory, locked */
	uint64_t number;
	char name[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
	bool published;
};

static void pending_free_p(struct store_pending **p)
{
	store_pending_free(*p);
}

/* What stands in a file name for a user or host; '/' and controls cannot. */
static void name_part(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; text && *text && n + 1 < size; text++)
		out[n++] = *text == '/' || (unsigned char)*text < ' ' ? '_' : *text;
	out[n] = 0;
}

static int open_images(struct store_pending *p, const char *jobdir, struct err *e)
{
	int r;

	if (asprintf(&p->images, "%s/" STORE_IMAGES_NAME, jobdir) < 0) {
		p->images = NULL;
		return err_sys(e, -ENOMEM, "cannot begin an image");
	}
	r = io_mkdir_p(p->images);
	if (r < 0)
		return err_sys(e, r, "cannot create %s", p->images);
	p->images_fd = open(p->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->images_fd < 0)
		return err_sys(e, -errno, "cannot open %s", p->images);
	return 0;
}

static int make_directory(
	struct store_pending *p, const char *user, const char *hostname, struct err *e)
{
	char who[64], where[128];

	name_part(who, sizeof who, user);
	name_part(where, sizeof where, hostname);
	snprintf(p->name, sizeof p->name, "%" PRIu64 "_%s@%s", p->number, who, where);
	snprintf(p->temporary, sizeof p->temporary, STORE_WRITING_PREFIX "%" PRIu64 "_%s@%s",
		p->number, who, where);
	if (mkdirat(p->images_fd, p->temporary, 0700) < 0) {
		int code = -errno;

		p->temporary[0] = 0;
		return err_sys(e, code, "cannot create a directory in %s", p->images);
	}
	p->fd = openat(p->images_fd, p->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->fd < 0)
		return err_sys(e, -errno, "cannot open %s/%s", p->images, p->temporary);
	/* Not every file system has locks; see dirs.c. */
	flock(p->fd, LOCK_EX | LOCK_NB);
	return 0;
}

int store_begin(struct store_pending **ret, const char *jobdir, const char *user,
	const char *hostname, struct err *e)
{
	cleanup(pending_free_p) struct store_pending *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return err_sys(e, -ENOMEM, "cannot begin an image");
	p->fd = p->images_fd = -1;
	r = open_images(p, jobdir, e);
	if (r < 0)
		return r;
	store_sweep(p->images_fd);
	r = store_take_number(p->images_fd, &p->number, e);
	if (r < 0)
		return err_in(e, "%s", p->images);
	r = make_directory(p, user, hostname, e);
	if (r < 0)
		return r;
	*ret = steal_ptr(&p);
	return 0;
}

int store_pending_fd(const struct store_pending *p)
{
	return p->fd;
}

uint64_t store_pending_number(const struct store_pending *p)
{
	return p->number;
}

static int sync_dir(int fd, struct err *e, const char *what)
{
	/* Some network file systems refuse fsync on a directory. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return err_sys(e, -errno, "cannot write %s to disk", what);
	return 0;
}

static int rename_new(struct store_pending *p)
{
	if (renameat2(p->images_fd, p->temporary, p->images_fd, p->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* NFS and others know only plain rename, which refuses a non-empty directory too. */
	return renameat(p->images_fd, p->temporary, p->images_fd, p->name) < 0 ? -errno : 0;
}

int store_publish(struct store_pending *p, char **ret_path, struct err *e)
{
	cleanup(image_info_done) struct image_info info = {0};
	cleanup_free char *path = NULL;
	int r = image_info_read(p->fd, &info, e);

	if (r < 0)
		return err_in(e, "image %" PRIu64 " is not complete", p->number);
	if (info.number != p->number)
		return err_set(e, -EINVAL, WHY_BAD_IMAGE,
			"image %" PRIu64 " says that it is number %" PRIu64, p->number,
			info.number);
	if (asprintf(&path, "%s/%s", p->images, p->name) < 0) {
		path = NULL;
		return err_sys(e, -ENOMEM, "cannot publish image %" PRIu64, p->number);
	}
	r = sync_dir(p->fd, e, p->temporary);
	if (r < 0)
		return r;
	r = rename_new(p);
	if (r < 0)
		return err_sys(e, r, "cannot publish image %s", path);
	p->published = true;
	r = sync_dir(p->images_fd, e, p->images);
	if (r < 0)
		return r;
	*ret_path = steal_ptr(&path);
	return 0;
}

void store_pending_free(struct store_pending *p)
{
	if (!p)
		return;
	if (!p->published && p->temporary[0])
		store_remove_tree(p->images_fd, p->temporary, 0);
	close_p(&p->fd);
	close_p(&p->images_fd);
	free(p->images);
	free(p);
}

void store_entry_done(struct store_entry *e)
{
	free_p(&e->path);
	image_info_done(&e->info);
}

void store_entries_free(struct store_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_entry_done(&entries[i]);
	free(entries);
}

/* 1: valid, 0: damaged or of a newer version. */
static int read_entry(int dirfd, const struct store_name *name, const char *jobdir,
	struct store_entry *ret, struct err *e)
{
	cleanup_fd int fd =
		openat(dirfd, name->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct image_info info;
	struct err why;

	if (fd < 0 || image_info_read(fd, &info, &why) < 0)
		return 0;
	if (info.number != name->number) {
		image_info_done(&info);
		return 0;
	}
	*ret = (struct store_entry){.number = name->number, .info = info};
	if (asprintf(&ret->path, "%s/" STORE_IMAGES_NAME "/%s", jobdir, name->name) < 0) {
		ret->path = NULL;
		return err_sys(e, -ENOMEM, "cannot list the images");
	}
	return 1;
}

static int read_entries(int dirfd, const struct store_name *names, size_t n_names,
	const char *jobdir, struct store_entry **ret, size_t *ret_n, struct err *e)
{
	struct store_entry *entries = calloc(n_names + 1, sizeof *entries);
	size_t n = 0;

	if (!entries)
		return err_sys(e, -ENOMEM, "cannot list the images");
	for (size_t i = 0; i < n_names; i++) {
		int r = read_entry(dirfd, &names[i], jobdir, &entries[n], e);

		if (r < 0) {
			store_entries_free(entries, n + 1);
			return r;
		}
		n += (size_t)r;
	}
	*ret = entries;
	*ret_n = n;
	return 0;
}

int store_list(const char *jobdir, struct store_entry **ret, size_t *ret_n, size_t *ret_damaged,
	struct err *e)
{
	cleanup_fd int dirfd = -1;
	struct store_name *names = NULL;
	size_t n_names = 0;
	int r = store_open_dir(jobdir, &dirfd, e);

	if (r == -ENOENT) { /* no checkpoint was ever begun */
		*ret = NULL;
		*ret_n = 0;
		if (ret_damaged)
			*ret_damaged = 0;
		return 0;
	}
	if (r < 0)
		return r;
	r = store_names(dirfd, &names, &n_names, e);
	if (r < 0)
		return r;
	r = read_entries(dirfd, names, n_names, jobdir, ret, ret_n, e);
	if (r == 0 && ret_damaged)
		*ret_damaged = n_names - *ret_n;
	store_names_free(names, n_names);
	return r;
}

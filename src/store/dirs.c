/*
 * Names and deletion in checkpoint_images/: see dirs.h.
 *
 * A directory that is being written is held with flock(), which the kernel
 * drops when its writer dies, however it dies; leftovers are told from images
 * in the making by that. Where the file system has no such locks (some
 * network file systems), only what has not been touched for a day is a leftover.
 */
#include "store/dirs.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define REMOVE_MAX_DEPTH 8
#define STALE_NS (24 * 3600 * NS_PER_SEC)

int store_open_dir(const char *jobdir, int *ret_fd, struct err *e)
{
	cleanup_fd int job = open(jobdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (job < 0 && errno == ENOENT)
		return -ENOENT;
	if (job < 0)
		return err_sys(e, -errno, "cannot open the job directory %s", jobdir);
	fd = openat(job, STORE_IMAGES_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_sys(e, -errno, "cannot open %s/" STORE_IMAGES_NAME, jobdir);
	*ret_fd = fd;
	return 0;
}

/* NUMBER_rest, NUMBER without leading zeros. Returns 0 for anything else. */
static uint64_t name_number(const char *name)
{
	uint64_t number = 0;
	const char *p = name;

	if (*p == '0')
		return 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (number > (UINT64_MAX >> 1) / 10 - 1)
			return 0;
		number = number * 10 + (uint64_t)(*p - '0');
	}
	return p > name && *p == '_' ? number : 0;
}

/* A second view of the directory with its own position. */
static DIR *list_dir(int dirfd)
{
	cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d)
		steal_fd(&fd);
	return d;
}

static int newest_first(const void *va, const void *vb)
{
	const struct store_name *a = va, *b = vb;

	if (a->number != b->number)
		return a->number > b->number ? -1 : 1;
	return strcmp(a->name, b->name);
}

void store_names_free(struct store_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i].name);
	free(names);
}

int store_names(int dirfd, struct store_name **ret, size_t *ret_n, struct err *e)
{
	cleanup_dir DIR *dir = list_dir(dirfd);
	struct store_name *names = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return err_sys(e, -errno, "cannot list the images");
	while (errno = 0, (entry = readdir(dir))) {
		uint64_t number = name_number(entry->d_name);
		struct store_name *grown;

		if (!number)
			continue;
		grown = realloc(names, (n + 1) * sizeof *names);
		if (grown) {
			names = grown;
			names[n] = (struct store_name){number, strdup(entry->d_name)};
		}
		if (!grown || !names[n].name) {
			store_names_free(names, n);
			return err_sys(e, -ENOMEM, "cannot list the images");
		}
		n++;
	}
	if (errno) {
		int code = -errno;

		store_names_free(names, n);
		return err_sys(e, code, "cannot list the images");
	}
	if (n)
		qsort(names, n, sizeof *names, newest_first);
	*ret = names;
	*ret_n = n;
	return 0;
}

static uint64_t last_number(int dirfd)
{
	cleanup_buf struct buf text = {0};
	char *end;
	uint64_t number;

	if (io_slurp_at(dirfd, STORE_NUMBER_NAME, &text, 32) < 0 || !text.data ||
		text.data[0] < '0' || text.data[0] > '9')
		return 0;
	number = strtoull(text.data, &end, 10);
	return *end == '\n' && number < UINT64_MAX >> 1 ? number : 0;
}

int store_take_number(int dirfd, uint64_t *ret, struct err *e)
{
	struct store_name *names = NULL;
	uint64_t number = last_number(dirfd);
	size_t n = 0;
	char text[32];
	int r = store_names(dirfd, &names, &n, e);

	if (r < 0)
		return r;
	/* The file may be lost in a copy of the job directory, or damaged. */
	if (n)
		number = MAX(number, names[0].number);
	store_names_free(names, n);
	number++;
	snprintf(text, sizeof text, "%" PRIu64 "\n", number);
	r = io_publish_at(dirfd, STORE_NUMBER_NAME, text, strlen(text));
	if (r < 0)
		return err_sys(e, r, "cannot note the number of the next image");
	*ret = number;
	return 0;
}

int store_remove_tree(int dirfd, const char *name, int depth)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int r = 0;

	if (fd < 0)
		return -errno;
	dir = list_dir(fd);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		r = errno == EISDIR || errno == EPERM ? -EISDIR : -errno;
		if (r == -EISDIR && depth < REMOVE_MAX_DEPTH)
			r = store_remove_tree(fd, entry->d_name, depth + 1);
		if (r < 0)
			return r;
	}
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int store_delete(int dirfd, const char *name)
{
	char doomed[NAME_MAX + 1];

	if (snprintf(doomed, sizeof doomed, STORE_DELETING_PREFIX "%s", name) >= (int)sizeof doomed)
		return -ENAMETOOLONG;
	if (renameat(dirfd, name, dirfd, doomed) < 0)
		return -errno;
	return store_remove_tree(dirfd, doomed, 0);
}

static bool untouched(int fd)
{
	struct stat st;
	uint64_t touched;

	if (fstat(fd, &st) < 0)
		return false;
	touched = (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC;
	return touched + STALE_NS < now_real_ns();
}

static bool abandoned(int dirfd, const char *name)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	return errno != EWOULDBLOCK && untouched(fd);
}

void store_sweep(int dirfd)
{
	cleanup_dir DIR *dir = list_dir(dirfd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strncmp(name, STORE_DELETING_PREFIX, strlen(STORE_DELETING_PREFIX)) == 0 ||
			(strncmp(name, STORE_WRITING_PREFIX, strlen(STORE_WRITING_PREFIX)) == 0 &&
				abandoned(dirfd, name)))
			store_remove_tree(dirfd, name, 0);
	}
}

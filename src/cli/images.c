/*
 * Which images an operand names: see images.h. A directory that has
 * checkpoint_images/ in it is a job directory; everything else is taken for an
 * image, so that the reader's own message says what is wrong with it.
 */
#include "cli/images.h"
#include "store/dirs.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void image_paths_done(struct image_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->paths[i]);
	free(p->paths);
	*p = (struct image_paths){0};
}

/* Takes over `path`; NULL is the out-of-memory of whoever made it. */
static int add(struct image_paths *p, char *path, struct err *e)
{
	cleanup_free char *owned = path;
	char **grown = path ? realloc(p->paths, (p->n + 1) * sizeof *grown) : NULL;

	if (!grown)
		return err_sys(e, -ENOMEM, "cannot list the images");
	p->paths = grown;
	p->paths[p->n++] = steal_ptr(&owned);
	return 0;
}

static char *joined(const char *jobdir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/" STORE_IMAGES_NAME "/%s", jobdir, name) < 0)
		return NULL;
	return path;
}

/* 1: a job directory, 0: something else that exists. */
static int is_job(const char *operand, struct err *e)
{
	cleanup_free char *images = NULL;
	struct stat st;

	if (stat(operand, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(
			e, -errno, WHY_NO_IMAGE, "there is no image or job directory %s", operand);
	if (stat(operand, &st) < 0)
		return err_sys(e, -errno, "cannot open %s", operand);
	if (asprintf(&images, "%s/" STORE_IMAGES_NAME, operand) < 0) {
		images = NULL;
		return err_sys(e, -ENOMEM, "cannot open %s", operand);
	}
	return stat(images, &st) == 0 && S_ISDIR(st.st_mode);
}

static int no_image(const char *operand, struct err *e)
{
	return err_set(e, -ENOENT, WHY_NO_IMAGE, "the job directory %s holds no image", operand);
}

int images_all(const char *operand, struct image_paths *paths, struct err *e)
{
	struct store_name *names = NULL;
	cleanup_fd int fd = -1;
	size_t n = 0;
	int r = is_job(operand, e);

	if (r < 0)
		return r;
	if (r == 0)
		return add(paths, strdup(operand), e);
	r = store_open_dir(operand, &fd, e);
	if (r == -ENOENT)
		return no_image(operand, e);
	if (r == 0)
		r = store_names(fd, &names, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(paths, joined(operand, names[i].name), e);
	store_names_free(names, n);
	return r == 0 && n == 0 ? no_image(operand, e) : r;
}

int images_newest(const char *operand, struct image_paths *paths, struct err *e)
{
	struct store_entry *entries = NULL;
	size_t n = 0;
	int r = is_job(operand, e);

	if (r < 0)
		return r;
	if (r == 0)
		return add(paths, strdup(operand), e);
	r = store_list(operand, &entries, &n, NULL, e);
	if (r == 0)
		r = n ? add(paths, strdup(entries[0].path), e) : no_image(operand, e);
	store_entries_free(entries, n);
	return r;
}

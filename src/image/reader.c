/*
 * Reading an image. image_open() believes nothing that a digest does not
 * cover; frames are checked when they are read. image_each() shares the frames
 * out among threads, the caller's own among them.
 */
#include "image/reader.h"

#include "image/frame.h"
#include "image/manifest.h"
#include "image/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

void image_close(struct image *image)
{
	if (!image)
		return;
	image_info_done(&image->info);
	meta_free(image->meta);
	index_done(&image->index);
	free(image->by_frame);
	free(image->first);
	close_p(&image->dirfd);
	close_p(&image->pages_fd);
	free(image);
}

/* One of the two small files, compared with what the manifest says. */
static int load_file(struct image *image, const char *name, uint64_t max, uint8_t **ret,
	size_t *ret_bytes, struct err *e)
{
	const struct manifest_file *f = manifest_find(&image->manifest, name);
	struct digest d;
	int r = image_read_file(image->dirfd, name, max, ret, ret_bytes, e);

	if (r < 0)
		return r;
	d = digest_of(*ret, *ret_bytes);
	if (*ret_bytes != f->bytes || !digest_equal(&d, &f->digest))
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			"%s is damaged: its checksum is not the one in " IMAGE_INFO_NAME, name);
	return 0;
}

static int load_meta(struct image *image, struct err *e)
{
	cleanup_free uint8_t *file = NULL;
	size_t bytes;
	int r = load_file(image, IMAGE_META_NAME, IMAGE_MAX_META_BYTES, &file, &bytes, e);

	return r < 0 ? r : meta_parse(&image->meta, file, bytes, e);
}

static int load_index(struct image *image, struct err *e)
{
	const struct manifest_file *f = manifest_find(&image->manifest, IMAGE_PAGES_NAME);
	cleanup_free uint8_t *file = NULL;
	struct digest d;
	size_t bytes;
	int r = load_file(image, IMAGE_INDEX_NAME, UINT64_MAX >> 1, &file, &bytes, e);

	if (r < 0)
		return r;
	r = index_parse(&image->index, file, bytes, e);
	if (r < 0)
		return r;
	r = index_pages_digest(&image->index, &d, e);
	if (r < 0)
		return r;
	if (image->index.pages_bytes != f->bytes || !digest_equal(&d, &f->digest))
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_INDEX_NAME " and " IMAGE_INFO_NAME
					 " disagree about " IMAGE_PAGES_NAME);
	return 0;
}

/* Groups the extents by frame: those of frame i are by_frame[first[i]] up to
 * first[i + 1]; extents of zeros are the group after the last frame. */
static int group_extents(struct image *image, struct err *e)
{
	const struct index *x = &image->index;
	size_t groups = x->nframes + 1;

	image->first = calloc(groups + 2, sizeof *image->first);
	image->by_frame = calloc(x->nextents + 1, sizeof *image->by_frame);
	if (!image->first || !image->by_frame)
		return err_sys(e, -ENOMEM, "cannot load the page index");
	/* Counting sort; first[] is off by two while counting and by one while placing. */
	for (size_t i = 0; i < x->nextents; i++)
		image->first[MIN(x->extents[i].frame, x->nframes) + 2]++;
	for (size_t g = 2; g < groups + 2; g++)
		image->first[g] += image->first[g - 1];
	for (size_t i = 0; i < x->nextents; i++)
		image->by_frame[image->first[MIN(x->extents[i].frame, x->nframes) + 1]++] =
			(uint32_t)i;
	return 0;
}

static int open_in(struct image *image, const char *path, struct err *e)
{
	int r;

	image->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (image->dirfd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, -errno, WHY_NO_IMAGE, "no such image directory");
	if (image->dirfd < 0)
		return err_sys(e, -errno, "cannot open the image directory");
	r = manifest_read(image->dirfd, &image->info, &image->manifest, e);
	if (r < 0)
		return r;
	r = load_meta(image, e);
	if (r < 0)
		return r;
	r = load_index(image, e);
	if (r < 0)
		return r;
	image->pages_fd = openat(image->dirfd, IMAGE_PAGES_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (image->pages_fd < 0)
		return err_sys(e, -errno, "cannot open " IMAGE_PAGES_NAME);
	return group_extents(image, e);
}

int image_open(struct image **ret, const char *path, struct err *e)
{
	cleanup(image_close_p) struct image *image = calloc(1, sizeof *image);
	int r;

	if (!image)
		return err_sys(e, -ENOMEM, "cannot open image %s", path);
	image->dirfd = image->pages_fd = -1;
	r = open_in(image, path, e);
	if (r < 0)
		return err_in(e, "image %s", path);
	*ret = steal_ptr(&image);
	return 0;
}

const Cragon__Image *image_meta(const struct image *image)
{
	return image->meta;
}

int image_dirfd(const struct image *image)
{
	return image->dirfd;
}

const struct image_info *image_get_info(const struct image *image)
{
	return &image->info;
}

uint64_t image_space_bytes(const struct image *image, uint32_t space)
{
	const struct index *x = &image->index;
	size_t low = 0, high = x->nextents;
	uint64_t bytes = 0;

	while (low < high) { /* the first extent of the space */
		size_t middle = low + (high - low) / 2;

		if (x->extents[middle].space < space)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < x->nextents && x->extents[low].space == space; low++)
		bytes += x->extents[low].bytes;
	return bytes;
}

struct walk {
	struct image *image;
	image_each_fn *each;
	void *ctx;
	atomic_size_t next; /* frame to take */
	atomic_bool failed;
	pthread_mutex_t lock;
	struct err err;
};

static int each_in_frame(struct walk *k, struct unpacker *u, size_t frame, struct err *e)
{
	const struct image *image = k->image;
	const uint8_t *raw;
	int r = frame_read(u, image->pages_fd, &image->index.frames[frame], frame, &raw, e);

	for (size_t i = image->first[frame]; r >= 0 && i < image->first[frame + 1]; i++) {
		const struct extent *x = &image->index.extents[image->by_frame[i]];

		r = k->each(k->ctx, x->space, x->address, raw + x->offset, x->bytes, e);
	}
	return r;
}

static int each_zero(struct walk *k, struct err *e)
{
	const struct image *image = k->image;
	size_t group = image->index.nframes;
	cleanup_free uint8_t *zeros = calloc(1, IMAGE_FRAME_BYTES);
	int r = 0;

	if (!zeros)
		return err_sys(e, -ENOMEM, "cannot read the image");
	for (size_t i = image->first[group]; i < image->first[group + 1]; i++) {
		const struct extent *x = &image->index.extents[image->by_frame[i]];

		for (uint32_t at = 0; r >= 0 && at < x->bytes;) {
			uint32_t n = MIN(IMAGE_FRAME_BYTES, x->bytes - at);

			r = k->each(k->ctx, x->space, x->address + at, zeros, n, e);
			at += n;
		}
		if (r < 0)
			break;
	}
	return r;
}

static int walk_frames(struct walk *k, struct err *e)
{
	size_t n = k->image->index.nframes, i;
	cleanup(unpacker_free_p) struct unpacker *u = NULL;
	int r = unpacker_new(&u);

	if (r < 0)
		return err_sys(e, r, "cannot read the image");
	while (r >= 0 && !atomic_load(&k->failed) && (i = atomic_fetch_add(&k->next, 1)) <= n)
		r = i < n ? each_in_frame(k, u, i, e) : each_zero(k, e);
	return r;
}

static void *walk_main(void *arg)
{
	struct walk *k = arg;
	struct err e = {0};
	int r = walk_frames(k, &e);

	if (r >= 0)
		return NULL;
	pthread_mutex_lock(&k->lock);
	if (!atomic_load(&k->failed)) {
		k->err = e;
		k->err.code = r; /* also when `each` forgot to fill its error */
		atomic_store(&k->failed, true);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

int image_each(struct image *image, int workers, image_each_fn *each, void *ctx, struct err *e)
{
	struct walk k = {.image = image, .each = each, .ctx = ctx};
	pthread_t threads[WRITER_MAX_WORKERS];
	int n = 0, extra = image_worker_count(workers) - 1;

	/* A small image is read faster than threads start. */
	extra = (int)MIN((size_t)MAX(extra, 0), image->index.nframes / 4);
	pthread_mutex_init(&k.lock, NULL);
	while (n < extra && image_thread_start(&threads[n], walk_main, &k) == 0)
		n++;
	walk_main(&k);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&k.lock);
	if (!atomic_load(&k.failed))
		return 0;
	*e = k.err;
	return e->code;
}

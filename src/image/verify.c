/*
 * image_verify(): everything that image_open() checks, and every byte of every
 * file besides: frames, the padding between them, and files that a newer minor
 * version may have added.
 */
#include "image/reader.h"

#include "base/io.h"
#include "image/frame.h"
#include "image/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int each_nothing(void *ctx, uint32_t space, uint64_t address, const uint8_t *data,
	size_t bytes, struct err *e)
{
	return 0;
}

/* Between the end of one frame and the beginning of the next there are zeros. */
static int check_padding(const struct image *image, struct err *e)
{
	const struct index *x = &image->index;
	uint64_t at = 0;

	for (size_t i = 0; i <= x->nframes; i++) {
		uint64_t next = i < x->nframes ? x->frames[i].offset : x->pages_bytes;
		uint8_t gap[IMAGE_ALIGN_BYTES];
		int r = io_pread(image->pages_fd, gap, next - at, (off_t)at);

		if (r < 0)
			return err_sys(e, r, "cannot read " IMAGE_PAGES_NAME);
		for (uint64_t k = 0; k < next - at; k++)
			if (gap[k])
				return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
					IMAGE_PAGES_NAME " is damaged: stray bytes at %" PRIu64,
					at + k);
		if (i < x->nframes)
			at = next + x->frames[i].stored_bytes;
	}
	return 0;
}

static int check_other_files(const struct image *image, struct err *e)
{
	for (size_t i = 0; i < image->manifest.n; i++) {
		const struct manifest_file *f = &image->manifest.files[i];
		cleanup_free uint8_t *data = NULL;
		struct digest d;
		size_t bytes;
		int r;

		if (strcmp(f->name, IMAGE_PAGES_NAME) == 0)
			continue;
		r = image_read_file(image->dirfd, f->name, f->bytes, &data, &bytes, e);
		if (r < 0)
			return r;
		d = digest_of(data, bytes);
		if (!digest_equal(&d, &f->digest))
			return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
				"%s is damaged: its checksum does not match", f->name);
	}
	return 0;
}

int image_verify(const char *path, struct err *e)
{
	cleanup(image_close_p) struct image *image = NULL;
	int r = image_open(&image, path, e);

	if (r < 0)
		return r;
	r = image_each(image, 0, each_nothing, NULL, e);
	if (r == 0)
		r = check_padding(image, e);
	if (r == 0)
		r = check_other_files(image, e);
	if (r == 0)
		r = saved_verify(image->dirfd, image->meta, e);
	return r < 0 ? err_in(e, "image %s", path) : 0;
}

/*
 * Packing and unpacking frames: see frame.h.
 *
 * Whether compression pays is decided on a sample of 64 KiB taken from four
 * places: zstd runs at some 3 GB/s over what it cannot shrink, but spends its
 * full time on data such as doubles that shrink by a tenth, where the disk
 * would have been faster. What saves less than an eighth is stored raw.
 */
#include "image/frame.h"

#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#define SAMPLE_SLICE_BYTES (16u * 1024)
#define SAMPLE_SLICES 4u

void compacted_done(struct compacted *c)
{
	free(c->extents);
	*c = (struct compacted){0};
}

static bool is_zero(const uint8_t *p, size_t bytes)
{
	/* Equal to itself one byte further on, and starting with zero: memcmp is
	 * the fastest loop there is, and reads every byte only while it is zero. */
	return p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0;
}

static int compacted_add(struct compacted *c, const struct extent *x)
{
	struct extent *last = c->n ? &c->extents[c->n - 1] : NULL;

	if (last && last->space == x->space && last->frame == x->frame &&
		last->address + last->bytes == x->address &&
		(x->frame == IMAGE_NO_FRAME || last->offset + last->bytes == x->offset)) {
		last->bytes += x->bytes;
		return 0;
	}
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 16;
		struct extent *grown = realloc(c->extents, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		c->extents = grown;
		c->cap = cap;
	}
	c->extents[c->n++] = *x;
	return 0;
}

static int compact_page(struct compacted *c, uint8_t *buffer, const uint8_t *page,
	const struct image_run *run, uint64_t at, size_t bytes)
{
	struct extent x = {
		.space = run->space,
		.address = run->address + at,
		.bytes = (uint32_t)bytes,
		.offset = (uint32_t)c->bytes,
	};

	if (is_zero(page, bytes)) {
		c->zero_bytes += bytes;
		if (!(run->flags & IMAGE_KEEP_ZERO))
			return 0;
		x.frame = IMAGE_NO_FRAME;
		x.offset = 0;
		return compacted_add(c, &x);
	}
	if (buffer + c->bytes != page)
		memmove(buffer + c->bytes, page, bytes);
	c->bytes += bytes;
	return compacted_add(c, &x);
}

int frame_compact(
	uint8_t *buffer, const struct image_run *runs, size_t nruns, struct compacted *ret)
{
	cleanup(compacted_done) struct compacted c = {0};
	const uint8_t *p = buffer;

	for (size_t i = 0; i < nruns; i++) {
		for (uint64_t at = 0; at < runs[i].bytes;) {
			size_t bytes = (size_t)MIN(CRAGON_PAGE_BYTES, runs[i].bytes - at);
			int r = compact_page(&c, buffer, p, &runs[i], at, bytes);

			if (r < 0)
				return r;
			p += bytes;
			at += bytes;
		}
	}
	*ret = c;
	c = (struct compacted){0};
	return 0;
}

struct packer {
	ZSTD_CCtx *zstd;
	size_t out_cap;
	uint8_t *out;
	uint8_t sample[SAMPLE_SLICES * SAMPLE_SLICE_BYTES];
};

int packer_new(struct packer **ret)
{
	struct packer *k = calloc(1, sizeof *k);

	if (!k)
		return -ENOMEM;
	k->out_cap = ZSTD_compressBound(IMAGE_FRAME_BYTES);
	k->out = malloc(align_up(k->out_cap, IMAGE_ALIGN_BYTES));
	k->zstd = ZSTD_createCCtx();
	if (!k->out || !k->zstd) {
		packer_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

void packer_free(struct packer *k)
{
	if (!k)
		return;
	ZSTD_freeCCtx(k->zstd);
	free(k->out);
	free(k);
}

/* Returns the packed size, or 0 when it could not be made smaller. */
static size_t pack(struct packer *k, int level, const uint8_t *data, size_t bytes)
{
	size_t packed = ZSTD_compressCCtx(k->zstd, k->out, k->out_cap, data, bytes, level);

	return ZSTD_isError(packed) || packed > bytes - bytes / 8 ? 0 : packed;
}

static bool worth_packing(struct packer *k, const uint8_t *data, size_t bytes)
{
	size_t step = (bytes - SAMPLE_SLICE_BYTES) / (SAMPLE_SLICES - 1);

	for (size_t i = 0; i < SAMPLE_SLICES; i++)
		memcpy(k->sample + i * SAMPLE_SLICE_BYTES, data + i * step, SAMPLE_SLICE_BYTES);
	return pack(k, 1, k->sample, sizeof k->sample) != 0;
}

int frame_pack(struct packer *k, int level, uint8_t *data, size_t bytes, struct frame *frame,
	uint8_t **ret_stored)
{
	size_t packed = 0;

	if (level != 0 && (bytes <= 2 * sizeof k->sample || worth_packing(k, data, bytes)))
		packed = pack(k, level, data, bytes);
	frame->raw_bytes = (uint32_t)bytes;
	frame->content = digest_of(data, bytes);
	if (packed) {
		frame->codec = CODEC_ZSTD;
		frame->stored_bytes = (uint32_t)packed;
		frame->stored = digest_of(k->out, packed);
		*ret_stored = k->out;
	} else {
		frame->codec = CODEC_RAW;
		frame->stored_bytes = (uint32_t)bytes;
		frame->stored = frame->content;
		*ret_stored = data;
	}
	return 0;
}

struct unpacker {
	ZSTD_DCtx *zstd;
	uint8_t *stored;
	uint8_t *raw;
};

int unpacker_new(struct unpacker **ret)
{
	struct unpacker *u = calloc(1, sizeof *u);

	if (!u)
		return -ENOMEM;
	u->zstd = ZSTD_createDCtx();
	/* Page aligned, so that a caller may hand parts on to O_DIRECT or vmsplice. */
	u->stored = aligned_alloc(CRAGON_PAGE_BYTES, IMAGE_FRAME_BYTES);
	u->raw = aligned_alloc(CRAGON_PAGE_BYTES, IMAGE_FRAME_BYTES);
	if (!u->zstd || !u->stored || !u->raw) {
		unpacker_free(u);
		return -ENOMEM;
	}
	*ret = u;
	return 0;
}

void unpacker_free(struct unpacker *u)
{
	if (!u)
		return;
	ZSTD_freeDCtx(u->zstd);
	free(u->stored);
	free(u->raw);
	free(u);
}

int frame_unpack(struct unpacker *u, const uint8_t *stored, const struct frame *f, size_t number,
	const uint8_t **ret_raw, struct err *e)
{
	const uint8_t *raw = stored;
	struct digest d = digest_of(stored, f->stored_bytes);

	if (!digest_equal(&d, &f->stored))
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_PAGES_NAME " is damaged: the checksum of frame %zu does not match",
			number);
	if (f->codec == CODEC_ZSTD) {
		size_t n =
			ZSTD_decompressDCtx(u->zstd, u->raw, f->raw_bytes, stored, f->stored_bytes);

		if (ZSTD_isError(n) || n != f->raw_bytes)
			return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
				IMAGE_PAGES_NAME " is damaged: frame %zu cannot be unpacked",
				number);
		raw = u->raw;
		d = digest_of(raw, n);
	}
	if (!digest_equal(&d, &f->content))
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_PAGES_NAME " is damaged: frame %zu unpacks to other content", number);
	*ret_raw = raw;
	return 0;
}

int frame_read(struct unpacker *u, int fd, const struct frame *f, size_t number,
	const uint8_t **ret_raw, struct err *e)
{
	int r = io_pread(fd, u->stored, f->stored_bytes, (off_t)f->offset);

	if (r == -ENODATA)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			IMAGE_PAGES_NAME " is cut short: frame %zu is missing", number);
	if (r < 0)
		return err_sys(e, r, "cannot read " IMAGE_PAGES_NAME);
	return frame_unpack(u, u->stored, f, number, ret_raw, e);
}

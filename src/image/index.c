/*
 * pages.idx: which bytes of which address space are in which frame, and where
 * the frames are. A fixed-size record per frame and per extent; the parser
 * proves, before anything is used, that counts fit the file, frames follow
 * each other in pages.dat, and extents are sorted, disjoint and inside their
 * frames.
 */
#include "image/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define INDEX_HEAD_BYTES 32u
#define FRAME_RECORD_BYTES 56u
#define EXTENT_RECORD_BYTES 32u

void index_done(struct index *x)
{
	free(x->frames);
	free(x->extents);
	*x = (struct index){0};
}

static void frame_put(uint8_t *p, const struct frame *f)
{
	put_le(p, 8, f->offset);
	put_le(p + 8, 4, f->stored_bytes);
	put_le(p + 12, 4, f->raw_bytes);
	put_le(p + 16, 4, f->codec);
	put_le(p + 20, 4, 0);
	memcpy(p + 24, f->content.bytes, 16);
	memcpy(p + 40, f->stored.bytes, 16);
}

static void extent_put(uint8_t *p, const struct extent *x)
{
	put_le(p, 4, x->space);
	put_le(p + 4, 4, x->frame);
	put_le(p + 8, 8, x->address);
	put_le(p + 16, 4, x->bytes);
	put_le(p + 20, 4, x->offset);
	put_le(p + 24, 4, x->source);
	put_le(p + 28, 4, 0);
}

int index_encode(const struct index *x, uint8_t **ret, size_t *ret_bytes, struct err *e)
{
	size_t bytes = ENVELOPE_BYTES + INDEX_HEAD_BYTES + x->nframes * FRAME_RECORD_BYTES +
		       x->nextents * EXTENT_RECORD_BYTES;
	uint8_t *file, *p;

	if (x->nframes > IMAGE_MAX_FRAMES || x->nextents > IMAGE_MAX_EXTENTS)
		return err_set(e, -EOVERFLOW, WHY_UNSUPPORTED,
			"the job's memory has more pieces than an image can index");
	file = malloc(bytes);
	if (!file)
		return err_sys(e, -ENOMEM, "cannot build the page index");
	p = file + HEADER_BYTES;
	put_le(p, 8, x->pages_bytes);
	put_le(p + 8, 8, x->nframes);
	put_le(p + 16, 8, x->nextents);
	put_le(p + 24, 4, (uint32_t)CRAGON_PAGE_BYTES);
	put_le(p + 28, 4, 0);
	p += INDEX_HEAD_BYTES;
	for (size_t i = 0; i < x->nframes; i++, p += FRAME_RECORD_BYTES)
		frame_put(p, &x->frames[i]);
	for (size_t i = 0; i < x->nextents; i++, p += EXTENT_RECORD_BYTES)
		extent_put(p, &x->extents[i]);
	envelope_seal(FILE_INDEX, file, bytes);
	*ret = file;
	*ret_bytes = bytes;
	return 0;
}

static int bad(struct err *e, const char *what, size_t i)
{
	return err_set(e, -EBADMSG, WHY_BAD_IMAGE, IMAGE_INDEX_NAME ": %s (record %zu)", what, i);
}

static int frames_parse(struct index *x, const uint8_t *p, struct err *e)
{
	uint64_t end = 0; /* of the frame before */

	for (size_t i = 0; i < x->nframes; i++, p += FRAME_RECORD_BYTES) {
		struct frame *f = &x->frames[i];

		f->offset = get_le(p, 8);
		f->stored_bytes = (uint32_t)get_le(p + 8, 4);
		f->raw_bytes = (uint32_t)get_le(p + 12, 4);
		f->codec = (uint32_t)get_le(p + 16, 4);
		memcpy(f->content.bytes, p + 24, 16);
		memcpy(f->stored.bytes, p + 40, 16);
		if (f->raw_bytes == 0 || f->raw_bytes > IMAGE_FRAME_BYTES)
			return bad(e, "frame of an impossible size", i);
		/* A frame that did not shrink is raw: stored is never more than raw. */
		if (f->stored_bytes == 0 || f->stored_bytes > f->raw_bytes)
			return bad(e, "frame stored in an impossible size", i);
		if (f->codec > CODEC_ZSTD)
			return bad(e, "frame packed in an unknown way", i);
		if (f->codec == CODEC_RAW && f->stored_bytes != f->raw_bytes)
			return bad(e, "raw frame with two sizes", i);
		if (f->offset < end || f->offset - end >= IMAGE_ALIGN_BYTES)
			return bad(e, "frame out of place", i);
		end = f->offset + f->stored_bytes;
	}
	if (x->pages_bytes < end || x->pages_bytes - end >= IMAGE_ALIGN_BYTES)
		return bad(e, "frames do not fill " IMAGE_PAGES_NAME, x->nframes);
	return 0;
}

static int extent_check(const struct index *x, const struct extent *t, size_t i, struct err *e)
{
	if (t->source != 0)
		return bad(e, "extent in a parent image, which this version does not have", i);
	if (t->address % CRAGON_PAGE_BYTES)
		return bad(e, "extent at an odd address", i);
	if (t->bytes == 0 || t->address >= IMAGE_MAX_ADDRESS ||
		t->bytes > IMAGE_MAX_ADDRESS - t->address)
		return bad(e, "extent of an impossible size", i);
	if (t->frame == IMAGE_NO_FRAME)
		return t->offset ? bad(e, "extent of zeros with an offset", i) : 0;
	if (t->frame >= x->nframes)
		return bad(e, "extent in a frame that does not exist", i);
	if (t->offset > x->frames[t->frame].raw_bytes ||
		t->bytes > x->frames[t->frame].raw_bytes - t->offset)
		return bad(e, "extent beyond its frame", i);
	return 0;
}

static bool extents_ascend(const struct extent *a, const struct extent *b)
{
	if (a->space != b->space)
		return a->space < b->space;
	return a->address < b->address && b->address - a->address >= a->bytes;
}

static int extents_parse(struct index *x, const uint8_t *p, struct err *e)
{
	for (size_t i = 0; i < x->nextents; i++, p += EXTENT_RECORD_BYTES) {
		struct extent *t = &x->extents[i];
		int r;

		t->space = (uint32_t)get_le(p, 4);
		t->frame = (uint32_t)get_le(p + 4, 4);
		t->address = get_le(p + 8, 8);
		t->bytes = (uint32_t)get_le(p + 16, 4);
		t->offset = (uint32_t)get_le(p + 20, 4);
		t->source = (uint32_t)get_le(p + 24, 4);
		r = extent_check(x, t, i, e);
		if (r < 0)
			return r;
		if (i && !extents_ascend(t - 1, t))
			return bad(e, "extents overlap or are not in order", i);
	}
	return 0;
}

int index_parse(struct index *ret, const uint8_t *file, size_t bytes, struct err *e)
{
	cleanup(index_done) struct index x = {0};
	const uint8_t *p = file + HEADER_BYTES;
	int r = envelope_check(FILE_INDEX, file, bytes, e);

	if (r < 0)
		return r;
	if (bytes < ENVELOPE_BYTES + INDEX_HEAD_BYTES)
		return bad(e, "cut short", 0);
	x.pages_bytes = get_le(p, 8);
	x.nframes = get_le(p + 8, 8);
	x.nextents = get_le(p + 16, 8);
	if (get_le(p + 24, 4) != CRAGON_PAGE_BYTES)
		return bad(e, "made for another page size", 0);
	if (x.nframes > IMAGE_MAX_FRAMES || x.nextents > IMAGE_MAX_EXTENTS ||
		bytes - ENVELOPE_BYTES - INDEX_HEAD_BYTES !=
			x.nframes * FRAME_RECORD_BYTES + x.nextents * EXTENT_RECORD_BYTES)
		return bad(e, "its counts do not fit its size", 0);
	p += INDEX_HEAD_BYTES;
	x.frames = calloc(x.nframes + 1, sizeof *x.frames);
	x.extents = calloc(x.nextents + 1, sizeof *x.extents);
	if (!x.frames || !x.extents)
		return err_sys(e, -ENOMEM, "cannot load " IMAGE_INDEX_NAME);
	r = frames_parse(&x, p, e);
	if (r < 0)
		return r;
	r = extents_parse(&x, p + x.nframes * FRAME_RECORD_BYTES, e);
	if (r < 0)
		return r;
	*ret = x;
	x = (struct index){0};
	return 0;
}

int index_pages_digest(const struct index *x, struct digest *ret, struct err *e)
{
	cleanup_free uint8_t *all = malloc(16 * x->nframes + 1);

	if (!all)
		return err_sys(e, -ENOMEM, "cannot compute a checksum");
	for (size_t i = 0; i < x->nframes; i++)
		memcpy(all + 16 * i, x->frames[i].stored.bytes, 16);
	*ret = digest_of(all, 16 * x->nframes);
	return 0;
}

static int compare_extents(const void *va, const void *vb)
{
	const struct extent *a = va, *b = vb;

	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

int index_sort_extents(struct index *x, struct err *e)
{
	if (x->nextents)
		qsort(x->extents, x->nextents, sizeof *x->extents, compare_extents);
	for (size_t i = 1; i < x->nextents; i++)
		if (!extents_ascend(&x->extents[i - 1], &x->extents[i]))
			return err_set(e, -EINVAL, WHY_SYSTEM,
				"the same memory was given twice: space %" PRIu32
				" address %#" PRIx64,
				x->extents[i].space, x->extents[i].address);
	return 0;
}

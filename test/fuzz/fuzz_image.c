/*
 * The image reader's parsers on hostile bytes. The first byte of the input
 * chooses the parser; digests are made to fit, because a fuzzer does not guess
 * them. What the index parser accepts must come out the same after encoding.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "image/frame.h"
#include "image/manifest.h"

#include <string.h>

enum target { INDEX, META, MANIFEST, FRAME, WHOLE_INDEX, WHOLE_META, WHOLE_MANIFEST, TARGETS };

static uint8_t *enveloped(enum file_kind kind, const uint8_t *data, size_t size, size_t *ret_bytes)
{
	uint8_t *file = malloc(ENVELOPE_BYTES + size);

	if (!file)
		abort();
	memcpy(file + HEADER_BYTES, data, size);
	*ret_bytes = ENVELOPE_BYTES + size;
	envelope_seal(kind, file, *ret_bytes);
	return file;
}

static void try_index(const uint8_t *file, size_t bytes)
{
	cleanup(index_done) struct index x = {0}, again = {0};
	cleanup_free uint8_t *encoded = NULL;
	struct digest d;
	size_t encoded_bytes;
	struct err e;

	if (index_parse(&x, file, bytes, &e) < 0)
		return;
	if (index_pages_digest(&x, &d, &e) < 0 || index_sort_extents(&x, &e) < 0 ||
		index_encode(&x, &encoded, &encoded_bytes, &e) < 0 || encoded_bytes != bytes ||
		index_parse(&again, encoded, encoded_bytes, &e) < 0 ||
		x.nextents != again.nextents || x.nframes != again.nframes)
		abort();
}

static void try_meta(const uint8_t *file, size_t bytes)
{
	Cragon__Image *meta;
	struct err e;

	if (meta_parse(&meta, file, bytes, &e) == 0)
		meta_free(meta);
}

static void try_manifest(const uint8_t *text, size_t bytes)
{
	cleanup(image_info_done) struct image_info info = {0};
	cleanup_buf struct buf out = {0};
	struct manifest m;
	struct err e;

	if (manifest_parse((const char *)text, bytes, &info, &m, &e) == 0 &&
		image_info_json(&info, &out) < 0)
		abort();
}

static void try_sealed_manifest(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf text = {0};
	struct digest d;
	char hex[33];

	buf_add(&text, data, size);
	d = digest_of(data, size);
	digest_hex(&d, hex);
	buf_printf(&text, "  \"info_checksum\": \"%s\"\n}\n", hex);
	try_manifest((const uint8_t *)text.data, text.len);
}

/* Four bytes of claimed size, then what is stored. */
static void try_frame(const uint8_t *data, size_t size)
{
	struct frame f = {.codec = CODEC_ZSTD};
	struct unpacker *u = NULL;
	const uint8_t *raw;
	struct err e;

	if (size < 5 || size - 4 > IMAGE_FRAME_BYTES || unpacker_new(&u) < 0)
		return;
	f.raw_bytes = (uint32_t)(get_le(data, 4) % IMAGE_FRAME_BYTES + 1);
	f.stored_bytes = (uint32_t)(size - 4);
	f.stored = digest_of(data + 4, size - 4);
	frame_unpack(u, data + 4, &f, 0, &raw, &e);
	unpacker_free(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *file = NULL;
	size_t bytes;

	if (size == 0)
		return 0;
	data++, size--;
	switch ((enum target)(data[-1] % TARGETS)) {
	case INDEX:
		file = enveloped(FILE_INDEX, data, size, &bytes);
		try_index(file, bytes);
		break;
	case META:
		file = enveloped(FILE_META, data, size, &bytes);
		try_meta(file, bytes);
		break;
	case MANIFEST:
		try_sealed_manifest(data, size);
		break;
	case FRAME:
		try_frame(data, size);
		break;
	case WHOLE_INDEX:
		try_index(data, size);
		break;
	case WHOLE_META:
		try_meta(data, size);
		break;
	case WHOLE_MANIFEST:
		try_manifest(data, size);
		break;
	case TARGETS:
		break;
	}
	return 0;
}

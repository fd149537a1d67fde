/*
 * The byte layouts of an image's files as C values, and the parsers that turn
 * untrusted bytes into them. doc/format.md is normative. Everything here works
 * on memory, so that the fuzzer reaches it without files.
 *
 * All integers on disk are little endian; digests are XXH3-128 in canonical
 * (big-endian) form, as xxhsum -H2 prints them.
 */
#ifndef CRAGON_IMAGE_LAYOUT_H
#define CRAGON_IMAGE_LAYOUT_H

#include "base/err.h"
#include "image/image.h"

#define IMAGE_META_NAME "meta.pb"
#define IMAGE_INDEX_NAME "pages.idx"
#define IMAGE_PAGES_NAME "pages.dat"
#define IMAGE_INFO_NAME "checkpoint_info"

/* Limits: what a reader believes at most, and a writer never exceeds. */
#define IMAGE_MAX_META_BYTES (512ull * MIB)
#define IMAGE_MAX_INFO_BYTES (16ull * MIB)
#define IMAGE_MAX_FRAMES (1ull << 24)
#define IMAGE_MAX_EXTENTS (1ull << 28)
#define IMAGE_MAX_ADDRESS (1ull << 63) /* end of the highest extent */
#define IMAGE_ALIGN_BYTES 4096u	       /* frames begin at multiples; gaps are shorter */

#define IMAGE_NO_FRAME UINT32_MAX /* an extent of zeros */

struct digest {
	uint8_t bytes[16];
};

enum codec { CODEC_RAW = 0, CODEC_ZSTD = 1 };

struct frame {
	uint64_t offset;       /* in pages.dat */
	uint32_t stored_bytes; /* in pages.dat */
	uint32_t raw_bytes;    /* unpacked */
	uint32_t codec;
	struct digest content; /* of the raw bytes */
	struct digest stored;  /* of the stored bytes */
};

struct extent {
	uint32_t space;
	uint32_t frame; /* or IMAGE_NO_FRAME */
	uint64_t address;
	uint32_t bytes;
	uint32_t offset; /* in the frame's raw bytes */
	uint32_t source; /* 0: this image; others are reserved for parent images */
};

struct index {
	uint64_t pages_bytes; /* size of pages.dat */
	struct frame *frames; /* in file order */
	size_t nframes;
	struct extent *extents; /* by space, then address */
	size_t nextents;
};

struct digest digest_of(const void *data, size_t bytes);
bool digest_equal(const struct digest *, const struct digest *);
void digest_hex(const struct digest *, char out[static 33]);
/* Exactly 32 lower-case hexadecimal digits; else -EINVAL. */
int digest_parse(const char *hex, struct digest *ret);

/* meta.pb and pages.idx are a header, the payload and a digest of both. */
#define HEADER_BYTES 24u
#define ENVELOPE_BYTES (HEADER_BYTES + 16u)
enum file_kind { FILE_META, FILE_INDEX };
/* `file` has its payload from HEADER_BYTES on; the rest is filled in. */
void envelope_seal(enum file_kind, uint8_t *file, size_t file_bytes);
/* Checks magic, version, length and digest of a whole file. */
int envelope_check(enum file_kind, const uint8_t *file, size_t file_bytes, struct err *);

/* Whole file, malloc'd. */
int index_encode(const struct index *, uint8_t **ret, size_t *ret_bytes, struct err *);
int index_parse(struct index *ret, const uint8_t *file, size_t bytes, struct err *);
void index_done(struct index *);
/* What the manifest calls the digest of pages.dat. */
int index_pages_digest(const struct index *, struct digest *ret, struct err *);
/* Sorts extents and checks that they do not overlap. */
int index_sort_extents(struct index *, struct err *);

int meta_encode(const Cragon__Image *, uint8_t **ret, size_t *ret_bytes, struct err *);
int meta_parse(Cragon__Image **ret, const uint8_t *file, size_t bytes, struct err *);
void meta_free(Cragon__Image *);

/* Reads a regular file of at most `max` bytes; it is not followed when a link. */
int image_read_file(
	int dirfd, const char *name, uint64_t max, uint8_t **ret, size_t *ret_bytes, struct err *);

static inline void put_le(uint8_t *p, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t get_le(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

static inline uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

#endif

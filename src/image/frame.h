/*
 * One frame: dropping zero pages from a full buffer, packing what is left, and
 * unpacking it again. Used by the writer's and the reader's worker threads,
 * one coder each.
 */
#ifndef CRAGON_IMAGE_FRAME_H
#define CRAGON_IMAGE_FRAME_H

#include "image/layout.h"

/* Extents of one buffer, offsets within the frame; the frame's number is not known yet. */
struct compacted {
	struct extent *extents;
	size_t n, cap;
	size_t bytes;	     /* left in the buffer */
	uint64_t zero_bytes; /* dropped */
};

void compacted_done(struct compacted *);

/* Moves the bytes that are kept to the front of `buffer`. Returns 0 or -ENOMEM. */
int frame_compact(
	uint8_t *buffer, const struct image_run *runs, size_t nruns, struct compacted *ret);

struct packer;
int packer_new(struct packer **ret);
void packer_free(struct packer *);

/* Packs `bytes` of `data` with zstd `level`, or not at all for level 0 or when
 * that does not pay. Fills everything but frame->offset. *ret_stored points
 * into `data` or the packer and may be extended with zeros in place up to the
 * next multiple of IMAGE_ALIGN_BYTES. `data` has room for IMAGE_FRAME_BYTES. */
int frame_pack(struct packer *, int level, uint8_t *data, size_t bytes, struct frame *frame,
	uint8_t **ret_stored);

struct unpacker;
int unpacker_new(struct unpacker **ret);
void unpacker_free(struct unpacker *);

static inline void unpacker_free_p(struct unpacker **u)
{
	unpacker_free(*u);
}

/* Reads one frame and checks it; *ret_raw is valid until the next call. */
int frame_read(struct unpacker *, int fd, const struct frame *, size_t number,
	const uint8_t **ret_raw, struct err *);
/* The same from memory; `stored` holds frame->stored_bytes. */
int frame_unpack(struct unpacker *, const uint8_t *stored, const struct frame *, size_t number,
	const uint8_t **ret_raw, struct err *);

#endif

/*
 * The image: what a checkpoint leaves on disk. doc/format.md is normative.
 *
 * Content (memory pages, shared memory, content of deleted files) lives in
 * numbered address spaces; a byte is named by (space, address). Content is cut
 * into frames of at most IMAGE_FRAME_BYTES, each compressed, checksummed and
 * written by one of several worker threads. Pages that hold only zeros are
 * never stored: a reader treats what is absent as zero (anonymous memory) or
 * as what the file holds (private file mappings).
 *
 * Subtle: for a private file mapping a changed page that became all zero must
 * be told from an unchanged one; runs of such mappings are added with
 * IMAGE_KEEP_ZERO.
 *
 * The reader trusts nothing: every length is bounded before it is believed.
 */
#ifndef CRAGON_IMAGE_IMAGE_H
#define CRAGON_IMAGE_IMAGE_H

#include "base/err.h"
#include "image/format.pb-c.h"

#include <stdbool.h>

#define IMAGE_FORMAT_MAJOR 1
#define IMAGE_FORMAT_MINOR 1
#define IMAGE_FRAME_BYTES (1024u * 1024u)

/* ---- writing ---------------------------------------------------------- */

struct image_writer;

struct image_writer_options {
	int workers; /* 0: one per CPU this process may use, negative: none, submit does the work */
	bool raw;    /* --compress none */
	int level;   /* zstd level, 0: adapts; frames that do not shrink are stored raw */
};

enum { IMAGE_KEEP_ZERO = 1 };

/* `bytes` consecutive bytes of a buffer that belong at (space, address).
 * address is page-aligned; bytes is a multiple of the page size except for the
 * last run of a file's content. */
struct image_run {
	uint32_t space;
	uint32_t flags;
	uint64_t address;
	uint64_t bytes;
};

/* Starts workers that write into the directory `dirfd` (borrowed). */
int image_writer_open(
	struct image_writer **ret, int dirfd, const struct image_writer_options *, struct err *);

/* A buffer of IMAGE_FRAME_BYTES to fill; waits until a worker has freed one. One
 * thread fills buffers, and holds one at a time: there may be no second. NULL
 * after a worker failed: image_writer_finish() tells why. */
uint8_t *image_writer_buffer(struct image_writer *);

/* Hands the buffer back with what it holds, runs in the order of the bytes.
 * Ownership of the buffer returns to the writer. nruns 0 just gives it back. */
int image_writer_submit(
	struct image_writer *, uint8_t *buffer, const struct image_run *runs, size_t nruns);

/* Convenience for small content: copies `data` in. */
int image_writer_add(struct image_writer *, uint32_t space, uint64_t address, uint32_t flags,
	const void *data, size_t bytes);

/* true once a worker has failed (disk full…): the caller may stop early. */
bool image_writer_failed(const struct image_writer *);

struct image_totals {
	uint64_t memory_bytes; /* content given to the writer, zero pages included */
	uint64_t stored_bytes; /* bytes of all files of the image */
	uint64_t zero_bytes;   /* not stored because zero */
	uint64_t frames;
};

/* Waits for the workers, writes index and metadata, fsyncs everything. After
 * this only checkpoint_info is missing. Safe to call after a failure: reports it. */
int image_writer_finish(
	struct image_writer *, const Cragon__Image *meta, struct image_totals *ret, struct err *);
void image_writer_free(struct image_writer *); /* also aborts; NULL is fine */

/* ---- checkpoint_info, the manifest: written last ----------------------- */

struct image_info {
	uint64_t number;
	uint64_t parent; /* 0: none */
	char **command;  /* NULL-terminated */
	char *directory;
	char *hostname;
	char *user;
	uint64_t timestamp_ns; /* CLOCK_REALTIME */
	uint64_t processes, threads;
	uint64_t memory_bytes, stored_bytes;
	uint64_t pause_ns, duration_ns;
	char *snapshot;    /* "stop" */
	char *compression; /* "zstd" or "none" */
	char *reason;      /* "periodic", "request", "signal", "stop"… */
	char *kernel;
	char *cpu_features;
	char *engine; /* "cragon VERSION" */
	char *format_version;
	char *checksum; /* XXH3-128 over the digests of all files, hex */
};

void image_info_done(struct image_info *);

/* Writes DIR/checkpoint_info with the digest of every file, fsyncs file and
 * directory. Fills in info->checksum and info->format_version. */
int image_info_write(int dirfd, struct image_info *info, struct err *);
/* Reads and checks its shape (not the other files' digests). */
int image_info_read(int dirfd, struct image_info *ret, struct err *);
/* The same object as JSON text, for listings. Caller frees with buf_done(). */
struct buf;
int image_info_json(const struct image_info *, struct buf *out);

/* ---- reading ------------------------------------------------------------ */

struct image;

/* `path` is the image directory. Reads metadata and index, checks their
 * checksums; frames are checked as they are read. BAD_IMAGE, NEWER_IMAGE. */
int image_open(struct image **ret, const char *path, struct err *);
void image_close(struct image *); /* NULL is fine */

const Cragon__Image *image_meta(const struct image *);
const struct image_info *image_get_info(const struct image *);
int image_dirfd(const struct image *); /* borrowed */

/* Bytes of content that image_each() gives for one space. */
uint64_t image_space_bytes(const struct image *, uint32_t space);

/* Calls `each` for every stored run, from `workers` threads at once (0: one
 * per CPU), frame by frame in no particular order. `each` returns 0 or a
 * negative errno with *err filled, which ends the walk and is returned. */
typedef int image_each_fn(
	void *ctx, uint32_t space, uint64_t address, const uint8_t *data, size_t bytes, struct err *);
int image_each(struct image *, int workers, image_each_fn *each, void *ctx, struct err *);

/* Every checksum: files against the manifest, every frame, the index's bounds. */
int image_verify(const char *path, struct err *);

#endif

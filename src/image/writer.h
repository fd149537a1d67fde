/*
 * The image writer's inside, shared by writer.c (buffers), worker.c (packing,
 * writing) and finish.c (index, metadata, fsync); and the two helpers for threads that the
 * reader uses as well.
 */
#ifndef CRAGON_IMAGE_WRITER_H
#define CRAGON_IMAGE_WRITER_H

#include "image/frame.h"
#include "image/layout.h"

#include <pthread.h>
#include <stdatomic.h>

#define WRITER_MAX_WORKERS 32
#define WRITER_MAX_SLOTS (2 * WRITER_MAX_WORKERS + 2)

struct slot { /* a buffer: idle, with the producer, queued, or with a worker */
	uint8_t *buffer;
	struct image_run *runs;
	size_t nruns;
	struct slot *next;
};

struct worker {
	struct image_writer *writer;
	struct packer *packer;
	pthread_t thread;
};

#define IMAGE_LEVEL_FASTEST (-3) /* where the adaptive zstd level begins */

struct image_writer {
	int dirfd; /* borrowed */
	int pages_fd;
	struct image_writer_options options;
	struct worker workers[WRITER_MAX_WORKERS];
	int nworkers; /* 0: the producer does the work itself */
	struct slot slots[WRITER_MAX_SLOTS];
	size_t nslots;

	/* Content of image_writer_add() that waits for a full buffer; the producer's own. */
	uint8_t *pending;
	size_t pending_bytes;
	struct image_run pending_runs[256];
	size_t npending_runs;

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t queued, freed;
	struct slot *idle, *queue, **queue_end;
	bool closing, finished;
	atomic_bool failed; /* also read without the lock; `err` is fixed once it is true */
	struct err err;
	struct index index;
	size_t frames_cap, extents_cap;
	uint64_t memory_bytes, zero_bytes;
	int level;
	uint64_t io_ns, pack_ns; /* since the last look at the level */
};

/* Keeps the first failure. */
void writer_fail(struct image_writer *, const struct err *);
/* A failed write of one of the image's files, with what to do about it. */
int writer_write_error(struct err *, int code, const char *name);
/* Runs one buffer through, or drops it once something has failed. */
void writer_process(struct image_writer *, struct packer *, struct slot *);
void *writer_worker_main(void *worker);
/* Works off the queue and joins the workers. */
void writer_stop(struct image_writer *);

static inline void image_writer_free_p(struct image_writer **w)
{
	image_writer_free(*w);
	*w = NULL;
}

/* Worker threads to use: `asked`, or for 0 one per CPU this process may use;
 * negative: none, the caller does the work. */
int image_worker_count(int asked);
/* A thread with a small stack and all signals blocked. Returns 0 or -errno. */
int image_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg);

#endif

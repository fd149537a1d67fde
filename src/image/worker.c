/*
 * What a worker does with a full buffer: drop zero pages, pack, reserve the
 * next stretch of pages.dat under the lock, write it outside of the lock, into
 * the page cache only: the job is held meanwhile, the sync comes afterwards.
 *
 * The adaptive level is reconsidered every 16 MiB: when the workers spent more
 * time in writing than in packing, the disk is the slower one and packing
 * harder is free; when writing took less than a quarter, the level goes back,
 * to where packing is nearly as fast as the disk (bench/README.md): the job is
 * held meanwhile.
 *
 * Workers block all signals: they are the supervisor's business, and a file
 * size limit is then an EFBIG and no SIGXFSZ.
 */
#include "image/writer.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#define WRITER_STACK_BYTES (512u * 1024)
#define ADAPT_BYTES (16 * MIB) /* how often the level is reconsidered */
#define LEVEL_MAX 3

int image_worker_count(int asked)
{
	cpu_set_t set;
	int n = asked;

	if (n == 0)
		n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	return MAX(0, MIN(n, WRITER_MAX_WORKERS));
}

int image_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int r = -pthread_attr_init(&attr);

	if (r < 0)
		return r;
	pthread_attr_setstacksize(&attr, WRITER_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(ret, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

/* Called with the lock held, once per ADAPT_BYTES reserved. */
static void adapt_level(struct image_writer *w)
{
	int step = w->io_ns > w->pack_ns ? 1 : w->io_ns < w->pack_ns / 4 ? -1 : 0;
	int level = w->level + step;

	if (level == 0)
		level = step; /* zstd has no level 0 */
	if (w->options.level == 0)
		w->level = MIN(MAX(level, IMAGE_LEVEL_FASTEST), LEVEL_MAX);
	w->io_ns = w->pack_ns = 0;
}

/* Room for one more frame and `more` more extents. */
static int grow_index(struct image_writer *w, size_t more)
{
	struct index *x = &w->index;

	if (x->nframes >= IMAGE_MAX_FRAMES || x->nextents + more > IMAGE_MAX_EXTENTS)
		return -EOVERFLOW;
	if (x->nframes == w->frames_cap) {
		size_t cap = w->frames_cap ? 2 * w->frames_cap : 256;
		struct frame *grown = realloc(x->frames, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		x->frames = grown;
		w->frames_cap = cap;
	}
	if (x->nextents + more > w->extents_cap) {
		size_t cap = MAX(2 * w->extents_cap, x->nextents + more + 1024);
		struct extent *grown = realloc(x->extents, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		x->extents = grown;
		w->extents_cap = cap;
	}
	return 0;
}

/* Takes the next place in the file for a packed frame and notes its extents. */
static int reserve(struct image_writer *w, struct frame *f, struct compacted *c)
{
	struct index *x = &w->index;
	uint64_t chunk = x->pages_bytes / ADAPT_BYTES;
	int r = grow_index(w, c->n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n; i++) {
		if (c->extents[i].frame != IMAGE_NO_FRAME)
			c->extents[i].frame = (uint32_t)x->nframes;
		x->extents[x->nextents++] = c->extents[i];
	}
	w->zero_bytes += c->zero_bytes;
	if (!f->raw_bytes) /* nothing but zeros */
		return 0;
	f->offset = x->pages_bytes;
	x->pages_bytes += align_up(f->stored_bytes, IMAGE_ALIGN_BYTES);
	x->frames[x->nframes++] = *f;
	if (x->pages_bytes / ADAPT_BYTES != chunk)
		adapt_level(w);
	return 0;
}

/* Into the page cache only. Starting the write-back here would make the workers
 * wait for the disk while the job is held (measured: 1 GiB held for 0.4 s
 * without, 3 s with it); finishing syncs, when the job runs again. */
static int store(struct image_writer *w, const struct frame *f, uint8_t *stored)
{
	size_t padded = align_up(f->stored_bytes, IMAGE_ALIGN_BYTES);

	memset(stored + f->stored_bytes, 0, padded - f->stored_bytes);
	return io_pwrite(w->pages_fd, stored, padded, (off_t)f->offset);
}

static int encode_slot(struct image_writer *w, struct packer *k, struct slot *s)
{
	cleanup(compacted_done) struct compacted c = {0};
	struct frame f = {0};
	uint8_t *stored = NULL;
	uint64_t begin = now_mono_ns(), packed, written;
	int r, level;

	r = frame_compact(s->buffer, s->runs, s->nruns, &c);
	if (r < 0)
		return r;
	pthread_mutex_lock(&w->lock);
	level = w->options.raw ? 0 : w->level;
	pthread_mutex_unlock(&w->lock);
	if (c.bytes) {
		r = frame_pack(k, level, s->buffer, c.bytes, &f, &stored);
		if (r < 0)
			return r;
	}
	packed = now_mono_ns();
	pthread_mutex_lock(&w->lock);
	r = reserve(w, &f, &c);
	pthread_mutex_unlock(&w->lock);
	if (r == 0 && f.raw_bytes)
		r = store(w, &f, stored);
	written = now_mono_ns();
	pthread_mutex_lock(&w->lock);
	w->pack_ns += packed - begin;
	w->io_ns += written - packed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

void writer_process(struct image_writer *w, struct packer *k, struct slot *s)
{
	struct err e;

	if (!atomic_load(&w->failed)) {
		int r = encode_slot(w, k, s);

		if (r < 0) {
			writer_write_error(&e, r, IMAGE_PAGES_NAME);
			writer_fail(w, &e);
		}
	}
	free(s->runs);
	s->runs = NULL;
	pthread_mutex_lock(&w->lock);
	s->next = w->idle;
	w->idle = s;
	pthread_cond_signal(&w->freed);
	pthread_mutex_unlock(&w->lock);
}

void *writer_worker_main(void *arg)
{
	struct worker *me = arg;
	struct image_writer *w = me->writer;

	for (;;) {
		struct slot *s;

		pthread_mutex_lock(&w->lock);
		while (!w->queue && !w->closing)
			pthread_cond_wait(&w->queued, &w->lock);
		s = w->queue;
		if (s) {
			w->queue = s->next;
			if (!w->queue)
				w->queue_end = &w->queue;
		}
		pthread_mutex_unlock(&w->lock);
		if (!s)
			return NULL;
		writer_process(w, me->packer, s);
	}
}

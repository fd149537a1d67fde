/*
 * The image writer: a producer fills buffers, workers turn each into a frame
 * and write it. Memory is bounded: two buffers per worker and two more, plus a
 * packing buffer per worker.
 *
 * A worker drops zero pages, packs, reserves the next stretch of pages.dat
 * under the lock and writes it outside of the lock. Every 16 MiB it asks the
 * kernel to begin writing what has come together, so that the fsync at the end
 * is short.
 *
 * The adaptive level looks at the same 16 MiB: when the workers spent more
 * time in writing than in packing, the disk is the slower one and packing
 * harder is free; when writing took less than a quarter, the level goes back.
 *
 * The first failure is kept and everything afterwards is thrown away; workers
 * go on taking buffers, so that the producer never waits for ever. Workers
 * block all signals: a file size limit is then an EFBIG and no SIGXFSZ.
 */
#include "image/writer.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#define WRITER_STACK_BYTES (512u * 1024)
#define WRITEBACK_BYTES (16 * MIB)
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

void writer_fail(struct image_writer *w, const struct err *e)
{
	pthread_mutex_lock(&w->lock);
	if (!atomic_load(&w->failed)) {
		w->err = *e;
		atomic_store(&w->failed, true);
	}
	pthread_cond_broadcast(&w->freed);
	pthread_mutex_unlock(&w->lock);
}

int writer_write_error(struct err *e, int code, const char *name)
{
	if (code == -ENOSPC || code == -EDQUOT)
		return err_sys(
			e, code, "cannot write %s, free space or use another directory (-w)", name);
	if (code == -EFBIG)
		return err_sys(
			e, code, "cannot write %s, raise the file size limit (ulimit -f)", name);
	return err_sys(e, code, "cannot write %s", name);
}

/* Called with the lock held, once per WRITEBACK_BYTES reserved. */
static void adapt_level(struct image_writer *w)
{
	if (w->options.level == 0) {
		if (w->io_ns > w->pack_ns)
			w->level = MIN(w->level + 1, LEVEL_MAX);
		else if (w->io_ns < w->pack_ns / 4)
			w->level = MAX(w->level - 1, 1);
	}
	w->io_ns = w->pack_ns = 0;
}

/* Takes the next place in the file for a packed frame and notes its extents.
 * *ret_flush is where a stretch to write back begins, or -1. */
static int reserve(struct image_writer *w, struct frame *f, struct compacted *c, off_t *ret_flush)
{
	struct index *x = &w->index;
	uint64_t chunk;

	*ret_flush = -1;
	if (f->raw_bytes) {
		if (x->nframes >= IMAGE_MAX_FRAMES)
			return -EOVERFLOW;
		if (x->nframes == w->frames_cap) {
			size_t cap = w->frames_cap ? 2 * w->frames_cap : 256;
			struct frame *grown = realloc(x->frames, cap * sizeof *grown);

			if (!grown)
				return -ENOMEM;
			x->frames = grown;
			w->frames_cap = cap;
		}
	}
	if (x->nextents + c->n > w->extents_cap) {
		size_t cap = MAX(2 * w->extents_cap, x->nextents + c->n + 1024);
		struct extent *grown = realloc(x->extents, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		x->extents = grown;
		w->extents_cap = cap;
	}
	for (size_t i = 0; i < c->n; i++) {
		if (c->extents[i].frame != IMAGE_NO_FRAME)
			c->extents[i].frame = (uint32_t)x->nframes;
		x->extents[x->nextents++] = c->extents[i];
	}
	w->zero_bytes += c->zero_bytes;
	if (!f->raw_bytes)
		return 0;
	chunk = x->pages_bytes / WRITEBACK_BYTES;
	f->offset = x->pages_bytes;
	x->pages_bytes += align_up(f->stored_bytes, IMAGE_ALIGN_BYTES);
	x->frames[x->nframes++] = *f;
	if (x->pages_bytes / WRITEBACK_BYTES != chunk) {
		*ret_flush = (off_t)(chunk * WRITEBACK_BYTES);
		adapt_level(w);
	}
	return 0;
}

static int store(struct image_writer *w, const struct frame *f, uint8_t *stored, off_t flush)
{
	size_t padded = align_up(f->stored_bytes, IMAGE_ALIGN_BYTES);
	int r;

	memset(stored + f->stored_bytes, 0, padded - f->stored_bytes);
	r = io_pwrite(w->pages_fd, stored, padded, (off_t)f->offset);
	if (r < 0)
		return r;
	/* Advice only: some file systems do not have it. */
	if (flush >= 0)
		sync_file_range(w->pages_fd, flush, WRITEBACK_BYTES, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static int encode_slot(struct image_writer *w, struct packer *k, struct slot *s)
{
	cleanup(compacted_done) struct compacted c = {0};
	struct frame f = {0};
	uint8_t *stored = NULL;
	uint64_t begin = now_mono_ns(), packed, written;
	int r, level;
	off_t flush;

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
	r = reserve(w, &f, &c, &flush);
	pthread_mutex_unlock(&w->lock);
	if (r == 0 && f.raw_bytes)
		r = store(w, &f, stored, flush);
	written = now_mono_ns();
	pthread_mutex_lock(&w->lock);
	w->pack_ns += packed - begin;
	w->io_ns += written - packed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* Runs one buffer through, or drops it once something has failed. */
static void process_slot(struct image_writer *w, struct packer *k, struct slot *s)
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

static void *worker_main(void *arg)
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
		process_slot(w, me->packer, s);
	}
}

static int start_workers(struct image_writer *w, int count, struct err *e)
{
	/* One packer too many when all start: it serves the case of none. */
	for (int i = 0; i < MAX(count, 1); i++) {
		struct worker *k = &w->workers[i];
		int r = packer_new(&k->packer);

		if (r < 0)
			return err_sys(e, r, "cannot set up compression");
		k->writer = w;
		if (count == 0)
			break;
		r = image_thread_start(&k->thread, worker_main, k);
		/* A limit on threads: go on with those that started, in the worst case in the
		 * caller's own. */
		if (r < 0)
			break;
		w->nworkers++;
	}
	w->nslots = 2 * (size_t)w->nworkers + 2;
	for (size_t i = 0; i < w->nslots; i++) {
		w->slots[i].next = w->idle;
		w->idle = &w->slots[i];
	}
	return 0;
}

int image_writer_open(
	struct image_writer **ret, int dirfd, const struct image_writer_options *o, struct err *e)
{
	cleanup(image_writer_free_p) struct image_writer *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return err_sys(e, -ENOMEM, "cannot start writing an image");
	w->pages_fd = -1;
	w->queue_end = &w->queue;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->queued, NULL);
	pthread_cond_init(&w->freed, NULL);
	w->options = *o;
	w->level = o->level ? o->level : 1;
	w->dirfd = dirfd;
	w->pages_fd = openat(dirfd, IMAGE_PAGES_NAME,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->pages_fd < 0)
		return err_sys(e, -errno, "cannot create " IMAGE_PAGES_NAME);
	r = start_workers(w, image_worker_count(o->workers), e);
	if (r < 0)
		return r;
	*ret = steal_ptr(&w);
	return 0;
}

uint8_t *image_writer_buffer(struct image_writer *w)
{
	struct slot *s = NULL;
	struct err e;

	pthread_mutex_lock(&w->lock);
	while (!w->idle && !atomic_load(&w->failed))
		pthread_cond_wait(&w->freed, &w->lock);
	if (!atomic_load(&w->failed)) {
		s = w->idle;
		w->idle = s->next;
	}
	pthread_mutex_unlock(&w->lock);
	if (!s)
		return NULL;
	if (!s->buffer)
		s->buffer = aligned_alloc(CRAGON_PAGE_BYTES, IMAGE_FRAME_BYTES);
	if (!s->buffer) {
		err_sys(&e, -ENOMEM, "cannot allocate a buffer for the image");
		writer_fail(w, &e);
	}
	return s->buffer;
}

static int check_runs(const struct image_run *runs, size_t nruns, uint64_t *ret_bytes)
{
	uint64_t total = 0;

	for (size_t i = 0; i < nruns; i++) {
		if (runs[i].bytes == 0 || runs[i].bytes > IMAGE_FRAME_BYTES - total)
			return -EINVAL;
		if (runs[i].address % CRAGON_PAGE_BYTES || runs[i].address >= IMAGE_MAX_ADDRESS ||
			runs[i].bytes > IMAGE_MAX_ADDRESS - runs[i].address)
			return -EINVAL;
		total += runs[i].bytes;
	}
	*ret_bytes = total;
	return 0;
}

/* Puts a filled slot at the end of the queue, or works on it here and now. */
static void enqueue(struct image_writer *w, struct slot *s, uint64_t bytes)
{
	s->next = NULL;
	pthread_mutex_lock(&w->lock);
	w->memory_bytes += bytes;
	if (w->nworkers) {
		*w->queue_end = s;
		w->queue_end = &s->next;
		pthread_cond_signal(&w->queued);
	}
	pthread_mutex_unlock(&w->lock);
	if (!w->nworkers)
		process_slot(w, w->workers[0].packer, s);
}

int image_writer_submit(
	struct image_writer *w, uint8_t *buffer, const struct image_run *runs, size_t nruns)
{
	struct slot *s = NULL;
	struct err e;
	uint64_t bytes = 0;
	int r;

	for (size_t i = 0; i < w->nslots && !s; i++)
		if (buffer && w->slots[i].buffer == buffer)
			s = &w->slots[i];
	if (!s)
		return -EINVAL;
	r = check_runs(runs, nruns, &bytes);
	if (r == 0 && nruns) {
		s->runs = malloc(nruns * sizeof *runs);
		if (s->runs)
			memcpy(s->runs, runs, nruns * sizeof *runs);
		else
			r = -ENOMEM;
	}
	if (r < 0) {
		err_sys(&e, r, "a piece of memory cannot be put into the image");
		writer_fail(w, &e);
	}
	s->nruns = r < 0 ? 0 : nruns;
	enqueue(w, s, bytes);
	return r < 0 ? r : atomic_load(&w->failed) ? w->err.code : 0;
}

static int flush_pending(struct image_writer *w)
{
	uint8_t *buffer = w->pending;
	size_t n = w->npending_runs;

	if (!buffer)
		return 0;
	w->pending = NULL;
	w->pending_bytes = w->npending_runs = 0;
	return image_writer_submit(w, buffer, w->pending_runs, n);
}

int image_writer_add(struct image_writer *w, uint32_t space, uint64_t address, uint32_t flags,
	const void *data, size_t bytes)
{
	const uint8_t *p = data;

	while (bytes) {
		size_t room = IMAGE_FRAME_BYTES - w->pending_bytes;
		size_t n = bytes <= room ? bytes : room / CRAGON_PAGE_BYTES * CRAGON_PAGE_BYTES;

		if (n == 0 || w->npending_runs == ARRAY_LEN(w->pending_runs)) {
			int r = flush_pending(w);

			if (r < 0)
				return r;
			continue;
		}
		if (!w->pending)
			w->pending = image_writer_buffer(w);
		if (!w->pending)
			return w->err.code;
		memcpy(w->pending + w->pending_bytes, p, n);
		w->pending_runs[w->npending_runs++] = (struct image_run){space, flags, address, n};
		w->pending_bytes += n;
		address += n;
		p += n;
		bytes -= n;
	}
	return 0;
}

bool image_writer_failed(const struct image_writer *w)
{
	return atomic_load(&w->failed);
}

void writer_stop(struct image_writer *w)
{
	flush_pending(w);
	pthread_mutex_lock(&w->lock);
	w->closing = true;
	pthread_cond_broadcast(&w->queued);
	pthread_mutex_unlock(&w->lock);
	for (int i = 0; i < w->nworkers; i++)
		pthread_join(w->workers[i].thread, NULL);
	w->nworkers = 0;
}

void image_writer_free(struct image_writer *w)
{
	struct err aborted;

	if (!w)
		return;
	err_set(&aborted, -ECANCELED, WHY_INTERRUPTED, "the checkpoint was given up");
	writer_fail(w, &aborted); /* what is still queued is dropped, not written */
	writer_stop(w);
	for (size_t i = 0; i < ARRAY_LEN(w->workers); i++)
		packer_free(w->workers[i].packer);
	for (size_t i = 0; i < w->nslots; i++)
		free(w->slots[i].buffer);
	index_done(&w->index);
	close_p(&w->pages_fd);
	pthread_cond_destroy(&w->queued);
	pthread_cond_destroy(&w->freed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/*
 * The image writer's front: buffers go round between a producer, who fills
 * them, and workers (worker.c). Memory is bounded: two buffers per worker and
 * two more, plus a packing buffer per worker.
 *
 * The first failure is kept and everything afterwards is thrown away; workers
 * go on taking buffers, so that the producer never waits for ever.
 */
#include "image/writer.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

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
		r = image_thread_start(&k->thread, writer_worker_main, k);
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
	w->level = o->level ? o->level : IMAGE_LEVEL_FASTEST;
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
		writer_process(w, w->workers[0].packer, s);
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

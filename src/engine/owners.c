/*
 * Owners of locks, where a job could not get its old thread ids back (no PID
 * namespace): see restore.h.
 *
 * glibc's mutexes and read-write locks hold the id of the thread that has
 * them, and unlocking looks at it: a read-write lock whose writer is not found
 * to be the caller is unlocked as if by a reader, which breaks it for ever. libc
 * has such locks of its own (setlocale, dlopen), held for microseconds. So the
 * image's memory is searched for ids of the process's threads, and where what
 * surrounds one is a held lock, the new id takes its place.
 *
 * The shapes are those of glibc 2.17 to 2.41 on x86-64 (struct_mutex.h,
 * struct_rwlock.h), which cannot change: programs are compiled with them. Left
 * out: locks shared between processes, those of other C libraries, and ids that
 * a program stored by itself.
 */
#include "engine/restore.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>

#define MUTEX_ROBUST 16
#define MUTEX_PRIO_INHERIT 32
#define MUTEX_KIND_MAX 0x1ff
#define RWLOCK_WRLOCKED 2u /* in `readers` */
#define RWLOCK_FUTEX_MAX 3u

struct mutex_shape { /* pthread_mutex_t from its start */
	uint32_t lock, count, owner, users, kind;
};

struct rwlock_shape { /* pthread_rwlock_t */
	uint32_t readers, writers, wrphase_futex, writers_futex, pad[2], writer, shared;
};

struct owners {
	const struct restore *r;
	pid_t **now;		/* per process: today's ids, in the order of its threads */
	uint8_t (*maybe)[8192]; /* per process: a bit for the lower half of each old id */
};

static bool patch_mutex(pid_t pid, taddr owner_at, uint32_t old, uint32_t now)
{
	taddr at = owner_at - offsetof(struct mutex_shape, owner);
	struct mutex_shape m;
	bool by_id;

	if (tracee_read(pid, at, &m, sizeof m) < 0)
		return false;
	by_id = (m.lock & FUTEX_TID_MASK) == old && (m.kind & (MUTEX_ROBUST | MUTEX_PRIO_INHERIT));
	if (m.owner != old || m.kind > MUTEX_KIND_MAX || m.users == 0 ||
		!(by_id || m.lock == 1 || m.lock == 2))
		return false;
	m.owner = now;
	if (by_id)
		m.lock = (m.lock & ~(uint32_t)FUTEX_TID_MASK) | now;
	return tracee_write(pid, at, &m, offsetof(struct mutex_shape, users)) == 0;
}

static bool patch_rwlock(pid_t pid, taddr writer_at, uint32_t old, uint32_t now)
{
	taddr at = writer_at - offsetof(struct rwlock_shape, writer);
	struct rwlock_shape l;

	if (tracee_read(pid, at, &l, sizeof l) < 0)
		return false;
	if (l.writer != old || !(l.readers & RWLOCK_WRLOCKED) || l.shared > 1 ||
		l.wrphase_futex > RWLOCK_FUTEX_MAX || l.writers_futex > RWLOCK_FUTEX_MAX)
		return false;
	return tracee_write(pid, writer_at, &now, sizeof now) == 0;
}

static int search_run(void *ctx, uint32_t space, uint64_t address, const uint8_t *data,
	size_t bytes, struct err *e)
{
	const struct owners *o = ctx;
	const struct restored *p;
	size_t index;

	if (space < o->r->meta->n_shared || space - o->r->meta->n_shared >= o->r->meta->n_process)
		return 0;
	index = space - o->r->meta->n_shared;
	p = &o->r->processes[index];
	for (size_t i = 0; o->now[index] && i + 4 <= bytes; i += 4) {
		uint32_t word;

		memcpy(&word, data + i, 4);
		if (!(o->maybe[index][(word & 0xffff) / 8] & 1u << word % 8))
			continue;
		for (size_t k = 0; k < p->n_threads; k++) {
			uint32_t old = (uint32_t)p->process->thread[k]->tid;
			uint32_t now = (uint32_t)o->now[index][k];

			if (word == old && !patch_mutex(p->threads[0].pid, address + i, old, now))
				(void)patch_rwlock(p->threads[0].pid, address + i, old, now);
		}
	}
	return 0;
}

static void owners_done(struct owners *o)
{
	for (size_t i = 0; o->now && i < o->r->meta->n_process; i++)
		free(o->now[i]);
	free(o->now);
	free(o->maybe);
}

static int list_ids(struct owners *o, size_t index)
{
	const struct restored *p = &o->r->processes[index];
	pid_t *now = malloc((p->n_threads + 1) * sizeof *now);

	if (!now)
		return -ENOMEM;
	for (size_t k = 0; k < p->n_threads; k++) {
		uint32_t old = (uint32_t)p->process->thread[k]->tid;

		now[k] = p->threads[k].tid;
		o->maybe[index][(old & 0xffff) / 8] |= (uint8_t)(1u << old % 8);
	}
	o->now[index] = now;
	return 0;
}

int restore_owners(struct restore *r, struct err *e)
{
	cleanup(owners_done) struct owners o = {.r = r};
	int n = 0;

	if (r->choose_ids)
		return 0;
	o.now = calloc(r->meta->n_process, sizeof *o.now);
	o.maybe = calloc(r->meta->n_process, sizeof *o.maybe);
	if (!o.now || !o.maybe)
		return err_sys(e, -ENOMEM, "restoring locks");
	for (size_t i = 0; n == 0 && i < r->meta->n_process; i++)
		if (r->meta->process[i]->state != CRAGON__PROCESS__STATE__ZOMBIE)
			n = list_ids(&o, i);
	if (n < 0)
		return err_sys(e, n, "restoring locks");
	return image_each(r->image, 0, search_run, &o, e);
}

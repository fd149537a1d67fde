/*
 * Address spaces: see restore.h. The process executes its original program, so
 * that /proc/PID/exe is right, and is stopped before the first instruction;
 * then everything is unmapped except the kernel's own areas, and the areas of
 * the image are mapped where they were.
 *
 * The vdso and its data pages move together: to a parking place while the old
 * addresses may be taken, then to where the image had them, so that pointers
 * the program keeps stay good. With another vdso (another kernel), the new one
 * stays parked and the old place gets jump stubs.
 */
#include "engine/restore.h"
#include "sys/procfs.h"
#include "tracee/arch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PARKING_BYTES (128 * 1024ull)
#define AREAS_MAX 64

struct area {
	uint64_t start, end;
	bool kernel; /* vvar, vdso */
	bool vdso;
};

static bool is_kernel_kind(Cragon__Vma__Kind kind)
{
	return kind == CRAGON__VMA__KIND__VDSO || kind == CRAGON__VMA__KIND__VVAR;
}

/* What execve left: program, loader, stack, vdso. */
static int list_areas(pid_t pid, struct area areas[AREAS_MAX])
{
	cleanup_buf struct buf text = {0};
	struct proc_vma v;
	char *cursor;
	int n = 0, r = proc_read(pid, "maps", &text);

	if (r < 0)
		return r;
	for (cursor = text.data; (r = proc_next_vma(&cursor, &v)) > 0;) {
		if (strcmp(v.path, "[vsyscall]") == 0)
			continue;
		if (n == AREAS_MAX)
			return -E2BIG;
		areas[n++] = (struct area){
			.start = v.start,
			.end = v.end,
			.vdso = strcmp(v.path, "[vdso]") == 0,
			.kernel = v.path[0] == '[' && v.path[1] == 'v',
		};
	}
	return r < 0 ? r : n;
}

static bool overlaps(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
	return a < b_end && b < a_end;
}

/* Room that is free both now and in the image. */
static taddr find_room(
	const Cragon__Process *process, const struct area *areas, int n, uint64_t bytes)
{
	const taddr last = 0x7f0000000000ull;
	uint64_t past;

	for (taddr at = 0x200000000000ull; at < last; at = (past / (2 * MIB) + 1) * (2 * MIB)) {
		past = 0;
		for (size_t i = 0; i < process->n_vma && !past; i++)
			if (overlaps(at, at + bytes, process->vma[i]->start, process->vma[i]->end))
				past = MIN(process->vma[i]->end, last);
		for (int i = 0; i < n && !past; i++)
			if (overlaps(at, at + bytes, areas[i].start, areas[i].end))
				past = MIN(areas[i].end, last);
		if (!past)
			return at;
	}
	return 0;
}

int restore_exec(struct restore *r, struct restored *p, struct err *e)
{
	struct tracee *t = &p->threads[0];
	taddr data = p->scratch + SCRATCH_DATA;
	/* argv = { path, NULL }, envp = { NULL }; nobody will read them. */
	uint64_t vectors[3] = {data + sizeof vectors, 0, 0};
	const char *exe = outputs_now(&r->outputs, p->process->exe);
	int n = scratch_put(p, SCRATCH_DATA, vectors, sizeof vectors);

	if (n == 0)
		n = scratch_put(p, SCRATCH_DATA + sizeof vectors, exe, strlen(exe) + 1);
	if (n == 0)
		n = tracee_exec(t, data + sizeof vectors, data, data + 16);
	if (n < 0)
		return err_sys(
			e, n, "cannot execute %s for process %d", p->process->exe, p->process->pid);
	return tracee_refresh(t, e);
}

static int move_area(struct tracee *t, const struct area *a, int64_t delta)
{
	uint64_t len = a->end - a->start, to = a->start + (uint64_t)delta;
	long n;

	if (delta == 0)
		return 0;
	n = tracee_call(t, SYS_mremap, a->start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (n < 0)
		return (int)n;
	if (a->vdso)
		t->gadget += (uint64_t)delta;
	return 0;
}

/* Moves the kernel's areas so that the first of them starts at `to`. */
static int move_kernel_areas(struct tracee *t, struct area *areas, int n, uint64_t to)
{
	uint64_t first = UINT64_MAX;

	for (int i = 0; i < n; i++)
		if (areas[i].kernel)
			first = MIN(first, areas[i].start);
	for (int i = 0; i < n; i++) {
		int64_t delta = (int64_t)(to - first);
		int r;

		if (!areas[i].kernel)
			continue;
		r = move_area(t, &areas[i], delta);
		if (r < 0)
			return r;
		areas[i].start += (uint64_t)delta;
		areas[i].end += (uint64_t)delta;
	}
	return 0;
}

/* Only scratch and the kernel's areas, now parked behind it, stay. */
static int clear_space(struct restored *p, struct area *areas, int n, struct err *e)
{
	struct tracee *t = &p->threads[0];
	taddr room = find_room(p->process, areas, n, SCRATCH_BYTES + PARKING_BYTES);
	long k;
	int r;

	if (!room)
		return err_set(e, -ENOMEM, WHY_SYSTEM, "process %d leaves no free addresses",
			p->process->pid);
	k = tracee_call(t, SYS_mmap, room, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);
	if (k < 0)
		return err_sys(e, (int)k, "process %d: no scratch memory", p->process->pid);
	p->scratch = room;
	r = move_kernel_areas(t, areas, n, room + SCRATCH_BYTES);
	for (int i = 0; r == 0 && i < n; i++)
		if (!areas[i].kernel)
			r = (int)tracee_call(
				t, SYS_munmap, areas[i].start, areas[i].end - areas[i].start);
	return r < 0 ? err_sys(e, r, "process %d: cannot clear its memory", p->process->pid) : 0;
}

static const Cragon__Vma *first_kernel_vma(const Cragon__Process *process)
{
	for (size_t i = 0; i < process->n_vma; i++)
		if (is_kernel_kind(process->vma[i]->kind))
			return process->vma[i];
	return NULL;
}

/* Same areas in the same order and sizes? Then they can stand in for the old ones. */
static bool same_layout(const Cragon__Process *process, const struct area *areas, int n)
{
	const Cragon__Vma *first = first_kernel_vma(process);
	uint64_t base = 0;
	size_t k = 0;

	if (!first)
		return false;
	while (process->vma[k] != first)
		k++;
	for (int i = 0; i < n; i++) {
		if (!areas[i].kernel)
			continue;
		if (!base)
			base = areas[i].start;
		if (k == process->n_vma || !is_kernel_kind(process->vma[k]->kind) ||
			process->vma[k]->start - first->start != areas[i].start - base ||
			process->vma[k]->end - first->start != areas[i].end - base)
			return false;
		k++;
	}
	return k == process->n_vma || !is_kernel_kind(process->vma[k]->kind);
}

static bool same_code(
	const struct restore *r, const struct restored *p, const struct area *areas, int n)
{
	const ProtobufCBinaryData *old = &r->meta->machine->vdso;

	for (int i = 0; i < n; i++) {
		cleanup_free uint8_t *now = NULL;
		size_t len = areas[i].end - areas[i].start;

		if (!areas[i].vdso)
			continue;
		if (len != old->len || !(now = malloc(len)))
			return false;
		return tracee_read(p->threads[0].pid, areas[i].start, now, len) == 0 &&
		       memcmp(now, old->data, len) == 0;
	}
	return false;
}

/* Old vdso addresses lead to the parked new one. */
static int put_stubs(
	struct restore *r, struct restored *p, const struct area *areas, int n, struct err *e)
{
	const ProtobufCBinaryData *old = &r->meta->machine->vdso;
	cleanup_free uint8_t *code = malloc(old->len + 1), *now = NULL;
	const Cragon__Vma *place = NULL;
	const struct area *vdso = NULL;
	int k = -ENOENT;

	for (size_t i = 0; i < p->process->n_vma; i++)
		if (p->process->vma[i]->kind == CRAGON__VMA__KIND__VDSO)
			place = p->process->vma[i];
	for (int i = 0; i < n; i++)
		if (areas[i].vdso)
			vdso = &areas[i];
	if (!place)
		return 0; /* the program had unmapped it */
	if (!code || !vdso || place->end - place->start != old->len ||
		!(now = malloc(vdso->end - vdso->start)))
		return err_set(e, -EINVAL, WHY_BAD_IMAGE, "the image's vdso is not understood");
	memcpy(code, old->data, old->len);
	k = tracee_read(p->threads[0].pid, vdso->start, now, vdso->end - vdso->start);
	if (k == 0)
		k = vdso_make_stubs(code, old->len, now, vdso->end - vdso->start, vdso->start);
	if (k < 0)
		return err_sys(e, k, "this kernel's vdso cannot stand in for that of kernel %s",
			r->meta->machine->kernel);
	k = (int)MIN(
		0, tracee_call(&p->threads[0], SYS_mmap, place->start, old->len,
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0));
	if (k == 0)
		k = tracee_write(p->threads[0].pid, place->start, code, old->len);
	if (k == 0)
		k = (int)tracee_call(&p->threads[0], SYS_mprotect, place->start, old->len,
			PROT_READ | PROT_EXEC);
	return k < 0 ? err_sys(e, k, "cannot put the vdso's stubs in place") : 0;
}

static int place_vdso(
	struct restore *r, struct restored *p, struct area *areas, int n, struct err *e)
{
	const Cragon__Vma *first = first_kernel_vma(p->process);
	int k;

	if (r->new_vdso || !same_layout(p->process, areas, n) || !same_code(r, p, areas, n))
		return put_stubs(r, p, areas, n, e);
	k = move_kernel_areas(&p->threads[0], areas, n, first->start);
	return k < 0 ? err_sys(e, k, "process %d: cannot put the vdso in place", p->process->pid)
		     : 0;
}

/* ---- mapping ------------------------------------------------------------ */

struct mapper {
	struct restore *r;
	struct restored *p;
	int fd;		  /* open in the process, of: */
	const char *path; /* NULL when none */
	bool writable;
};

static bool is_filled(const Cragon__Vma *vma)
{
	return vma->kind == CRAGON__VMA__KIND__ANONYMOUS ||
	       vma->kind == CRAGON__VMA__KIND__FILE_PRIVATE;
}

/* Filling needs write permission; restore_protect() takes it away again. */
static int first_protection(const Cragon__Vma *vma)
{
	return is_filled(vma) ? PROT_READ | PROT_WRITE : (int)vma->protection;
}

static int open_file(struct mapper *m, const Cragon__Vma *vma, struct err *e)
{
	struct tracee *t = &m->p->threads[0];
	const char *name;
	long fd;
	int n;

	if (m->path && strcmp(m->path, vma->path) == 0 && m->writable == vma->writable_file)
		return 0;
	if (m->path)
		tracee_call(t, SYS_close, (uint64_t)m->fd);
	m->path = NULL;
	name = outputs_now(&m->r->outputs, vma->path);
	n = scratch_put(m->p, SCRATCH_DATA, name, strlen(name) + 1);
	fd = n < 0 ? n
		   : tracee_call(t, SYS_openat, (uint64_t)AT_FDCWD, m->p->scratch + SCRATCH_DATA,
			     (vma->writable_file ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, (int)fd, "cannot map %s again", vma->path);
	m->fd = (int)fd;
	m->path = vma->path;
	m->writable = vma->writable_file;
	return 0;
}

static int map_vma(struct mapper *m, const Cragon__Vma *vma, struct err *e)
{
	uint64_t flags = MAP_FIXED_NOREPLACE, fd = (uint64_t)-1, offset = 0;
	long at;
	int n;

	switch (vma->kind) {
	case CRAGON__VMA__KIND__ANONYMOUS:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
		if (vma->flags & CRAGON__VMA_FLAG__VMA_GROWSDOWN)
			flags |= MAP_GROWSDOWN | MAP_STACK;
		break;
	case CRAGON__VMA__KIND__FILE_PRIVATE:
	case CRAGON__VMA__KIND__FILE_SHARED:
		n = open_file(m, vma, e);
		if (n < 0)
			return n;
		flags |= vma->kind == CRAGON__VMA__KIND__FILE_SHARED ? MAP_SHARED : MAP_PRIVATE;
		fd = (uint64_t)m->fd;
		offset = vma->offset;
		break;
	case CRAGON__VMA__KIND__SHARED:
		flags |= MAP_SHARED;
		fd = (uint64_t)m->r->fd_base + m->r->meta->n_object + vma->shared;
		offset = vma->offset;
		break;
	case CRAGON__VMA__KIND__VDSO:
	case CRAGON__VMA__KIND__VVAR:
	case CRAGON__VMA__KIND__VSYSCALL:
	case _CRAGON__VMA__KIND_IS_INT_SIZE:
	default:
		return 0;
	}
	if (vma->flags & CRAGON__VMA_FLAG__VMA_NORESERVE)
		flags |= MAP_NORESERVE;
	at = tracee_call(&m->p->threads[0], SYS_mmap, vma->start, vma->end - vma->start,
		(uint64_t)first_protection(vma), flags, fd, offset);
	if (at < 0)
		return err_sys(e, (int)at, "process %d: cannot map %llu bytes at %#llx",
			m->p->process->pid, (unsigned long long)(vma->end - vma->start),
			(unsigned long long)vma->start);
	return 0;
}

static int map_all(struct restore *r, struct restored *p, struct err *e)
{
	struct mapper m = {.r = r, .p = p};
	int n = 0;

	for (size_t i = 0; n == 0 && i < p->process->n_vma; i++)
		n = map_vma(&m, p->process->vma[i], e);
	if (m.path)
		tracee_call(&p->threads[0], SYS_close, (uint64_t)m.fd);
	return n;
}

int restore_space(struct restore *r, struct restored *p, struct err *e)
{
	struct area areas[AREAS_MAX];
	int n = list_areas(p->threads[0].pid, areas), k;

	if (n < 0)
		return err_sys(e, n, "process %d: cannot read its memory map", p->process->pid);
	k = clear_space(p, areas, n, e);
	if (k == 0)
		k = place_vdso(r, p, areas, n, e);
	return k < 0 ? k : map_all(r, p, e);
}

/* ---- content ------------------------------------------------------------ */

static int fill_run(void *ctx, uint32_t space, uint64_t address, const uint8_t *data, size_t bytes,
	struct err *e)
{
	const struct restore *r = ctx;
	int n;

	if (space < r->meta->n_shared) {
		ssize_t done = pwrite(r->files.shared[space], data, bytes, (off_t)address);

		n = done == (ssize_t)bytes ? 0 : done < 0 ? -errno : -EIO;
		return n < 0 ? err_sys(e, n, "cannot fill %s", r->meta->shared[space]->path) : 0;
	}
	space -= (uint32_t)r->meta->n_shared;
	if (space >= r->meta->n_process || !r->processes[space].n_threads)
		return err_set(e, -EINVAL, WHY_BAD_IMAGE, "memory of a process that is not there");
	n = tracee_write(r->processes[space].threads[0].pid, address, data, bytes);
	return n < 0 ? err_sys(e, n, "cannot fill memory of process %d at %#llx",
			       r->processes[space].process->pid, (unsigned long long)address)
		     : 0;
}

int restore_fill(struct restore *r, struct err *e)
{
	return image_each(r->image, 0, fill_run, r, e);
}

/* ---- final protection and advice ----------------------------------------- */

static const struct {
	uint32_t flag;
	int advice;
} advices[] = {
	{CRAGON__VMA_FLAG__VMA_DONTFORK, MADV_DONTFORK},
	{CRAGON__VMA_FLAG__VMA_DONTDUMP, MADV_DONTDUMP},
	{CRAGON__VMA_FLAG__VMA_WIPEONFORK, MADV_WIPEONFORK},
	{CRAGON__VMA_FLAG__VMA_HUGEPAGE, MADV_HUGEPAGE},
	{CRAGON__VMA_FLAG__VMA_NOHUGEPAGE, MADV_NOHUGEPAGE},
	{CRAGON__VMA_FLAG__VMA_MERGEABLE, MADV_MERGEABLE},
	{CRAGON__VMA_FLAG__VMA_SEQUENTIAL, MADV_SEQUENTIAL},
	{CRAGON__VMA_FLAG__VMA_RANDOM, MADV_RANDOM},
};

static int finish_vma(struct restored *p, const Cragon__Vma *vma, struct err *e)
{
	struct tracee *t = &p->threads[0];
	uint64_t len = vma->end - vma->start;
	long n = 0;

	if (vma->kind > CRAGON__VMA__KIND__SHARED)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(advices); i++)
		if (vma->flags & advices[i].flag)
			(void)tracee_call(
				t, SYS_madvise, vma->start, len, (uint64_t)advices[i].advice);
	if (vma->flags & CRAGON__VMA_FLAG__VMA_LOCKED)
		(void)tracee_call(t, SYS_mlock, vma->start, len);
	if (first_protection(vma) != (int)vma->protection)
		n = tracee_call(t, SYS_mprotect, vma->start, len, vma->protection);
	return n < 0 ? err_sys(e, (int)n, "process %d: cannot protect memory at %#llx",
			       p->process->pid, (unsigned long long)vma->start)
		     : 0;
}

int restore_protect(struct restored *p, struct err *e)
{
	int n = 0;

	for (size_t i = 0; n == 0 && i < p->process->n_vma; i++)
		n = finish_vma(p, p->process->vma[i], e);
	return n;
}

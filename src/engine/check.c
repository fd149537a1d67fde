/*
 * Before anything is built: is the image meant for this machine, is it sound,
 * and are the files it maps still what they were? See restore.h.
 */
#include "engine/restore.h"
#include "image/saved.h"
#include "sys/procfs.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define ADDRESS_END 0xfffffffffff000ull /* x86-64, 5-level page tables */
#define DESCRIPTOR_MAX (1 << 20)
#define SPARE_DESCRIPTORS 32   /* pipes and the like, while a job is being built */
#define ID_END (1 << 22)       /* PID_MAX_LIMIT of 64-bit kernels */
#define TREE_DEPTH_MAX 1000    /* tree.c descends by calling itself */
#define CLOCK_END (1ull << 62) /* so that differences of clocks do not overflow */

static int bad(struct err *e, const char *what)
{
	return err_set(e, -EINVAL, WHY_BAD_IMAGE, "the image is not sound: %s", what);
}

static int check_machine(const Cragon__Image *m, struct err *e)
{
	struct utsname uts;

	if (!m->machine || !m->clock || !m->tree)
		return bad(e, "machine, clock or tree is missing");
	if (m->clock->realtime_ns > CLOCK_END || m->clock->monotonic_ns > CLOCK_END ||
		m->clock->boottime_ns > CLOCK_END)
		return bad(e, "its clocks are beyond all time");
	if (m->machine->page_bytes != CRAGON_PAGE_BYTES || uname(&uts) < 0 ||
		strcmp(uts.machine, m->machine->architecture) != 0)
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
			"the image was taken on %s; resume it on such a machine",
			m->machine->architecture);
	return 0;
}

/* An object's detail is a union: the kind that will read it has to be the one
 * that it was written for. */
static int check_object(const Cragon__Image *m, const Cragon__Object *o, struct err *e)
{
	const struct kind *kind = kind_by_name(o->kind);

	if (!kind || !kind->make || kind->detail != o->detail_case)
		return err_set(e, -EINVAL, WHY_BAD_IMAGE,
			"the image holds an open file of unknown kind \"%s\"; it may be of a newer "
			"cragon",
			o->kind);
	if (o->detail_case == CRAGON__OBJECT__DETAIL_FILE &&
		(!o->file->identity || o->file->shared > m->n_shared))
		return bad(e, "an open file without identity or content");
	return 0;
}

static int check_vmas(const Cragon__Image *m, const Cragon__Process *p, struct err *e)
{
	uint64_t last = 0;

	for (size_t i = 0; i < p->n_vma; i++) {
		const Cragon__Vma *v = p->vma[i];

		if (v->kind == CRAGON__VMA__KIND__VSYSCALL)
			continue;
		if (v->start < last || v->end <= v->start || v->end > ADDRESS_END ||
			v->start % CRAGON_PAGE_BYTES || v->end % CRAGON_PAGE_BYTES)
			return bad(e, "memory areas overlap or are out of range");
		last = v->end;
		if (v->kind == CRAGON__VMA__KIND__SHARED && v->shared >= m->n_shared)
			return bad(e, "an area of missing shared memory");
		if (v->kind == CRAGON__VMA__KIND__FILE_PRIVATE && !v->identity)
			return bad(e, "a mapped file without identity");
	}
	return 0;
}

static bool is_signal(int sig)
{
	return sig > 0 && sig < _NSIG;
}

/* What it takes from its birth, and leaves at its end. */
static int check_life(const Cragon__Process *p, struct err *e)
{
	int status = p->exit_status;

	/* clone(2) takes both the signal and what is shared from one word. */
	if (p->exit_signal && !is_signal(p->exit_signal))
		return bad(e, "a process that ends with no known signal");
	if (p->pgid < 0 || p->pgid >= ID_END || p->sid < 0 || p->sid >= ID_END)
		return bad(e, "a group or session without id");
	switch (p->state) {
	case CRAGON__PROCESS__STATE__LIVE:
	case CRAGON__PROCESS__STATE__STOPPED:
		return 0;
	case CRAGON__PROCESS__STATE__ZOMBIE:
		if (WIFEXITED(status) || (WIFSIGNALED(status) && is_signal(WTERMSIG(status))))
			return 0;
		return bad(e, "an ended process that did not end");
	case _CRAGON__PROCESS__STATE_IS_INT_SIZE:
	default:
		return bad(e, "a process in an unknown state");
	}
}

static int check_pending(const ProtobufCBinaryData *pending, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (pending[i].len != sizeof(siginfo_t))
			return bad(e, "a pending signal of another size");
	return 0;
}

static int check_threads(const Cragon__Process *p, struct err *e)
{
	if (p->thread[0]->tid != p->pid)
		return bad(e, "a process whose first thread is not the main one");
	for (size_t i = 0; i < p->n_thread; i++) {
		const Cragon__Thread *t = p->thread[i];

		if (t->registers.len != sizeof(struct user_regs_struct) || t->xstate.len < 512 + 64)
			return bad(e, "a thread without registers");
		if (check_pending(t->pending, t->n_pending, e) < 0)
			return e->code;
	}
	return check_pending(p->pending, p->n_pending, e);
}

static int check_process(const Cragon__Image *m, const Cragon__Process *p, struct err *e)
{
	if (p->pid <= 0)
		return bad(e, "a process without id");
	if (check_life(p, e) < 0)
		return e->code;
	if (p->state == CRAGON__PROCESS__STATE__ZOMBIE)
		return 0;
	if (!p->mm || !p->flags || !p->credentials || !p->n_thread || p->credentials->n_uid != 4 ||
		p->credentials->n_gid != 4)
		return bad(e, "a process without memory, threads or user ids");
	for (size_t i = 0; i < p->n_fd; i++)
		if (p->fd[i]->object >= m->n_object || p->fd[i]->number < 0 ||
			p->fd[i]->number >= DESCRIPTOR_MAX)
			return bad(e, "a descriptor of a missing file");
	if (p->n_action >= _NSIG)
		return bad(e, "handlers of more signals than there are");
	if (check_threads(p, e) < 0)
		return e->code;
	if (!p->exe_identity)
		return bad(e, "an executable without identity");
	return check_vmas(m, p, e);
}

/* ---- the tree ------------------------------------------------------------- */

struct known_id {
	int32_t id;
	uint32_t depth; /* generations above a process; unused for other threads */
	size_t index;	/* of its process; SIZE_MAX: no process has this id */
};

static int compare_ids(const void *a, const void *b)
{
	int32_t x = ((const struct known_id *)a)->id, y = ((const struct known_id *)b)->id;

	return (x > y) - (x < y);
}

/* The ids of the reaper and of all threads, ascending. NULL when out of memory. */
static struct known_id *list_ids(const Cragon__Image *m, size_t *ret_n)
{
	size_t n = 1, k = 0;
	struct known_id *ids;

	for (size_t i = 0; i < m->n_process; i++)
		n += MAX(m->process[i]->n_thread, (size_t)1);
	ids = calloc(n, sizeof *ids);
	if (!ids)
		return NULL;
	ids[k++] = (struct known_id){m->tree->reaper_pid, 0, SIZE_MAX};
	for (size_t i = 0; i < m->n_process; i++) {
		ids[k++] = (struct known_id){m->process[i]->pid, 0, i};
		for (size_t t = 1; t < m->process[i]->n_thread; t++)
			ids[k++] = (struct known_id){m->process[i]->thread[t]->tid, 0, SIZE_MAX};
	}
	qsort(ids, n, sizeof *ids, compare_ids);
	*ret_n = n;
	return ids;
}

static struct known_id *find_id(struct known_id *ids, size_t n, int32_t id)
{
	struct known_id key = {.id = id};

	return bsearch(&key, ids, n, sizeof *ids, compare_ids);
}

/* One id for each, and every parent before its children: no circles. */
static int check_tree(const Cragon__Image *m, struct err *e)
{
	cleanup_free struct known_id *ids = NULL;
	size_t n;

	ids = list_ids(m, &n);
	if (!ids)
		return err_sys(e, -ENOMEM, "checking the image");
	if (ids[0].id <= 0 || ids[n - 1].id >= ID_END)
		return bad(e, "a process or thread without id");
	for (size_t i = 1; i < n; i++)
		if (ids[i].id == ids[i - 1].id)
			return bad(e, "two processes or threads have the same id");
	if (m->tree->root_pid && (!find_id(ids, n, m->tree->root_pid) ||
					 find_id(ids, n, m->tree->root_pid)->index == SIZE_MAX))
		return bad(e, "the command is not among its processes");
	for (size_t i = 0; i < m->n_process; i++) {
		struct known_id *self = find_id(ids, n, m->process[i]->pid);
		const struct known_id *parent = find_id(ids, n, m->process[i]->parent);

		if (m->process[i]->parent == m->tree->reaper_pid)
			continue;
		if (!parent || parent->index >= i)
			return bad(e, "a process before its parent, or without one");
		self->depth = parent->depth + 1;
		if (self->depth > TREE_DEPTH_MAX)
			return bad(e, "too many generations of processes");
	}
	return 0;
}

/* Where the job's files wait for their numbers: above all of those, and above
 * all that cragon itself will have open by then. */
static int choose_fd_base(struct restore *r, int highest, struct err *e)
{
	cleanup_free int *own = NULL;
	int n = proc_fds(getpid(), &own);
	size_t top;

	if (n <= 0)
		return err_sys(e, n ? n : -EPROTO, "cannot list our own descriptors");
	top = (size_t)own[n - 1] + r->meta->n_object + r->meta->n_shared + SPARE_DESCRIPTORS;
	if (top > DESCRIPTOR_MAX)
		return bad(e, "more open files than any limit allows");
	r->fd_base = MAX(MAX(highest + 1, (int)top), 900);
	return 0;
}

/* ---- output files ----------------------------------------------------------- */

/* Absolute, and not through "..": it says where a resume writes. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || !path[1])
		return false;
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || !p[3])
			return false;
	return true;
}

static bool is_sound_output(const Cragon__OutputFile *f, size_t index)
{
	if (!f->identity || !is_plain_path(f->path) || f->same > index ||
		f->copy > IMAGE_MAX_SAVED || f->link > IMAGE_MAX_SAVED ||
		f->identity->size > IMAGE_MAX_ADDRESS)
		return false;
	for (size_t i = 0; i < f->n_range; i++)
		if (f->range[i]->offset > f->identity->size ||
			f->range[i]->content.len > f->identity->size - f->range[i]->offset)
			return false;
	return true;
}

static int check_outputs(const Cragon__Outputs *o, struct err *e)
{
	for (size_t i = 0; i < o->n_file; i++)
		if (!is_sound_output(o->file[i], i))
			return bad(e, "an output file without name or content");
	return 0;
}

int image_check(const Cragon__Image *m, struct err *e)
{
	int n = check_machine(m, e);

	if (n < 0)
		return n;
	if (!m->n_process)
		return bad(e, "no process in it");
	for (size_t i = 0; i < m->n_shared; i++)
		if (m->shared[i]->space != i)
			return bad(e, "shared memory out of order");
	for (size_t i = 0; n == 0 && i < m->n_object; i++)
		n = check_object(m, m->object[i], e);
	if (n == 0)
		n = check_tree(m, e);
	if (n == 0 && m->outputs)
		n = check_outputs(m->outputs, e);
	for (size_t i = 0; n == 0 && i < m->n_process; i++) {
		if (m->process[i]->mm && m->process[i]->mm->space != m->n_shared + i)
			return bad(e, "address spaces out of order");
		n = check_process(m, m->process[i], e);
		if (n < 0)
			return err_in(
				e, "process %d (%s)", m->process[i]->pid, m->process[i]->comm);
	}
	return n;
}

int restore_check(struct restore *r, struct err *e)
{
	const Cragon__Image *m = r->meta;
	int n = image_check(m, e), highest = 2;

	if (n == 0)
		n = restore_check_files(r, e);
	for (size_t i = 0; n == 0 && i < m->n_process; i++)
		for (size_t k = 0; k < m->process[i]->n_fd; k++)
			highest = MAX(highest, m->process[i]->fd[k]->number);
	return n < 0 ? n : choose_fd_base(r, highest, e);
}

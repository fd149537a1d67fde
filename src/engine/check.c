/*
 * Before anything is built: is the image meant for this machine, is it sound,
 * and are the files it maps still what they were? See restore.h.
 */
#include "engine/restore.h"
#include "sys/procfs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/utsname.h>

#define ADDRESS_END 0xfffffffffff000ull /* x86-64, 5-level page tables */
#define DESCRIPTOR_MAX (1 << 20)
#define SPARE_DESCRIPTORS 32 /* pipes and the like, while a job is being built */

static int bad(struct err *e, const char *what)
{
	return err_set(e, -EINVAL, WHY_BAD_IMAGE, "the image is not sound: %s", what);
}

static int check_machine(const Cragon__Image *m, struct err *e)
{
	struct utsname uts;

	if (!m->machine || !m->clock || !m->tree)
		return bad(e, "machine, clock or tree is missing");
	if (m->machine->page_bytes != CRAGON_PAGE_BYTES || uname(&uts) < 0 ||
		strcmp(uts.machine, m->machine->architecture) != 0)
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
			"the image was taken on %s; resume it on such a machine",
			m->machine->architecture);
	return 0;
}

/* A mapped program or library that differs would be executed with the old
 * one's data. */
static int check_file(const char *path, const Cragon__FileIdentity *id, struct err *e)
{
	struct stat st;
	uint64_t mtime;

	if (!id)
		return bad(e, "a mapped file without identity");
	if (stat(path, &st) < 0)
		return err_set(e, -errno, WHY_FILE_CHANGED,
			"%s, which the job uses, cannot be found (%s); put it back, then restart",
			path, strerror(errno));
	mtime = (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec;
	if ((uint64_t)st.st_size != id->size || mtime != id->mtime_ns)
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s, which the job uses, has changed since the checkpoint; put the old "
			"version back, then restart",
			path);
	return 0;
}

static int check_shared_file(const Cragon__Vma *vma, struct err *e)
{
	struct stat st;

	if (stat(vma->path, &st) < 0)
		return err_set(e, -errno, WHY_FILE_CHANGED,
			"%s, which the job has mapped, cannot be found (%s); put it back, then "
			"restart",
			vma->path, strerror(errno));
	if (vma->identity && (uint64_t)st.st_size < vma->identity->size)
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s, which the job has mapped, has shrunk since the checkpoint; put it back "
			"as it was, then restart",
			vma->path);
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
	const char *checked = "";

	for (size_t i = 0; i < p->n_vma; i++) {
		const Cragon__Vma *v = p->vma[i];
		int r = 0;

		if (v->kind == CRAGON__VMA__KIND__VSYSCALL)
			continue;
		if (v->start < last || v->end <= v->start || v->end > ADDRESS_END ||
			v->start % CRAGON_PAGE_BYTES || v->end % CRAGON_PAGE_BYTES)
			return bad(e, "memory areas overlap or are out of range");
		last = v->end;
		if (v->kind == CRAGON__VMA__KIND__SHARED && v->shared >= m->n_shared)
			return bad(e, "an area of missing shared memory");
		if (v->kind == CRAGON__VMA__KIND__FILE_SHARED)
			r = check_shared_file(v, e);
		if (v->kind == CRAGON__VMA__KIND__FILE_PRIVATE && strcmp(checked, v->path) != 0) {
			r = check_file(v->path, v->identity, e);
			checked = v->path;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_process(const Cragon__Image *m, const Cragon__Process *p, struct err *e)
{
	if (p->pid <= 0)
		return bad(e, "a process without id");
	if (p->state == CRAGON__PROCESS__STATE__ZOMBIE)
		return 0;
	if (!p->mm || !p->flags || !p->credentials || !p->n_thread ||
		p->credentials->n_uid != 4 || p->credentials->n_gid != 4)
		return bad(e, "a process without memory, threads or user ids");
	for (size_t i = 0; i < p->n_fd; i++)
		if (p->fd[i]->object >= m->n_object || p->fd[i]->number < 0 ||
			p->fd[i]->number >= DESCRIPTOR_MAX)
			return bad(e, "a descriptor of a missing file");
	if (p->thread[0]->tid != p->pid)
		return bad(e, "a process whose first thread is not the main one");
	for (size_t i = 0; i < p->n_thread; i++)
		if (p->thread[i]->registers.len != sizeof(struct user_regs_struct) ||
			p->thread[i]->xstate.len < 512 + 64)
			return bad(e, "a thread without registers");
	if (check_vmas(m, p, e) < 0)
		return e->code;
	return check_file(p->exe, p->exe_identity, e);
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

int restore_check(struct restore *r, struct err *e)
{
	const Cragon__Image *m = r->meta;
	int n = check_machine(m, e), highest = 2;

	if (n < 0)
		return n;
	if (!m->n_process)
		return bad(e, "no process in it");
	for (size_t i = 0; i < m->n_shared; i++)
		if (m->shared[i]->space != i)
			return bad(e, "shared memory out of order");
	for (size_t i = 0; i < m->n_object; i++) {
		n = check_object(m, m->object[i], e);
		if (n < 0)
			return n;
	}
	for (size_t i = 0; i < m->n_process; i++) {
		if (m->process[i]->mm && m->process[i]->mm->space != m->n_shared + i)
			return bad(e, "address spaces out of order");
		n = check_process(m, m->process[i], e);
		if (n < 0)
			return err_in(e, "process %d (%s)", m->process[i]->pid, m->process[i]->comm);
		for (size_t k = 0; k < m->process[i]->n_fd; k++)
			highest = MAX(highest, m->process[i]->fd[k]->number);
	}
	return choose_fd_base(r, highest, e);
}

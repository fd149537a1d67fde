/*
 * Before anything is built: are the files that the job uses still what they
 * were? Those it writes are put back (outputs_restore.c); what it only reads, its
 * inputs, must not have changed, unless the user says that this is right.
 *
 * Compared are size, time of modification and inode, the latter only where the
 * device is the same: a network file system has other device numbers on each
 * machine, and a directory that was copied to another disk has other inodes.
 * A file whose end the job had reached may have grown: whoever follows
 * a log waits for just that.
 */
#include "engine/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Opening a FIFO for reading waits for somebody to write: for ever, here. */
static int check_regular(const char *path, const struct stat *st, struct err *e)
{
	if (S_ISREG(st->st_mode))
		return 0;
	return err_set(e, -ESTALE, WHY_FILE_CHANGED,
		"%s, which the job uses, is no longer a regular file; put it back as it was, then "
		"restart",
		path);
}

static int find(const char *path, struct stat *ret, struct err *e)
{
	if (stat(path, ret) < 0)
		return err_set(e, -errno, WHY_FILE_CHANGED,
			"%s, which the job uses, cannot be found (%s); put it back, then restart",
			path, strerror(errno));
	return check_regular(path, ret, e);
}

static bool is_virtual(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 &&
	       (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

/* NULL, or in which way it differs. */
static const char *difference_but_inode(const Cragon__FileIdentity *id, const struct stat *st)
{
	if ((uint64_t)st->st_size != id->size)
		return "its size";
	return time_ns(&st->st_mtim) != id->mtime_ns ? "its time of modification" : NULL;
}

static const char *difference(const Cragon__FileIdentity *id, const struct stat *st)
{
	const char *what = difference_but_inode(id, st);

	if (what)
		return what;
	if (st->st_dev == id->device && st->st_ino != id->inode)
		return "it was replaced: its inode";
	return NULL;
}

static bool is_forced(const struct restore *r)
{
	return r->outputs.options && r->outputs.options->force_files;
}

static int changed(const struct restore *r, const char *path, const char *what, struct err *e)
{
	if (is_forced(r)) {
		buf_printf(r->outputs.remarks,
			"%s has changed since the checkpoint (%s): used as it is\n", path, what);
		return 0;
	}
	return err_set(e, -ESTALE, WHY_FILE_CHANGED,
		"%s, which the job reads, has changed since the checkpoint (%s); put the old "
		"version back, then restart, or use it as it is with --force-files",
		path, what);
}

/* A mapped program or library that differs would be executed with the old one's
 * data: what is of another size is another program, whatever the user says. */
static int check_program(
	const struct restore *r, const char *path, const Cragon__FileIdentity *id, struct err *e)
{
	struct stat st;

	if (find(path, &st, e) < 0)
		return e->code;
	if ((uint64_t)st.st_size == id->size &&
		(time_ns(&st.st_mtim) == id->mtime_ns || is_forced(r)))
		return 0;
	return err_set(e, -ESTALE, WHY_FILE_CHANGED,
		"%s, which the job uses, has changed since the checkpoint; put the old "
		"version back, then restart",
		path);
}

static int check_mapping(const struct restore *r, const Cragon__Vma *v, struct err *e)
{
	const char *what;
	struct stat st;

	if (outputs_file(&r->outputs, v->path))
		return 0; /* put back */
	if (v->kind == CRAGON__VMA__KIND__FILE_PRIVATE && (v->protection & PROT_EXEC))
		return check_program(r, v->path, v->identity, e);
	if (find(v->path, &st, e) < 0)
		return e->code;
	if (!v->identity)
		return 0;
	/* Pages beyond the end of a file cannot be touched. */
	if ((uint64_t)st.st_size < v->identity->size)
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s, which the job has mapped, has shrunk since the checkpoint; put it "
			"back as it was, then restart",
			v->path);
	/* A private mapping reads what it has not changed from whatever has the name. */
	what = v->kind == CRAGON__VMA__KIND__FILE_PRIVATE ? difference_but_inode(v->identity, &st)
							  : difference(v->identity, &st);
	return what && !v->writable_file ? changed(r, v->path, what, e) : 0;
}

static int check_mapped(const struct restore *r, const Cragon__Process *p, struct err *e)
{
	const char *checked = NULL;
	int n = 0;

	for (size_t i = 0; n == 0 && i < p->n_vma; i++) {
		const Cragon__Vma *v = p->vma[i];

		if (v->kind != CRAGON__VMA__KIND__FILE_SHARED &&
			v->kind != CRAGON__VMA__KIND__FILE_PRIVATE)
			continue;
		if (checked && strcmp(checked, v->path) == 0 && !(v->protection & PROT_EXEC))
			continue;
		n = check_mapping(r, v, e);
		checked = v->path;
	}
	if (n < 0 || p->state == CRAGON__PROCESS__STATE__ZOMBIE ||
		outputs_file(&r->outputs, p->exe))
		return n;
	return check_program(r, p->exe, p->exe_identity, e);
}

static bool opens_by_name(const Cragon__Object *o)
{
	switch (o->detail_case) {
	case CRAGON__OBJECT__DETAIL_FILE:
		return !o->file->shared;
	case CRAGON__OBJECT__DETAIL_DEVICE:
	case CRAGON__OBJECT__DETAIL__NOT_SET: /* a directory */
		return true;
	case CRAGON__OBJECT__DETAIL_PIPE:
	case CRAGON__OBJECT__DETAIL_EVENTFD:
	case CRAGON__OBJECT__DETAIL_EPOLL:
	case CRAGON__OBJECT__DETAIL_OUTSIDE:
	case _CRAGON__OBJECT__DETAIL__CASE_IS_INT_SIZE:
	default:
		return false;
	}
}

/* Opening a FIFO where something else was would wait for ever. */
static int check_name(const Cragon__Object *o, struct err *e)
{
	struct stat st;

	if (opens_by_name(o) && stat(o->path, &st) == 0 && S_ISFIFO(st.st_mode))
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s, which the job has open, has become a FIFO; put it back as it was, "
			"then restart",
			o->path);
	return 0;
}

/* A file that the job only reads. That it cannot be found or opened is told when
 * it is opened. */
static int check_input(const struct restore *r, const Cragon__Object *o, struct err *e)
{
	const char *what;
	struct stat st;

	if (o->detail_case != CRAGON__OBJECT__DETAIL_FILE || o->file->shared || o->file->writer ||
		outputs_file(&r->outputs, o->path) || stat(o->path, &st) < 0 ||
		!S_ISREG(st.st_mode) || is_virtual(o->path))
		return 0;
	what = difference(o->file->identity, &st);
	if (!what)
		return 0;
	if (st.st_ino == o->file->identity->inode &&
		(uint64_t)st.st_size > o->file->identity->size &&
		(uint64_t)o->position == o->file->identity->size) {
		buf_printf(r->outputs.remarks,
			"%s has grown since the checkpoint: the job reads on\n", o->path);
		return 0;
	}
	return changed(r, o->path, what, e);
}

int restore_check_files(const struct restore *r, struct err *e)
{
	const Cragon__Image *m = r->meta;
	int n = 0;

	for (size_t i = 0; n == 0 && i < m->n_object; i++) {
		n = check_name(m->object[i], e);
		if (n == 0)
			n = check_input(r, m->object[i], e);
	}
	for (size_t i = 0; n == 0 && i < m->n_process; i++) {
		n = check_mapped(r, m->process[i], e);
		if (n < 0)
			return err_in(
				e, "process %d (%s)", m->process[i]->pid, m->process[i]->comm);
	}
	return n;
}

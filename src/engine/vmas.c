/*
 * The memory map of a frozen process: see dump.h. Each VMA of smaps becomes a
 * Vma, or an obstacle. VmFlags are explained in the kernel's
 * Documentation/filesystems/proc.rst.
 */
#include "engine/dump.h"
#include "kind/kind.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static const struct {
	char code[3];
	uint32_t flag;
} vma_flags[] = {
	{"gd", CRAGON__VMA_FLAG__VMA_GROWSDOWN},
	{"lo", CRAGON__VMA_FLAG__VMA_LOCKED},
	{"dc", CRAGON__VMA_FLAG__VMA_DONTFORK},
	{"dd", CRAGON__VMA_FLAG__VMA_DONTDUMP},
	{"wf", CRAGON__VMA_FLAG__VMA_WIPEONFORK},
	{"hg", CRAGON__VMA_FLAG__VMA_HUGEPAGE},
	{"nh", CRAGON__VMA_FLAG__VMA_NOHUGEPAGE},
	{"mg", CRAGON__VMA_FLAG__VMA_MERGEABLE},
	{"nr", CRAGON__VMA_FLAG__VMA_NORESERVE},
	{"sr", CRAGON__VMA_FLAG__VMA_SEQUENTIAL},
	{"rr", CRAGON__VMA_FLAG__VMA_RANDOM},
};

static const struct {
	char code[3];
	const char *what;
} refused_flags[] = {
	{"io", "memory of a device"},
	{"pf", "memory of a device"},
	{"ht", "huge pages from hugetlbfs"},
	{"um", "memory watched by userfaultfd"},
	{"uw", "memory watched by userfaultfd"},
	{"ss", "a hardware shadow stack"},
};

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_kernel_area(const struct proc_vma *v, Cragon__Vma__Kind *ret)
{
	if (strcmp(v->path, "[vdso]") == 0)
		*ret = CRAGON__VMA__KIND__VDSO;
	else if (starts_with(v->path, "[vvar"))
		*ret = CRAGON__VMA__KIND__VVAR;
	else if (strcmp(v->path, "[vsyscall]") == 0)
		*ret = CRAGON__VMA__KIND__VSYSCALL;
	else
		return false;
	return true;
}

/* maps writes a newline in a name as \012. */
static char *unescape(struct dump *d, const char *path)
{
	char *copy = dump_string(d, path), *out = copy;

	if (!copy)
		return NULL;
	for (const char *in = copy; *in;) {
		if (strncmp(in, "\\012", 4) == 0) {
			*out++ = '\n';
			in += 4;
		} else {
			*out++ = *in++;
		}
	}
	*out = 0;
	return copy;
}

/* Files that only let others look on, and that vanish whenever they like: the
 * counters of a Java VM are deleted by any other VM of the user that does not
 * see its process. Their content goes with the image; nobody looks afterwards. */
static bool is_display(const char *path)
{
	return starts_with(path, "/tmp/hsperfdata_");
}

/* Shared memory and deleted files: content goes with Image.shared. */
static int shared_area(struct dump *d, const struct proc_vma *v, Cragon__Vma *vma)
{
	bool memory = starts_with(v->path, "/dev/zero") || starts_with(v->path, "/memfd:") ||
		is_display(v->path);
	struct files_dump files = {.arena = &d->arena, .image = &d->image};
	struct stat st = {.st_dev = v->device, .st_ino = v->inode, .st_mode = S_IFREG | 0600};
	int index = shared_add(&files, &st,
		memory ? CRAGON__SHARED__KIND__MEMORY : CRAGON__SHARED__KIND__DELETED_FILE, v->path,
		v->offset + (v->end - v->start));

	if (index < 0)
		return index;
	vma->kind = CRAGON__VMA__KIND__SHARED;
	vma->shared = (uint32_t)index;
	return 0;
}

static int file_area(struct dump *d, struct dump_process *p, const struct proc_vma *v,
	Cragon__Vma *vma, bool *whole)
{
	struct stat st;
	char *path = unescape(d, v->path);

	if (!path)
		return -ENOMEM;
	if (v->path[0] != '/' || starts_with(v->path, "/SYSV") || starts_with(v->path, "/[aio]")) {
		dump_obstacle(d, p, "memory shared through %s: not supported yet",
			starts_with(v->path, "/SYSV") ? "System V shared memory" : v->path);
		return 0;
	}
	if (v->deleted || stat(path, &st) < 0) {
		/* A private mapping of a file that is gone: all of it is ours to keep. */
		vma->kind = CRAGON__VMA__KIND__ANONYMOUS;
		*whole = true;
		return v->shared ? shared_area(d, v, vma) : 0;
	}
	if (starts_with(v->path, "/dev/zero")) {
		vma->kind = CRAGON__VMA__KIND__ANONYMOUS;
		return 0;
	}
	if (!S_ISREG(st.st_mode)) {
		dump_obstacle(d, p, "memory mapped from %s, which is not a regular file", path);
		return 0;
	}
	if (v->shared && is_display(path))
		return shared_area(d, v, vma);
	vma->kind = v->shared ? CRAGON__VMA__KIND__FILE_SHARED : CRAGON__VMA__KIND__FILE_PRIVATE;
	vma->path = path;
	vma->identity = file_identity(&d->arena, &st);
	vma->writable_file = v->shared && proc_vma_flag(v, "mw");
	return vma->identity ? 0 : -ENOMEM;
}

static void check_flags(struct dump *d, struct dump_process *p, const struct proc_vma *v)
{
	for (size_t i = 0; i < ARRAY_LEN(refused_flags); i++)
		if (proc_vma_flag(v, refused_flags[i].code)) {
			dump_obstacle(d, p, "it uses %s (%s): not supported",
				refused_flags[i].what, *v->path ? v->path : "unnamed");
			return;
		}
}

static int describe_vma(struct dump *d, struct dump_process *p, const struct proc_vma *v,
	Cragon__Vma *vma, bool *whole)
{
	*whole = false;
	vma->start = v->start;
	vma->end = v->end;
	vma->protection = (uint32_t)v->protection;
	vma->offset = v->offset;
	for (size_t i = 0; i < ARRAY_LEN(vma_flags); i++)
		if (proc_vma_flag(v, vma_flags[i].code))
			vma->flags |= vma_flags[i].flag;
	if (is_kernel_area(v, &vma->kind)) {
		vma->path = dump_string(d, v->path);
		return vma->path ? 0 : -ENOMEM;
	}
	check_flags(d, p, v);
	if (v->path[0] == '[' || (v->inode == 0 && v->path[0] == 0)) {
		vma->kind = CRAGON__VMA__KIND__ANONYMOUS;
		vma->offset = 0;
		return 0;
	}
	return file_area(d, p, v, vma, whole);
}

int dump_vmas(struct dump *d, struct dump_process *p, struct err *e)
{
	Cragon__Process *process = p->process;
	cleanup_buf struct buf text = {0};
	char *cursor;
	struct proc_vma v;
	int r = proc_read(p->frozen->pid, "smaps", &text);

	if (r < 0)
		return err_sys(e, r, "cannot read the memory map of process %d", process->pid);
	cursor = text.data;
	while ((r = proc_next_vma(&cursor, &v)) > 0) {
		Cragon__Vma *vma = dump_new(d, Vma);
		bool whole;

		if (!vma || arena_push(&d->arena, (void ***)&process->vma, &process->n_vma, vma) < 0)
			return err_sys(e, -ENOMEM, "describing memory");
		cragon__vma__init(vma);
		r = describe_vma(d, p, &v, vma, &whole);
		if (r < 0)
			return err_sys(e, r, "describing memory");
		if ((process->n_vma & (process->n_vma - 1)) == 0) {
			bool *grown = realloc(p->whole, process->n_vma * 2 * sizeof *grown);

			if (!grown)
				return err_sys(e, -ENOMEM, "describing memory");
			p->whole = grown;
		}
		p->whole[process->n_vma - 1] = whole;
	}
	return r < 0 ? err_sys(e, r, "the memory map of process %d is not understood", process->pid)
		     : 0;
}

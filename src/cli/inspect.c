/* The parts of an image in words: see inspect.h. */
#include "cli/inspect.h"
#include "cli/print.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

const char *inspect_kind_name(size_t kind)
{
	static const char *const names[INSPECT_KINDS] = {"anonymous", "private-file", "shared-file",
		"shared-memory", "vdso", "vvar", "vsyscall", "unknown"};

	return names[MIN(kind, ARRAY_LEN(names) - 1)];
}

void inspect_sum(const Cragon__Process *p, struct area_sum sums[static INSPECT_KINDS])
{
	for (size_t i = 0; i < INSPECT_KINDS; i++)
		sums[i] = (struct area_sum){0};
	for (size_t i = 0; i < p->n_vma; i++) {
		struct area_sum *sum = &sums[MIN((size_t)p->vma[i]->kind, INSPECT_KINDS - 1)];

		sum->areas++;
		sum->bytes += p->vma[i]->end - p->vma[i]->start;
	}
}

void inspect_protection(const Cragon__Vma *v, char out[static 4])
{
	out[0] = v->protection & PROT_READ ? 'r' : '-';
	out[1] = v->protection & PROT_WRITE ? 'w' : '-';
	out[2] = v->protection & PROT_EXEC ? 'x' : '-';
	out[3] = 0;
}

const char *inspect_area_name(
	const Cragon__Image *meta, const Cragon__Process *p, const Cragon__Vma *v)
{
	if (v->path[0])
		return v->path;
	if (v->kind == CRAGON__VMA__KIND__SHARED)
		return v->shared < meta->n_shared ? meta->shared[v->shared]->path : "";
	if (v->kind == CRAGON__VMA__KIND__VDSO)
		return "[vdso]";
	if (v->kind == CRAGON__VMA__KIND__VVAR)
		return "[vvar]";
	if (v->kind == CRAGON__VMA__KIND__VSYSCALL)
		return "[vsyscall]";
	if (p->mm && v->start < p->mm->brk && v->end > p->mm->start_brk)
		return "[heap]";
	if (p->mm && v->start <= p->mm->start_stack && v->end > p->mm->start_stack)
		return "[stack]";
	return "";
}

const Cragon__Object *inspect_object(const Cragon__Image *meta, const Cragon__Descriptor *fd)
{
	return fd->object < meta->n_object ? meta->object[fd->object] : NULL;
}

const char *inspect_access(const Cragon__Object *o)
{
	if (o->flags & O_PATH)
		return "path";
	switch (o->flags & O_ACCMODE) {
	case O_RDONLY:
		return "read";
	case O_WRONLY:
		return "write";
	default:
		return "read-write";
	}
}

static void outside_detail(const Cragon__Outside *o, struct buf *out)
{
	static const char *const names[] = {"standard input", "standard output", "standard error"};

	buf_str(out, o->what);
	if (o->standard < 0)
		return;
	if ((size_t)o->standard < ARRAY_LEN(names))
		buf_printf(out, ", becomes %s of the restart", names[o->standard]);
	else
		buf_printf(out, ", becomes descriptor %d of the restart", o->standard);
}

void inspect_detail(const Cragon__Object *o, struct buf *out)
{
	switch ((int)o->detail_case) {
	case CRAGON__OBJECT__DETAIL_FILE:
		if (o->file->shared)
			buf_str(out, "deleted, content in the image");
		else if (o->flags & O_APPEND)
			buf_str(out, "append");
		break;
	case CRAGON__OBJECT__DETAIL_PIPE:
		buf_printf(out, "pipe %" PRIu64 ", %zu bytes in it", o->pipe->id,
			o->pipe->content.len);
		break;
	case CRAGON__OBJECT__DETAIL_EVENTFD:
		buf_printf(out, "count %" PRIu64, o->eventfd->count);
		break;
	case CRAGON__OBJECT__DETAIL_EPOLL:
		buf_printf(out, "watches %zu", o->epoll->n_watch);
		break;
	case CRAGON__OBJECT__DETAIL_OUTSIDE:
		outside_detail(o->outside, out);
		break;
	case CRAGON__OBJECT__DETAIL_DEVICE:
		buf_printf(out, "device %u:%u", o->device->major, o->device->minor);
		break;
	default:
		break;
	}
}

const char *inspect_state(const Cragon__Process *p)
{
	switch ((int)p->state) {
	case CRAGON__PROCESS__STATE__LIVE:
		return "live";
	case CRAGON__PROCESS__STATE__ZOMBIE:
		return "zombie";
	case CRAGON__PROCESS__STATE__STOPPED:
		return "stopped";
	default:
		return "unknown";
	}
}

const char *inspect_kept(const Cragon__OutputFile *f)
{
	if (f->type != CRAGON__OUTPUT_FILE__TYPE__REGULAR || f->same)
		return "name";
	if (!f->whole)
		return "length";
	return f->copy ? "copy" : "inline";
}

#define NOBODY SIZE_MAX

struct family { /* indexes into Image.process, NOBODY at the ends */
	size_t parent, first_child, next_sibling;
};

/* Only a process listed earlier counts as parent, so there are no circles. */
static size_t parent_of(const Cragon__Image *meta, size_t child)
{
	for (size_t i = 0; i < child; i++)
		if (meta->process[i]->pid == meta->process[child]->parent)
			return i;
	return NOBODY;
}

/* Links siblings in their order; returns the first process without a parent. */
static size_t link_family(const Cragon__Image *meta, struct family *f)
{
	size_t first_root = NOBODY;

	for (size_t i = 0; i < meta->n_process; i++)
		f[i] = (struct family){parent_of(meta, i), NOBODY, NOBODY};
	for (size_t i = meta->n_process; i-- > 0;) {
		size_t *head = f[i].parent == NOBODY ? &first_root : &f[f[i].parent].first_child;

		f[i].next_sibling = *head;
		*head = i;
	}
	return first_root;
}

struct tree_node *inspect_tree(const Cragon__Image *meta)
{
	cleanup_free struct family *f = calloc(meta->n_process + 1, sizeof *f);
	struct tree_node *nodes = calloc(meta->n_process + 1, sizeof *nodes);
	size_t n = 0, depth = 0, at;

	if (!f || !nodes) {
		free(nodes);
		return NULL;
	}
	for (at = link_family(meta, f); at != NOBODY;) {
		nodes[n++] = (struct tree_node){at, depth};
		if (f[at].first_child != NOBODY) {
			at = f[at].first_child;
			depth++;
			continue;
		}
		while (at != NOBODY && f[at].next_sibling == NOBODY) {
			at = f[at].parent;
			depth -= at != NOBODY;
		}
		if (at != NOBODY)
			at = f[at].next_sibling;
	}
	return nodes;
}

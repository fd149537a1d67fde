/*
 * inspect for people: the checkpoint, the process tree, then each process with
 * its threads, memory and open files.
 */
#include "cli/inspect.h"
#include "cli/print.h"
#include "cli/table.h"
#include "base/io.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>

#define INDENT_MAX 20u /* levels of the tree that are shown by indentation */

/* A field that checkpoint_info need not have. */
static const char *known(const char *text)
{
	return text && *text ? text : "?";
}

static void pair(struct table *t, const char *name, const char *value)
{
	table_cell(t, name);
	table_cell(t, known(value));
}

static void sizes(struct table *t, const struct image_info *info)
{
	char a[32], b[32];

	size_format(info->memory_bytes, a);
	size_format(info->stored_bytes, b);
	table_cell(t, "size");
	table_printf(t, "%s of memory and files, %s stored (%s)", a, b, known(info->compression));
	duration_format(info->pause_ns, a);
	duration_format(info->duration_ns, b);
	table_cell(t, "time");
	table_printf(t, "the job was held for %s; the checkpoint took %s", a, b);
}

static void summary(const struct image_info *info, const char *path, struct buf *out)
{
	cleanup_table struct table t = {.columns = "ll"};
	cleanup_buf struct buf command = {0};
	char when[40];

	text_command(&command, info->command);
	format_time(info->timestamp_ns, when);
	pair(&t, "image", path);
	table_cell(&t, "number");
	if (info->parent)
		table_printf(&t, "%" PRIu64 ", builds on %" PRIu64, info->number, info->parent);
	else
		table_printf(&t, "%" PRIu64, info->number);
	pair(&t, "command", command.data ? command.data : "");
	pair(&t, "directory", info->directory);
	table_cell(&t, "taken");
	table_printf(&t, "%s, reason: %s", when, known(info->reason));
	table_cell(&t, "by");
	table_printf(&t, "%s on %s, Linux %s", known(info->user), known(info->hostname),
		known(info->kernel));
	table_cell(&t, "format");
	table_printf(&t, "%s, written by %s", known(info->format_version), known(info->engine));
	sizes(&t, info);
	pair(&t, "checksum", info->checksum);
	table_print(&t, 0, out);
}

static uint64_t mapped_bytes(const Cragon__Process *p)
{
	struct area_sum sums[INSPECT_KINDS];
	uint64_t bytes = 0;

	inspect_sum(p, sums);
	for (size_t i = 0; i < INSPECT_KINDS; i++)
		bytes += sums[i].bytes;
	return bytes;
}

static void tree_row(struct table *t, const struct image *image, const struct tree_node *node)
{
	const Cragon__Process *p = image_meta(image)->process[node->index];
	cleanup_buf struct buf name = {0};

	buf_printf(&name, "%*s%s", (int)(2 * MIN(node->depth, INDENT_MAX)), "",
		p->cmdline[0] ? p->cmdline : p->comm);
	table_printf(t, "%d", p->pid);
	table_cell(t, inspect_state(p));
	table_printf(t, "%zu", p->n_thread);
	table_size(t, mapped_bytes(p));
	table_size(t, p->mm ? image_space_bytes(image, p->mm->space) : 0);
	table_printf(t, "%zu", p->n_fd);
	table_cell(t, name.data ? name.data : "");
}

static void tree(const struct image *image, struct buf *out)
{
	static const char *const heading[] = {
		"PID", "STATE", "THREADS", "MAPPED", "CONTENT", "FILES", "COMMAND", NULL};
	const Cragon__Image *meta = image_meta(image);
	cleanup_free struct tree_node *nodes = inspect_tree(meta);
	cleanup_table struct table t = {.columns = "rlrrrrl"};

	if (!nodes) {
		out->bad = -ENOMEM;
		return;
	}
	table_cells(&t, heading);
	for (size_t i = 0; i < meta->n_process; i++)
		tree_row(&t, image, &nodes[i]);
	buf_str(out, "\n");
	table_print(&t, 0, out);
}

static void threads(const Cragon__Process *p, struct buf *out)
{
	static const char *const heading[] = {"THREAD", "NAME", NULL};
	cleanup_table struct table t = {.columns = "rl"};

	if (!p->n_thread)
		return;
	table_cells(&t, heading);
	for (size_t i = 0; i < p->n_thread; i++) {
		table_printf(&t, "%d", p->thread[i]->tid);
		table_cell(&t, p->thread[i]->comm);
	}
	buf_str(out, "\n");
	table_print(&t, 2, out);
}

static void memory(const Cragon__Process *p, struct buf *out)
{
	static const char *const heading[] = {"MEMORY", "AREAS", "SIZE", NULL};
	cleanup_table struct table t = {.columns = "lrr"};
	struct area_sum sums[INSPECT_KINDS];

	if (!p->n_vma)
		return;
	inspect_sum(p, sums);
	table_cells(&t, heading);
	for (size_t i = 0; i < INSPECT_KINDS; i++) {
		if (!sums[i].areas)
			continue;
		table_cell(&t, inspect_kind_name(i));
		table_printf(&t, "%" PRIu64, sums[i].areas);
		table_size(&t, sums[i].bytes);
	}
	buf_str(out, "\n");
	table_print(&t, 2, out);
}

static void areas(const Cragon__Image *meta, const Cragon__Process *p, struct buf *out)
{
	static const char *const heading[] = {
		"AREA", "ACCESS", "KIND", "SIZE", "OFFSET", "WHAT", NULL};
	cleanup_table struct table t = {.columns = "rllrrl"};

	if (!p->n_vma)
		return;
	table_cells(&t, heading);
	for (size_t i = 0; i < p->n_vma; i++) {
		const Cragon__Vma *v = p->vma[i];
		char access[4];

		inspect_protection(v, access);
		table_printf(&t, "%" PRIx64 "-%" PRIx64, v->start, v->end);
		table_cell(&t, access);
		table_cell(&t, inspect_kind_name((size_t)v->kind));
		table_size(&t, v->end - v->start);
		table_printf(&t, "%" PRIx64, v->offset);
		table_cell(&t, inspect_area_name(meta, p, v));
	}
	buf_str(out, "\n");
	table_print(&t, 2, out);
}

static void file_row(struct table *t, const Cragon__Descriptor *fd, const Cragon__Object *o)
{
	cleanup_buf struct buf detail = {0}, what = {0};

	table_printf(t, "%d", fd->number);
	table_printf(t, "%u", fd->object);
	if (!o) {
		table_cells(t, (const char *const[]){"?", "", "", "", NULL});
		return;
	}
	inspect_detail(o, &detail);
	buf_str(&what, o->path);
	if (detail.len)
		buf_printf(&what, o->path[0] ? " (%s)" : "%s", detail.data);
	table_cell(t, o->kind);
	table_cell(t, inspect_access(o));
	table_printf(t, "%" PRId64, o->position);
	table_cell(t, what.data ? what.data : "");
}

/* Descriptors with the same OBJECT share position and flags. */
static void files(const Cragon__Image *meta, const Cragon__Process *p, struct buf *out)
{
	static const char *const heading[] = {
		"FD", "OBJECT", "KIND", "ACCESS", "POSITION", "WHAT", NULL};
	cleanup_table struct table t = {.columns = "rrllrl"};

	if (!p->n_fd)
		return;
	table_cells(&t, heading);
	for (size_t i = 0; i < p->n_fd; i++)
		file_row(&t, p->fd[i], inspect_object(meta, p->fd[i]));
	buf_str(out, "\n");
	table_print(&t, 2, out);
}

static void process(
	const Cragon__Image *meta, const Cragon__Process *p, bool every_area, struct buf *out)
{
	buf_printf(out, "\nProcess %d: ", p->pid);
	text_add(out, p->exe[0] ? p->exe : p->comm);
	if (p->cwd[0]) {
		buf_str(out, " in ");
		text_add(out, p->cwd);
	}
	buf_str(out, "\n");
	threads(p, out);
	memory(p, out);
	if (every_area)
		areas(meta, p, out);
	files(meta, p, out);
}

static void output_row(struct table *t, const Cragon__OutputFile *f)
{
	cleanup_buf struct buf what = {0};

	table_size(t, f->identity ? f->identity->size : 0);
	table_cell(t, inspect_kept(f));
	table_cell(t, f->written ? "yes" : "no");
	buf_str(&what, f->path);
	if (f->type == CRAGON__OUTPUT_FILE__TYPE__SYMLINK)
		buf_printf(&what, " -> %s", f->target);
	else if (f->type == CRAGON__OUTPUT_FILE__TYPE__DIRECTORY)
		buf_str(&what, "/");
	table_cell(t, what.data ? what.data : "");
}

static void outputs(const Cragon__Image *meta, struct buf *out)
{
	static const char *const heading[] = {"SIZE", "KEPT", "SEEN WRITTEN", "OUTPUT", NULL};
	cleanup_table struct table t = {.columns = "rlll"};

	if (!meta->outputs || !meta->outputs->n_file)
		return;
	table_cells(&t, heading);
	for (size_t i = 0; i < meta->outputs->n_file; i++)
		output_row(&t, meta->outputs->file[i]);
	buf_str(out, "\n");
	table_print(&t, 0, out);
}

void inspect_text(const struct image *image, const char *path, bool every_area, struct buf *out)
{
	const Cragon__Image *meta = image_meta(image);

	summary(image_get_info(image), path, out);
	tree(image, out);
	for (size_t i = 0; i < meta->n_process; i++)
		process(meta, meta->process[i], every_area, out);
	outputs(meta, out);
}

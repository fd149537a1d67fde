/*
 * inspect as JSON: "info" is checkpoint_info, "process" the processes, parents
 * first. Addresses are strings in hexadecimal, because JSON numbers above 2^53
 * are not safe with every reader.
 */
#include "cli/inspect.h"
#include "cli/print.h"

#include <inttypes.h>

static json_t *json_count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *json_address(uint64_t address)
{
	char text[20];

	snprintf(text, sizeof text, "0x%" PRIx64, address);
	return json_string(text);
}

static json_t *info_json(const struct image_info *info)
{
	cleanup_buf struct buf b = {0};

	if (image_info_json(info, &b) < 0 || buf_error(&b))
		return NULL;
	return json_loadb(b.data, b.len, 0, NULL);
}

static json_t *threads_json(const Cragon__Process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->n_thread; i++)
		json_array_append_new(array, json_pack("{s:i, s:o}", "tid", p->thread[i]->tid,
						     "name", json_text(p->thread[i]->comm)));
	return array;
}

static json_t *memory_json(const Cragon__Process *p)
{
	struct area_sum sums[INSPECT_KINDS];
	json_t *object = json_object();

	inspect_sum(p, sums);
	for (size_t i = 0; i < INSPECT_KINDS; i++)
		if (sums[i].areas)
			json_object_set_new(object, inspect_kind_name(i),
				json_pack("{s:o, s:o}", "areas", json_count(sums[i].areas), "bytes",
					json_count(sums[i].bytes)));
	return object;
}

static json_t *areas_json(const Cragon__Image *meta, const Cragon__Process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->n_vma; i++) {
		const Cragon__Vma *v = p->vma[i];
		char access[4];

		inspect_protection(v, access);
		json_array_append_new(array,
			json_pack("{s:o, s:o, s:s, s:s, s:o, s:o}", "start", json_address(v->start),
				"end", json_address(v->end), "access", access, "kind",
				inspect_kind_name((size_t)v->kind), "offset", json_count(v->offset),
				"what", json_text(inspect_area_name(meta, p, v))));
	}
	return array;
}

static json_t *file_json(const Cragon__Image *meta, const Cragon__Descriptor *fd)
{
	const Cragon__Object *o = inspect_object(meta, fd);
	cleanup_buf struct buf detail = {0};

	if (!o)
		return json_pack("{s:i, s:o, s:n}", "fd", fd->number, "object",
			json_count(fd->object), "kind");
	inspect_detail(o, &detail);
	return json_pack("{s:i, s:o, s:o, s:s, s:o, s:b, s:o, s:o}", "fd", fd->number, "object",
		json_count(fd->object), "kind", json_text(o->kind), "access", inspect_access(o),
		"position", json_integer(o->position), "close_on_exec", fd->cloexec != 0, "path",
		json_text(o->path[0] ? o->path : NULL), "detail",
		json_text(detail.len ? detail.data : NULL));
}

static json_t *files_json(const Cragon__Image *meta, const Cragon__Process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->n_fd; i++)
		json_array_append_new(array, file_json(meta, p->fd[i]));
	return array;
}

static json_t *process_json(const struct image *image, const Cragon__Process *p, bool every_area)
{
	const Cragon__Image *meta = image_meta(image);
	json_t *object = json_pack(
		"{s:i, s:i, s:i, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid", p->pid,
		"parent", p->parent, "process_group", p->pgid, "session", p->sid, "state",
		inspect_state(p), "name", json_text(p->comm), "command", json_text(p->cmdline),
		"executable", json_text(p->exe), "directory", json_text(p->cwd), "content_bytes",
		json_count(p->mm ? image_space_bytes(image, p->mm->space) : 0), "thread",
		threads_json(p), "memory", memory_json(p), "file", files_json(meta, p));

	if (object && every_area)
		json_object_set_new(object, "area", areas_json(meta, p));
	return object;
}

static json_t *outputs_json(const Cragon__Image *meta)
{
	json_t *array = json_array();

	for (size_t i = 0; meta->outputs && i < meta->outputs->n_file; i++) {
		const Cragon__OutputFile *f = meta->outputs->file[i];

		json_array_append_new(array,
			json_pack("{s:o, s:o, s:s, s:b, s:i}", "path", json_text(f->path), "size",
				json_count(f->identity ? f->identity->size : 0), "kept",
				inspect_kept(f), "written", f->written != 0, "copy", (int)f->copy));
	}
	return array;
}

json_t *inspect_json(const struct image *image, const char *path, bool every_area)
{
	const Cragon__Image *meta = image_meta(image);
	json_t *array = json_array();

	for (size_t i = 0; i < meta->n_process; i++)
		json_array_append_new(array, process_json(image, meta->process[i], every_area));
	return json_pack("{s:o, s:o, s:o, s:o}", "image", json_text(path), "info",
		info_json(image_get_info(image)), "process", array, "output", outputs_json(meta));
}

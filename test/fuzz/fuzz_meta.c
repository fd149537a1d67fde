/*
 * Metadata that says what it likes: unpacked within its budget, judged by the
 * check that comes before a restore, and shown by inspect. What the check
 * accepts has to keep the promises that the restore relies on.
 */
#include "fuzz.h"

#include "cli/inspect.h"
#include "engine/restore.h"
#include "image/reader.h"
#include "kind/kind.h"

#include <string.h>

static Cragon__Image *unpack(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *file = malloc(ENVELOPE_BYTES + size);
	Cragon__Image *meta = NULL;
	struct err e;

	if (!file)
		abort();
	memcpy(file + HEADER_BYTES, data, size);
	envelope_seal(FILE_META, file, ENVELOPE_BYTES + size);
	return meta_parse(&meta, file, ENVELOPE_BYTES + size, &e) == 0 ? meta : NULL;
}

static bool born_after_parent(const Cragon__Image *m, size_t child)
{
	if (m->process[child]->parent == m->tree->reaper_pid)
		return true;
	for (size_t i = 0; i < child; i++)
		if (m->process[i]->pid == m->process[child]->parent)
			return true;
	return false;
}

static void keeps_promises(const Cragon__Image *m)
{
	for (size_t i = 0; i < m->n_object; i++) {
		const struct kind *kind = kind_by_name(m->object[i]->kind);

		if (!kind || !kind->make || kind->detail != m->object[i]->detail_case)
			abort();
	}
	for (size_t i = 0; i < m->n_process; i++) {
		const Cragon__Process *p = m->process[i];

		if (!born_after_parent(m, i))
			abort();
		if (p->state == CRAGON__PROCESS__STATE__ZOMBIE)
			continue;
		if (!p->mm || !p->flags || !p->credentials || !p->n_thread)
			abort();
		for (size_t k = 0; k < p->n_fd; k++)
			if (p->fd[k]->object >= m->n_object)
				abort();
	}
}

static void try_check(const Cragon__Image *meta)
{
	struct restore r = {.meta = meta};
	struct err e = {0};

	if (restore_check(&r, &e) >= 0)
		keeps_promises(meta);
	else if (!e.text[0])
		abort(); /* refused without a word */
}

static void try_inspect(Cragon__Image *meta)
{
	struct image image = {.meta = meta};
	cleanup_buf struct buf text = {0};
	json_t *json = inspect_json(&image, "image", true);

	if (json)
		json_decref(json);
	inspect_text(&image, "image", true, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Cragon__Image *meta = unpack(data, size);

	if (!meta)
		return 0;
	try_check(meta);
	try_inspect(meta);
	meta_free(meta);
	return 0;
}

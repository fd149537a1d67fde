/*
 * What inspect shows of an image, as text and as JSON. Both read metadata that
 * came from a file: an index into another array is checked before it is used.
 */
#ifndef CRAGON_CLI_INSPECT_H
#define CRAGON_CLI_INSPECT_H

#include "base/buf.h"
#include "image/image.h"

#include <jansson.h>

#define INSPECT_KINDS 8 /* kinds of memory areas, and one for those not known */

struct area_sum { /* memory areas of one kind in one process */
	uint64_t areas, bytes;
};

const char *inspect_kind_name(size_t kind);
void inspect_sum(const Cragon__Process *, struct area_sum sums[static INSPECT_KINDS]);

/* "rw-" */
void inspect_protection(const Cragon__Vma *, char out[static 4]);
/* The path of what is mapped, or [heap], [stack], [vdso], or "". */
const char *inspect_area_name(
	const Cragon__Image *, const Cragon__Process *, const Cragon__Vma *);

/* NULL when the descriptor points nowhere. */
const Cragon__Object *inspect_object(const Cragon__Image *, const Cragon__Descriptor *);
/* "read", "write", "read-write" or "path" */
const char *inspect_access(const Cragon__Object *);
/* What there is to say of an object besides kind, access, position and path. */
void inspect_detail(const Cragon__Object *, struct buf *out);

const char *inspect_state(const Cragon__Process *);

/* How an output file's content is kept: "copy", "inline", "length", or "name" for
 * what has no content or shares that of another entry. */
const char *inspect_kept(const Cragon__OutputFile *);

/* Processes in the order of a tree walk, with their depth. Caller frees. */
struct tree_node {
	size_t index; /* into Image.process */
	size_t depth;
};
struct tree_node *inspect_tree(const Cragon__Image *);

void inspect_text(const struct image *, const char *path, bool every_area, struct buf *out);
json_t *inspect_json(const struct image *, const char *path, bool every_area);

#endif

/*
 * meta.pb: the packed protobuf Image in a checked envelope. Unpacking is
 * given a memory budget, because two bytes of protobuf can ask for a message
 * structure a hundred times as large.
 */
#include "image/layout.h"

#include <errno.h>
#include <string.h>

#define META_BUDGET_BYTES (64 * MIB)
#define META_BUDGET_FACTOR 32

int meta_encode(const Cragon__Image *meta, uint8_t **ret, size_t *ret_bytes, struct err *e)
{
	size_t payload = cragon__image__get_packed_size(meta);
	uint8_t *file;

	if (payload > IMAGE_MAX_META_BYTES - ENVELOPE_BYTES)
		return err_set(e, -EOVERFLOW, WHY_UNSUPPORTED,
			"the job's description takes %zu bytes, more than an image can hold",
			payload);
	file = malloc(ENVELOPE_BYTES + payload);
	if (!file)
		return err_sys(e, -ENOMEM, "cannot pack the job's description");
	cragon__image__pack(meta, file + HEADER_BYTES);
	envelope_seal(FILE_META, file, ENVELOPE_BYTES + payload);
	*ret = file;
	*ret_bytes = ENVELOPE_BYTES + payload;
	return 0;
}

struct budget {
	uint64_t left;
};

static void *budget_alloc(void *ctx, size_t bytes)
{
	struct budget *b = ctx;

	if (bytes > b->left)
		return NULL;
	b->left -= bytes;
	return malloc(bytes);
}

static void budget_free(void *ctx, void *p)
{
	free(p);
}

int meta_parse(Cragon__Image **ret, const uint8_t *file, size_t bytes, struct err *e)
{
	struct budget budget = {META_BUDGET_BYTES + META_BUDGET_FACTOR * (uint64_t)bytes};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
	Cragon__Image *meta;
	int r;

	if (bytes > IMAGE_MAX_META_BYTES)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, IMAGE_META_NAME " is too large");
	r = envelope_check(FILE_META, file, bytes, e);
	if (r < 0)
		return r;
	meta = cragon__image__unpack(&allocator, bytes - ENVELOPE_BYTES, file + HEADER_BYTES);
	if (!meta)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, IMAGE_META_NAME " cannot be unpacked");
	*ret = meta;
	return 0;
}

void meta_free(Cragon__Image *meta)
{
	/* The default allocator's free is free(), as budget_free is. */
	if (meta)
		cragon__image__free_unpacked(meta, NULL);
}

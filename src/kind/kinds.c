/* The kind table: see kind.h. */
#include "kind/kind.h"

#include <string.h>

const struct kind *const kinds[] = {
	&kind_outside,
	&kind_file,
	&kind_directory,
	&kind_device,
	&kind_pipe,
	&kind_eventfd,
	&kind_epoll,
	&kind_unknown,
	NULL,
};

const struct kind *kind_by_name(const char *name)
{
	for (const struct kind *const *k = kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

Cragon__FileIdentity *file_identity(struct arena *arena, const struct stat *st)
{
	Cragon__FileIdentity *id = arena_alloc(arena, sizeof *id);

	if (!id)
		return NULL;
	cragon__file_identity__init(id);
	id->device = st->st_dev;
	id->inode = st->st_ino;
	id->size = (uint64_t)st->st_size;
	id->mtime_ns = (uint64_t)st->st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st->st_mtim.tv_nsec;
	return id;
}

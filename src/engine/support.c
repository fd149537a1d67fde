/* doc/support.md's table of open files: one row per kind, so that page and code agree. */
#include "engine/engine.h"
#include "base/buf.h"
#include "kind/kind.h"

void engine_support(struct buf *ret)
{
	buf_str(ret, "| kind | kept | not kept, or refused |\n|---|---|---|\n");
	for (const struct kind *const *k = kinds; *k; k++)
		buf_printf(ret, "| %s | %s | %s |\n", (*k)->name, (*k)->kept ? (*k)->kept : "-",
			(*k)->limits ? (*k)->limits : "-");
}

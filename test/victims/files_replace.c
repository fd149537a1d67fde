/* A state file that is replaced by rename: written beside it and moved over it. */
#include "files.h"

static void check(unsigned n)
{
	content_is("state", 40000, n);
	content_is("small", 40, n);
	CHECK(!exists("state.new") && !exists("small.new"));
}

static void put(const char *name, const char *new, size_t bytes, unsigned n)
{
	content_put(new, O_EXCL, bytes, n);
	CHECK_EQ(rename(new, name), 0);
}

static void change(unsigned n)
{
	put("state", "state.new", 40000, n + 1);
	put("small", "small.new", 40, n + 1);
}

int main(void)
{
	put("state", "state.new", 40000, 0);
	put("small", "small.new", 40, 0);
	rounds(check, change);
	pass();
}

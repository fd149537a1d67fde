/* Symbolic and hard links that are made anew, directories that are renamed. */
#include "files.h"

static char text[40];

static const char *name(const char *what, unsigned n)
{
	snprintf(text, sizeof text, "%s%u", what, n);
	return text;
}

static void check(unsigned n)
{
	char target[40] = "", inside[60];
	struct stat a, b;

	CHECK(readlink("latest", target, sizeof target - 1) > 0);
	CHECK(strcmp(target, name("run", n)) == 0);
	content_is("latest/result", 30000, n);
	snprintf(inside, sizeof inside, "run%u/result", n);
	CHECK_EQ(stat(inside, &a), 0);
	CHECK_EQ(stat("result", &b), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK(!exists(name("run", n + 1)));
	CHECK(!n || !exists(name("run", n - 1)));
}

static void set_links(unsigned n)
{
	char inside[60];

	CHECK_EQ(symlink(name("run", n), "latest.new"), 0);
	CHECK_EQ(rename("latest.new", "latest"), 0);
	snprintf(inside, sizeof inside, "run%u/result", n);
	if (exists("result"))
		CHECK_EQ(unlink("result"), 0);
	CHECK_EQ(link(inside, "result"), 0);
}

static void change(unsigned n)
{
	char old[40];

	snprintf(old, sizeof old, "run%u", n);
	CHECK_EQ(rename(old, name("run", n + 1)), 0);
	set_links(n + 1);
	content_put("latest/result", O_TRUNC, 30000, n + 1);
}

int main(void)
{
	CHECK_EQ(mkdir("run0", 0700), 0);
	content_put("run0/result", O_EXCL, 30000, 0);
	set_links(0);
	rounds(check, change);
	pass();
}

/* Files that are closed most of the time: rewritten after O_TRUNC, and appended
 * to, as a shell's > and >> do. */
#include "files.h"

static void check(unsigned n)
{
	FILE *log = fopen("log", "re");
	unsigned number;

	content_is("state", 300 + n % 7 * 10000, n);
	CHECK(log);
	for (unsigned i = 0; i <= n; i++) {
		CHECK_EQ(fscanf(log, "%u", &number), 1);
		CHECK_EQ(number, i);
	}
	CHECK_EQ(fscanf(log, "%u", &number), EOF);
	fclose(log);
}

static void line(unsigned n)
{
	FILE *log = fopen("log", "ae");

	CHECK(log);
	fprintf(log, "%u\n", n);
	CHECK_EQ(fclose(log), 0);
}

static void change(unsigned n)
{
	content_put("state", O_TRUNC, 300 + (n + 1) % 7 * 10000, n + 1);
	line(n + 1);
}

int main(void)
{
	content_put("state", O_TRUNC, 300, 0);
	line(0);
	rounds(check, change);
	pass();
}

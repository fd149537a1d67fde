/* Blocked in read on an empty pipe whose writer is a thread of the same process. */
#include "blocked.h"

static void feed(void *arg)
{
	CHECK_EQ(write(*(int *)arg, "fed", 3), 3);
}

int main(void)
{
	int ends[2];
	char text[8] = "";
	struct blocked b;

	CHECK_EQ(pipe(ends), 0);
	blocked_begin(&b, SYS_read, feed, &ends[1]);
	CHECK_EQ(read(ends[0], text, sizeof text), 3);
	CHECK(strcmp(text, "fed") == 0);
	blocked_end(&b);
	pass();
}

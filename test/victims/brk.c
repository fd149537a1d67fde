/* The break: where it was, with its content, and it grows and shrinks afterwards. */
#include "victim.h"

#define SIZE (3 * 1024 * 1024 + 123)

int main(void)
{
	char *start = sbrk(0);
	void *end;

	CHECK_EQ((intptr_t)sbrk(SIZE), (intptr_t)start);
	for (int i = 0; i < SIZE; i++)
		start[i] = (char)(i / 1000);
	end = sbrk(0);
	ready();
	wait_go();
	CHECK(sbrk(0) == end);
	CHECK(sbrk(1 << 20) == end);
	memset(end, 1, 1 << 20);
	CHECK(sbrk(-(1 << 20)) == (char *)end + (1 << 20));
	for (int i = 0; i < SIZE; i++)
		CHECK_EQ(start[i], (char)(i / 1000));
	CHECK(sbrk(-SIZE) == end);
	CHECK(sbrk(0) == start);
	free(malloc(200000));
	pass();
}

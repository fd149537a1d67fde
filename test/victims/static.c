/* Threads, thread-local data and files of a statically linked program (and, as static_pie, one with a random base). */
#include "victim.h"

static __thread int mine;
static int ends[2];

static void *thread(void *arg)
{
	char text[8] = "";

	mine = (int)(intptr_t)arg;
	CHECK_EQ(read(ends[0], text, 2), 2);
	CHECK(memcmp(text, "go", 2) == 0);
	CHECK_EQ(mine, (intptr_t)arg);
	return arg;
}

int main(void)
{
	pthread_t threads[3];
	char *heap = malloc(100000);

	mine = 100;
	memset(heap, 'h', 100000);
	CHECK_EQ(pipe(ends), 0);
	for (intptr_t i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
	ready();
	wait_go();
	CHECK_EQ(write(ends[1], "gogogo", 6), 6);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 100000; i++)
		CHECK_EQ(heap[i], 'h');
	heap = realloc(heap, 10000000);
	CHECK(heap);
	CHECK_EQ(mine, 100);
	pass();
}

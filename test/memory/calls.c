/* Every call that the preloaded object wraps and that can be held, one after the
 * other while memory is short. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES (24ul << 20)
#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			printf("line %d: %s\n", __LINE__, #x);                                     \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static void use(void *p)
{
	CHECK(p && p != MAP_FAILED);
	memset(p, 1, BYTES);
	usleep(20000);
}

static void *nothing(void *arg)
{
	return arg;
}

int main(void)
{
	int how = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	pthread_attr_t attr;
	pthread_t id;
	void *p;

	use(malloc(BYTES));
	use(calloc(BYTES / 16, 16));
	use(realloc(malloc(100), BYTES));
	use(reallocarray(NULL, BYTES / 8, 8));
	CHECK(posix_memalign(&p, 4096, BYTES) == 0);
	use(p);
	use(aligned_alloc(64, BYTES));
	use(memalign(64, BYTES));
	use(valloc(BYTES));
	use(pvalloc(BYTES));
	use(mmap(NULL, BYTES, how, flags, -1, 0));
	p = mmap(NULL, 4096, how, flags, -1, 0);
	CHECK(p != MAP_FAILED);
	use(mremap(p, 4096, BYTES, MREMAP_MAYMOVE));
	use(sbrk(BYTES));
	p = sbrk(0);
	CHECK(brk((char *)p + BYTES) == 0);
	memset(p, 1, BYTES);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, BYTES);
	CHECK(pthread_create(&id, &attr, nothing, NULL) == 0);
	CHECK(pthread_join(id, NULL) == 0);
	/* Not held: a bug's size, a reservation, growth in place. */
	CHECK(!malloc(1ul << 45));
	p = mmap(NULL, 1ul << 36, PROT_NONE, flags | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		munmap(p, 1ul << 36);
	puts("all calls came back");
	return 0;
}

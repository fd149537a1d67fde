/*
 * The preloaded object: calls that ask for memory. Each wrapper calls the next
 * function of its name and looks at the result; nothing else happens unless it
 * failed. Then hold.c decides whether the thread waits and tries again.
 *
 * Facts: before glibc 2.34 dlsym() itself calls calloc() for its error state and
 * survives a NULL. glibc's own allocator does not go through mmap and sbrk of
 * this object, others (jemalloc, tcmalloc) do. The stack of a new thread is
 * mapped inside libc, so pthread_create has to be looked at from outside.
 */
#include "interpose/inside.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread bool looking __attribute__((tls_model("initial-exec")));

void *next_function(const char *name)
{
	void *found;

	if (looking)
		return NULL;
	looking = true;
	found = dlsym(RTLD_NEXT, name);
	looking = false;
	return found;
}

#define DECLARE(name)                                                            \
	static __typeof__(&name) next_##name(void)                               \
	{                                                                        \
		static __typeof__(&name) known;                                  \
		__typeof__(&name) f = __atomic_load_n(&known, __ATOMIC_RELAXED); \
                                                                                 \
		if (likely(f != NULL))                                           \
			return f;                                                \
		f = (__typeof__(&name))next_function(#name);                     \
		__atomic_store_n(&known, f, __ATOMIC_RELAXED);                   \
		return f;                                                        \
	}

DECLARE(malloc)
DECLARE(calloc)
DECLARE(realloc)
DECLARE(posix_memalign)
DECLARE(aligned_alloc)
DECLARE(memalign)
DECLARE(valloc)
DECLARE(pvalloc)
DECLARE(mmap)
DECLARE(mremap)
DECLARE(brk)
DECLARE(sbrk)
DECLARE(pthread_create)
DECLARE(pthread_attr_getstacksize) /* 2.34 again */

#define ARGUMENTS(...) ((const uint64_t[5]){__VA_ARGS__})
#define CALLER __builtin_return_address(0)

static uint64_t product(size_t a, size_t b)
{
	size_t bytes;

	return __builtin_mul_overflow(a, b, &bytes) ? UINT64_MAX : bytes;
}

/* ---- blocks ---------------------------------------------------------------------- */

/* `expression` yields the block, NULL when there was none. */
#define BLOCK(function, wanted, expression, ...)                              \
	for (;;) {                                                            \
		void *block = next_##function() ? (expression) : NULL;        \
                                                                              \
		if (likely(block != NULL) || !(wanted))                       \
			return block;                                         \
		if (looking || !call_failed(CALL_##function, errno, (wanted), \
				       ARGUMENTS(__VA_ARGS__), CALLER))       \
			return NULL;                                          \
	}

EXPORT void *malloc(size_t n){BLOCK(malloc, n, next_malloc()(n), n)}

EXPORT void *calloc(size_t n, size_t size){
	BLOCK(calloc, product(n, size), next_calloc()(n, size), n, size)}

EXPORT void *realloc(void *p, size_t n){BLOCK(realloc, n, next_realloc()(p, n), (uint64_t)p, n)}

/* glibc has it since 2.26. */
EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	uint64_t bytes = product(n, size);

	if (bytes == UINT64_MAX) {
		call_failed(
			CALL_reallocarray, ENOMEM, bytes, ARGUMENTS((uint64_t)p, n, size), CALLER);
		errno = ENOMEM;
		return NULL;
	}
	for (;;) {
		void *block = next_realloc() ? next_realloc()(p, bytes) : NULL;

		if (likely(block != NULL) || !bytes)
			return block;
		if (looking || !call_failed(CALL_reallocarray, errno, bytes,
				       ARGUMENTS((uint64_t)p, n, size), CALLER))
			return NULL;
	}
}

EXPORT void *aligned_alloc(size_t alignment, size_t n){
	BLOCK(aligned_alloc, n, next_aligned_alloc()(alignment, n), alignment, n)}

EXPORT void *memalign(size_t alignment, size_t n){
	BLOCK(memalign, n, next_memalign()(alignment, n), alignment, n)}

EXPORT void *valloc(size_t n){BLOCK(valloc, n, next_valloc()(n), n)}

EXPORT void *pvalloc(size_t n){BLOCK(pvalloc, n, next_pvalloc()(n), n)}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t n)
{
	for (;;) {
		int r = next_posix_memalign() ? next_posix_memalign()(ret, alignment, n) : ENOMEM;

		if (likely(r == 0) || looking ||
			!call_failed(CALL_posix_memalign, r, n, ARGUMENTS(alignment, n), CALLER))
			return r;
	}
}

/* ---- mappings --------------------------------------------------------------------- */

static void *map(enum wire_function function, void *at, size_t n, int protection, int flags, int fd,
	off_t offset, const void *caller)
{
	for (;;) {
		void *p = next_mmap()
				  ? next_mmap()(at, n, protection, flags, fd, offset)
				  : (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);

		if (likely(p != MAP_FAILED) ||
			!call_failed(function, errno, n,
				ARGUMENTS((uint64_t)at, n, (uint64_t)protection, (uint64_t)flags,
					(uint64_t)fd),
				caller))
			return p;
	}
}

EXPORT void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	return map(CALL_mmap, at, n, protection, flags, fd, offset, CALLER);
}

EXPORT void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset)
{
	return map(CALL_mmap64, at, n, protection, flags, fd, offset, CALLER);
}

EXPORT void *mremap(void *old, size_t old_n, size_t n, int flags, ...)
{
	void *to = NULL;
	va_list list;

	if (flags & MREMAP_FIXED) {
		va_start(list, flags);
		to = va_arg(list, void *);
		va_end(list);
	}
	for (;;) {
		void *p = next_mremap()(old, old_n, n, flags, to);

		if (likely(p != MAP_FAILED) ||
			!call_failed(CALL_mremap, errno, n > old_n ? n - old_n : 0,
				ARGUMENTS((uint64_t)old, old_n, n, (uint64_t)flags), CALLER))
			return p;
	}
}

EXPORT int brk(void *end)
{
	for (;;) {
		uintptr_t now = (uintptr_t)next_sbrk()(0);
		int r = next_brk()(end);

		if (likely(r == 0) || (uintptr_t)end <= now ||
			!call_failed(CALL_brk, errno, (uintptr_t)end - now,
				ARGUMENTS((uint64_t)end), CALLER))
			return r;
	}
}

EXPORT void *sbrk(intptr_t increment)
{
	for (;;) {
		void *p = next_sbrk()(increment);

		if (likely(p != (void *)-1) || increment <= 0 ||
			!call_failed(CALL_sbrk, errno, (uint64_t)increment,
				ARGUMENTS((uint64_t)increment), CALLER))
			return p;
	}
}

/* ---- threads ------------------------------------------------------------------------ */

static uint64_t stack_bytes(const pthread_attr_t *attr)
{
	struct rlimit limit;
	size_t n = 0;

	if (attr && next_pthread_attr_getstacksize() &&
		next_pthread_attr_getstacksize()(attr, &n) == 0 && n)
		return n;
	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		return limit.rlim_cur;
	return 8u << 20;
}

EXPORT int pthread_create(
	pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	for (;;) {
		int r = next_pthread_create() ? next_pthread_create()(ret, attr, run, arg) : EAGAIN;
		uint64_t stack;

		if (likely(r == 0))
			return 0;
		stack = stack_bytes(attr);
		if (!call_failed(CALL_pthread_create, r, stack, ARGUMENTS(stack), CALLER))
			return r;
	}
}

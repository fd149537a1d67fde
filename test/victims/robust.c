/*
 * A robust mutex whose owner ends after the resume: the kernel walks the list
 * it was told of at the thread's start, and the next one gets EOWNERDEAD. For
 * a thread, and for a process over shared memory.
 */
#include "victim.h"

#include <sys/mman.h>

static volatile int held, end_now;

static void *owner(void *arg)
{
	CHECK_EQ(pthread_mutex_lock(arg), 0);
	held = 1;
	while (!end_now)
		nap_ms(5);
	return NULL;
}

static void check_dead(pthread_mutex_t *m)
{
	int r = pthread_mutex_lock(m);

	CHECK_EQ(r, EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(m), 0);
	CHECK_EQ(pthread_mutex_unlock(m), 0);
}

int main(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	int said[2];
	pthread_t thread;
	pid_t child;
	char byte;

	CHECK(m != MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(&m[0], &attr), 0);
	CHECK_EQ(pthread_mutex_init(&m[1], &attr), 0);
	CHECK_EQ(pipe(said), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK_EQ(pthread_mutex_lock(&m[1]), 0);
		CHECK_EQ(write(said[1], "x", 1), 1);
		wait_go();
		_exit(0);
	}
	CHECK_EQ(read(said[0], &byte, 1), 1);
	CHECK_EQ(pthread_create(&thread, NULL, owner, &m[0]), 0);
	while (!held)
		nap_ms(1);
	ready();
	wait_go();
	end_now = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	check_dead(&m[0]);
	reap_ok(child);
	check_dead(&m[1]);
	pass();
}

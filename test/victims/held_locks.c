/*
 * Locks that are held, by the main thread and by another one, and that look at
 * their owner's id: read-write, recursive, error-checking, robust and
 * priority-inheriting ones. Without a PID namespace the ids are new.
 */
#include "victim.h"

enum { NORMAL, RECURSIVE, CHECKING, ROBUST, INHERITING, KINDS };

struct locks {
	pthread_mutex_t mutex[KINDS];
	pthread_rwlock_t rwlock;
};

static struct locks mine, others;
static volatile int held, go_on;

static void make(struct locks *l)
{
	static const int types[KINDS] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
		PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ERRORCHECK};

	for (int i = 0; i < KINDS; i++) {
		pthread_mutexattr_t attr;

		CHECK_EQ(pthread_mutexattr_init(&attr), 0);
		CHECK_EQ(pthread_mutexattr_settype(&attr, types[i]), 0);
		if (i == ROBUST)
			CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
		if (i == INHERITING)
			CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
		CHECK_EQ(pthread_mutex_init(&l->mutex[i], &attr), 0);
	}
	CHECK_EQ(pthread_rwlock_init(&l->rwlock, NULL), 0);
}

static void take(struct locks *l)
{
	for (int i = 0; i < KINDS; i++)
		CHECK_EQ(pthread_mutex_lock(&l->mutex[i]), 0);
	CHECK_EQ(pthread_rwlock_wrlock(&l->rwlock), 0);
}

/* Held by somebody else. */
static void busy(struct locks *l)
{
	for (int i = 0; i < KINDS; i++)
		CHECK_EQ(pthread_mutex_trylock(&l->mutex[i]), EBUSY);
	CHECK_EQ(pthread_rwlock_tryrdlock(&l->rwlock), EBUSY);
}

static void give(struct locks *l)
{
	CHECK_EQ(pthread_mutex_lock(&l->mutex[RECURSIVE]), 0);
	CHECK_EQ(pthread_mutex_unlock(&l->mutex[RECURSIVE]), 0);
	CHECK_EQ(pthread_mutex_lock(&l->mutex[CHECKING]), EDEADLK);
	CHECK_EQ(pthread_rwlock_wrlock(&l->rwlock), EDEADLK);
	for (int i = 0; i < KINDS; i++)
		CHECK_EQ(pthread_mutex_unlock(&l->mutex[i]), 0);
	CHECK_EQ(pthread_rwlock_unlock(&l->rwlock), 0);
}

static void *other(void *arg)
{
	take(&others);
	held = 1;
	while (!go_on)
		nap_ms(2);
	busy(&mine);
	give(&others);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	make(&mine);
	make(&others);
	take(&mine);
	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	while (!held)
		nap_ms(1);
	ready();
	wait_go();
	busy(&others);
	go_on = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	take(&others);
	give(&others);
	give(&mine);
	take(&mine);
	give(&mine);
	pass();
}

/* 64 threads, each with its own thread-local data, asleep on one condition. */
#include "victim.h"

#define THREADS 64

static __thread long mine = -1;
static __thread char name[100];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static int waiting, open_now;

static void *thread(void *arg)
{
	long number = (intptr_t)arg;
	char want[100], comm[16], have[16];
	pthread_t self = pthread_self();

	mine = number * 1000003;
	snprintf(name, sizeof name, "thread number %ld", number);
	snprintf(comm, sizeof comm, "t%ld", number);
	CHECK_EQ(pthread_setname_np(self, comm), 0);
	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	waiting++;
	while (!open_now)
		CHECK_EQ(pthread_cond_wait(&change, &lock), 0);
	CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	snprintf(want, sizeof want, "thread number %ld", number);
	CHECK(strcmp(want, name) == 0);
	CHECK_EQ(mine, number * 1000003);
	CHECK(pthread_equal(self, pthread_self()));
	CHECK_EQ(pthread_getname_np(self, have, sizeof have), 0);
	CHECK(strcmp(have, comm) == 0);
	return arg;
}

int main(void)
{
	pthread_t threads[THREADS];
	void *result;

	mine = -7;
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
	for (int all = 0; !all; nap_ms(2)) {
		pthread_mutex_lock(&lock);
		all = waiting == THREADS;
		pthread_mutex_unlock(&lock);
	}
	ready();
	wait_go();
	pthread_mutex_lock(&lock);
	open_now = 1;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&lock);
	for (intptr_t i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((intptr_t)result, i);
	}
	CHECK_EQ(mine, -7);
	pass();
}

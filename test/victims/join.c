/* pthread_join of threads that end after the resume: the kernel clears the id it was told of. */
#include "victim.h"

#define THREADS 8

static void *thread(void *arg)
{
	wait_go();
	nap_ms(10 * (intptr_t)arg);
	return (void *)((intptr_t)arg * 3);
}

int main(void)
{
	pthread_t threads[THREADS];
	struct timespec until;
	void *result;

	for (intptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
	ready();
	for (intptr_t i = THREADS - 1; i >= 0; i--) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 60;
		CHECK_EQ(pthread_timedjoin_np(threads[i], &result, &until), 0);
		CHECK_EQ((intptr_t)result, i * 3);
	}
	pass();
}

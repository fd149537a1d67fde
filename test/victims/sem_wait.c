/* sem_clockwait in one thread, sem_wait in another. */
#include "blocked.h"

#include <semaphore.h>

static sem_t never, later;

static void post(void *arg)
{
	CHECK_EQ(sem_post(&later), 0);
}

static void *waiter(void *arg)
{
	CHECK_EQ(sem_wait(&later), 0);
	return arg;
}

int main(void)
{
	int64_t start = now_ns(CLOCK_MONOTONIC), end = start + 1500000000;
	struct timespec until = {end / NSEC, end % NSEC};
	struct blocked b;
	pthread_t thread;

	CHECK_EQ(sem_init(&never, 0, 0), 0);
	CHECK_EQ(sem_init(&later, 0, 0), 0);
	CHECK_EQ(pthread_create(&thread, NULL, waiter, NULL), 0);
	blocked_begin(&b, SYS_futex, post, NULL);
	CHECK_EQ(sem_clockwait(&never, CLOCK_MONOTONIC, &until), -1);
	CHECK_EQ(errno, ETIMEDOUT);
	check_lasted(start, 1500000000);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	blocked_end(&b);
	pass();
}

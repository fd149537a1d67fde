/* Process, parent, group and thread ids; signals sent by the numbers stored. */
#include "victim.h"

#include <signal.h>

#define THREADS 4

static pid_t tids[THREADS];
static volatile sig_atomic_t hits[THREADS], process_hits;
static __thread int me = -1;
static pthread_barrier_t all_there;
static volatile int checked;

static void on_thread(int sig)
{
	hits[me]++;
}

static void on_process(int sig)
{
	process_hits++;
}

static void *thread(void *arg)
{
	me = (int)(intptr_t)arg;
	tids[me] = gettid();
	pthread_barrier_wait(&all_there);
	while (!checked)
		nap_ms(5);
	CHECK_EQ(hits[me], 1);
	if (!new_pids())
		CHECK_EQ(gettid(), tids[me]);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	pid_t pid = getpid(), parent = getppid(), group = getpgrp(), session = getsid(0);

	signal(SIGUSR1, on_thread);
	signal(SIGUSR2, on_process);
	pthread_barrier_init(&all_there, NULL, THREADS + 1);
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, thread, (void *)i) == 0);
	pthread_barrier_wait(&all_there);
	ready();
	wait_go();
	if (!new_pids()) {
		CHECK_EQ(getpid(), pid);
		CHECK_EQ(getppid(), parent);
		CHECK_EQ(getpgrp(), group);
		CHECK_EQ(getsid(0), session);
		CHECK_EQ(gettid(), pid);
		CHECK_EQ(kill(pid, SIGUSR2), 0);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(syscall(SYS_tgkill, pid, tids[i], SIGUSR1), 0);
	} else {
		/* What the C library remembers has to be right all the same. */
		CHECK_EQ(raise(SIGUSR2), 0);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_kill(threads[i], SIGUSR1), 0);
	}
	for (int i = 0; i < 1000 && !(hits[0] && hits[1] && hits[2] && hits[3]); i++)
		nap_ms(2);
	checked = 1;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(process_hits, 1);
	pass();
}

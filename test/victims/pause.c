/* pause returns for a signal, not for a checkpoint. */
#include "blocked.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void handler(int sig)
{
	came++;
}

static void wake(void *arg)
{
	CHECK_EQ(came, 0);
	CHECK_EQ(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0);
}

int main(void)
{
	pthread_t self = pthread_self();
	struct blocked b;

	signal(SIGUSR1, handler);
	blocked_begin(&b, SYS_pause, wake, &self);
	CHECK_EQ(syscall(SYS_pause), -1);
	CHECK_EQ(errno, EINTR);
	CHECK_EQ(came, 1);
	blocked_end(&b);
	pass();
}

/* A signalfd: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <signal.h>
#include <sys/signalfd.h>

int main(void)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	fd = signalfd(-1, &set, 0);
	CHECK(fd >= 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	ready();
	wait_go();
	CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
	CHECK_EQ(info.ssi_signo, SIGUSR1);
	pass();
}

/* A daemon by double fork, in a session of its own, whose parents are gone; it reports over a pipe. */
#include "victim.h"

static void daemon_runs(int out)
{
	pid_t pid = getpid(), parent = getppid(), session = getsid(0), group = getpgrp();

	CHECK_EQ(write(out, "r", 1), 1);
	wait_go();
	CHECK_EQ(getpid(), pid);
	CHECK_EQ(getppid(), parent);
	CHECK_EQ(getsid(0), session);
	CHECK_EQ(getpgrp(), group);
	CHECK_EQ(write(out, "k", 1), 1);
	_exit(0);
}

int main(void)
{
	int said[2];
	pid_t child;
	char byte;

	CHECK_EQ(pipe(said), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(setsid() > 0);
		child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			while (getppid() == getsid(0))
				nap_ms(1);
			daemon_runs(said[1]);
		}
		_exit(0);
	}
	reap_ok(child);
	close(said[1]);
	CHECK_EQ(read(said[0], &byte, 1), 1);
	CHECK_EQ(byte, 'r');
	ready();
	wait_go();
	CHECK_EQ(read(said[0], &byte, 1), 1);
	CHECK_EQ(byte, 'k');
	CHECK_EQ(read(said[0], &byte, 1), 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	pass();
}

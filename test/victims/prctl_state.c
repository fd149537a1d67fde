/* What prctl sets: dumpable, no_new_privs, personality, subreaper, parent-death signal, timer slack, THP. */
#include "victim.h"

#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>

int main(void)
{
	int said[2], value;
	pid_t child;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK(personality(ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS) >= 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 123456), 0);
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	CHECK_EQ(pipe(said), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
		CHECK_EQ(write(said[1], "x", 1), 1);
		wait_go();
		CHECK_EQ(prctl(PR_GET_PDEATHSIG, &value), 0);
		CHECK_EQ(value, SIGUSR1);
		/* Inherited over fork, or not, as ever. */
		CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
		CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &value), 0);
		CHECK_EQ(value, 0);
		_exit(0);
	}
	CHECK_EQ(read(said[0], &value, 1), 1);
	ready();
	wait_go();
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS);
	CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &value), 0);
	CHECK_EQ(value, 1);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 123456);
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	reap_ok(child);
	pass();
}

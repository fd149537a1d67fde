/* A grandchild adopted by the nearest subreaper, which then waits for it; its own parent ended before. */
#include "victim.h"

#include <sys/prctl.h>

int main(void)
{
	int said[2];
	pid_t child, grandchild, me = getpid();

	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(pipe(said), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			while (getppid() != me)
				nap_ms(1);
			child = getpid();
			CHECK_EQ(write(said[1], &child, sizeof child), sizeof child);
			wait_go();
			CHECK_EQ(getppid(), me);
			_exit(0);
		}
		_exit(0);
	}
	reap_ok(child);
	CHECK_EQ(read(said[0], &grandchild, sizeof grandchild), sizeof grandchild);
	ready();
	wait_go();
	reap_ok(grandchild);
	pass();
}

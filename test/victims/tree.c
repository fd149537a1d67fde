/* Three generations, each knowing its parent, each reaped by its own parent. */
#include "victim.h"

static void generation(int left)
{
	pid_t me = getpid(), parent = getppid(), children[2];
	int count = left > 0 ? 2 : 0;
	int said[2];
	char byte;

	CHECK_EQ(pipe(said), 0);
	for (int i = 0; i < count; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0);
		if (children[i] == 0) {
			generation(left - 1);
			_exit(0);
		}
	}
	if (left == 2)
		ready();
	wait_go();
	if (!new_pids()) {
		CHECK_EQ(getpid(), me);
		CHECK_EQ(getppid(), parent);
		for (int i = 0; i < count; i++)
			reap_ok(children[i]);
	}
	for (int i = 0; new_pids() && i < count; i++)
		CHECK(wait(NULL) > 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);
	close(said[1]);
	CHECK_EQ(read(said[0], &byte, 1), 0);
}

int main(void)
{
	generation(2);
	pass();
}

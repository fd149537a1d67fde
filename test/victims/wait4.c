/* Blocked in wait4 for a child that ends after the resume. */
#include "blocked.h"

int main(void)
{
	struct blocked b;
	pid_t child, got;
	int status;

	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		wait_go();
		_exit(23);
	}
	blocked_begin(&b, SYS_wait4, NULL, NULL);
	got = waitpid(-1, &status, 0);
	CHECK(got > 0);
	if (!new_pids())
		CHECK_EQ(got, child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 23);
	blocked_end(&b);
	pass();
}

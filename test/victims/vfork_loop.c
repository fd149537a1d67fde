/* Nothing but vfork and exec: the parent cannot be stopped while its child is not there yet. */
#include "victim.h"

#include <spawn.h>

extern char **environ;

static pid_t start(char *const *arguments)
{
	pid_t child = vfork();

	if (child == 0) {
		execve("/proc/self/exe", arguments, environ);
		_exit(99);
	}
	return child;
}

int main(int argc, char **argv)
{
	char word[] = "child";
	char *const arguments[] = {argv[0], word, NULL};
	long rounds = 0;
	pid_t child;

	if (argc > 1)
		_exit(17);
	ready();
	for (; rounds < 20 || !gone_on(); rounds++) {
		int status = -1;

		if (rounds % 2) {
			CHECK_EQ(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
		} else {
			child = start(arguments);
		}
		CHECK(child > 0);
		CHECK_EQ(waitpid(-1, &status, 0), child);
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), 17);
	}
	pass();
}

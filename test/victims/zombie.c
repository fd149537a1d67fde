/* Children that have ended but were not waited for: exit code and signal are fetched after the resume. */
#include "victim.h"

#include <signal.h>
#include <sys/resource.h>

int main(void)
{
	pid_t exited, killed;
	siginfo_t info;
	int status;

	exited = fork();
	CHECK(exited >= 0);
	if (exited == 0)
		_exit(42);
	killed = fork();
	CHECK(killed >= 0);
	if (killed == 0) {
		for (;;)
			pause();
	}
	CHECK_EQ(kill(killed, SIGUSR1), 0);
	CHECK_EQ(waitid(P_PID, (id_t)exited, &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT), 0);
	ready();
	wait_go();
	CHECK_EQ(waitpid(exited, &status, WNOHANG), exited);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 42);
	CHECK_EQ(waitpid(killed, &status, WNOHANG), killed);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGUSR1);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);
	pass();
}

/* A child stopped by SIGSTOP stays stopped and goes on with SIGCONT; its parent learns of both. */
#include "victim.h"

#include <signal.h>

int main(void)
{
	int said[2], status;
	pid_t child;
	char byte;

	CHECK_EQ(pipe(said), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		for (;;) {
			nap_ms(5);
			if (write(said[1], "x", 1) != 1)
				_exit(1);
		}
	}
	CHECK_EQ(read(said[0], &byte, 1), 1);
	CHECK_EQ(kill(child, SIGSTOP), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	close(said[1]);
	ready();
	wait_go();
	CHECK_EQ(waitpid(child, &status, WNOHANG | WUNTRACED), 0); /* told once already */
	char path[64], line[256], state = '?';
	snprintf(path, sizeof path, "/proc/%d/stat", child);
	FILE *f = fopen(path, "re");
	CHECK(f && fgets(line, sizeof line, f));
	fclose(f);
	CHECK_EQ(sscanf(strrchr(line, ')'), ") %c", &state), 1);
	CHECK_EQ(state, 'T');
	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(read(said[0], &byte, 1), 1);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	pass();
}

/* A few processes that fork children which end at once, all the time; none may be lost or counted twice. */
#include "victim.h"

#include <sys/mman.h>

#define FORKERS 4

/* One's own children come back with the code they were given. */
static void forker(volatile long *ended)
{
	for (long i = 0; i < 50 || !gone_on(); i++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0);
		if (child == 0) {
			nap_ms(i % 3);
			(*ended)++;
			_exit((int)(i % 100));
		}
		CHECK_EQ(waitpid(-1, &status, 0), child);
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), i % 100);
		CHECK_EQ(*ended, i + 1);
	}
	_exit(0);
}

int main(void)
{
	volatile long *ended = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[FORKERS];

	CHECK(ended != MAP_FAILED);
	for (int i = 0; i < FORKERS; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0);
		if (children[i] == 0)
			forker(&ended[i * 8]);
	}
	nap_ms(50);
	ready();
	wait_go();
	for (int i = 0; i < FORKERS; i++)
		reap_ok(children[i]);
	pass();
}

/* Checkpointed while a handler runs on the alternate stack. */
#include "victim.h"

#include <signal.h>

static char stack[64 * 1024];
static volatile sig_atomic_t depth;

static bool on_it(const void *address)
{
	return (const char *)address >= stack && (const char *)address < stack + sizeof stack;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	stack_t now;
	int local = 4711;

	if (++depth == 2)
		return;
	CHECK(on_it(&local));
	ready();
	wait_go();
	CHECK(on_it(&local));
	CHECK_EQ(local, 4711);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK_EQ(now.ss_flags, SS_ONSTACK);
	CHECK_EQ(info->si_signo, SIGUSR1);
	CHECK(info->si_value.sival_int == 99);
}

int main(void)
{
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, now;
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_ONSTACK | SA_SIGINFO};
	volatile long before = 0x1234567;

	CHECK_EQ(sigaltstack(&alternate, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 99}), 0);
	CHECK_EQ(depth, 1);
	CHECK_EQ(before, 0x1234567);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_sp == stack && now.ss_size == sizeof stack && now.ss_flags == 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(depth, 2);
	pass();
}

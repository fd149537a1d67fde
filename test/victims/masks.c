/* Signal masks of two threads; handlers, flags and masks of every action. */
#include "victim.h"

#include <signal.h>

static volatile int checked;

/* Not the two that cannot be set, not those the C library keeps for itself. */
static bool usable(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP && (sig < 32 || sig > 33);
}

static void handler(int sig)
{
}

static void action(int sig, siginfo_t *info, void *context)
{
}

/* Another action for each signal. */
static void wanted(int sig, struct sigaction *a)
{
	static const int flags[] = {SA_RESTART, SA_NODEFER, SA_ONSTACK, SA_RESTART | SA_NODEFER};

	memset(a, 0, sizeof *a);
	sigemptyset(&a->sa_mask);
	if (sig % 5 == 0) {
		a->sa_handler = SIG_IGN;
		return;
	}
	sigaddset(&a->sa_mask, sig % 31 + 1);
	sigaddset(&a->sa_mask, 64 - sig % 20);
	a->sa_flags = flags[sig % 4];
	if (sig % 2) {
		a->sa_flags |= SA_SIGINFO;
		a->sa_sigaction = action;
	} else {
		a->sa_handler = handler;
	}
}

static void check_actions(void)
{
	struct sigaction want, have;

	for (int sig = 1; sig <= 64; sig++) {
		if (!usable(sig))
			continue;
		wanted(sig, &want);
		CHECK_EQ(sigaction(sig, NULL, &have), 0);
		CHECK(have.sa_sigaction == want.sa_sigaction);
		CHECK_EQ(have.sa_flags & ~0x04000000, want.sa_flags); /* without SA_RESTORER */
		for (int i = 1; i <= 64; i++)
			if (usable(i))
				CHECK_EQ(sigismember(&have.sa_mask, i), sigismember(&want.sa_mask, i));
	}
}

static void check_mask(int step)
{
	sigset_t mask;

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	for (int i = 1; i <= 64; i++)
		if (usable(i))
			CHECK_EQ(sigismember(&mask, i), i % step == 0);
}

static void set_mask(int step)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (int i = step; i <= 64; i += step)
		sigaddset(&mask, i);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
}

static void *thread(void *arg)
{
	set_mask(3);
	*(volatile int *)arg = 1;
	while (!checked)
		nap_ms(5);
	check_mask(3);
	return NULL;
}

int main(void)
{
	volatile int set = 0;
	struct sigaction a;
	pthread_t other;

	for (int sig = 1; sig <= 64; sig++)
		if (usable(sig)) {
			wanted(sig, &a);
			CHECK_EQ(sigaction(sig, &a, NULL), 0);
		}
	CHECK_EQ(pthread_create(&other, NULL, thread, (void *)&set), 0);
	set_mask(2);
	while (!set)
		nap_ms(1);
	ready();
	wait_go();
	checked = 1;
	check_mask(2);
	check_actions();
	CHECK_EQ(pthread_join(other, NULL), 0);
	pass();
}

/* What each signal means: see signals.h. */
#include "job/signals.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Sent by a process, to us or to our whole group; the terminal's and the
 * kernel's own have SI_KERNEL or a positive code. */
static bool sent_by_process(const struct signalfd_siginfo *info)
{
	return info->ssi_code <= 0;
}

enum signal_act signal_act_of(const struct signalfd_siginfo *info, int checkpoint_signal)
{
	int sig = (int)info->ssi_signo;

	if (sig == checkpoint_signal)
		return SIGNAL_CHECKPOINT;
	switch (sig) {
	case SIGTSTP:
		return SIGNAL_SUSPEND;
	case SIGCONT:
		return SIGNAL_CONTINUE;
	case SIGWINCH:
	case SIGTTIN:
	case SIGTTOU:
	case SIGPIPE:
	case SIGURG:
	/* Limits of cragon's own CPU time and file size, not the job's. */
	case SIGXCPU:
	case SIGXFSZ:
		return SIGNAL_DROP;
	default:
		return sent_by_process(info) ? SIGNAL_FORWARD : SIGNAL_DROP;
	}
}

/* Faults must stay fatal; SIGCHLD is the engine's business. */
static sigset_t concerning_us(void)
{
	static const int left[] = {
		SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGCHLD};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		sigdelset(&set, left[i]);
	return set;
}

int signals_block(sigset_t *ret_before)
{
	sigset_t set = concerning_us();

	return sigprocmask(SIG_BLOCK, &set, ret_before) < 0 ? -errno : 0;
}

int signals_open(void)
{
	sigset_t set = concerning_us();
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void stop_self(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	/* Unblocking delivers it; an orphaned process group ignores it, as it should. */
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

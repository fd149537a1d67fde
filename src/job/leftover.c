/* Processes that COMMAND left running: see leftover.h. */
#include "job/leftover.h"
#include "base/io.h"
#include "sys/procfs.h"

#include <signal.h>

#define GRACE_NS (2 * NS_PER_SEC)
#define GRACE_STEP_NS (10 * NS_PER_MSEC)
#define NAMED_MAX 20

static void name_them(struct log *log, const pid_t *pids, int n, const char *what)
{
	struct proc_stat stat;

	for (int i = 0; i < MIN(n, NAMED_MAX); i++)
		if (proc_stat(pids[i], &stat) == 0)
			log_info(log, "%s process %d (%s), left by the command", what, (int)pids[i],
				stat.comm);
	if (n > NAMED_MAX)
		log_info(log, "and %d more", n - NAMED_MAX);
}

void leftover_end(struct job *job, struct log *log)
{
	cleanup_free pid_t *pids = NULL;
	int n = job_processes(job, &pids);
	uint64_t until = now_mono_ns() + GRACE_NS;

	if (n <= 0)
		return;
	name_them(log, pids, n, "ending");
	job_signal_all(job, SIGTERM);
	/* A stopped process takes its SIGTERM only when it goes on. */
	job_signal_all(job, SIGCONT);
	do {
		sleep_ns(GRACE_STEP_NS);
		free_p(&pids);
		n = job_processes(job, &pids);
	} while (n > 0 && now_mono_ns() < until);
	if (n > 0)
		name_them(log, pids, n, "killing");
	job_end(job);
}

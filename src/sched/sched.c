/* The batch system: see sched.h. */
#include "sched/sched.h"
#include "base/io.h"
#include "base/units.h"
#include "sys/procfs.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {
	[SCHED_NONE] = "", [SCHED_SLURM] = "slurm", [SCHED_GRID_ENGINE] = "grid-engine"};

const char *sched_name(enum sched_system s)
{
	return names[s];
}

/* Ids end up as arguments of commands. */
static bool is_id(const char *s)
{
	return s && *s && strlen(s) < sizeof((struct sched *)0)->id &&
	       strspn(s, "0123456789_.") == strlen(s);
}

void sched_detect(struct sched *ret)
{
	const char *slurm = getenv("SLURM_JOB_ID"), *sge = getenv("JOB_ID");

	*ret = (struct sched){0};
	if (is_id(slurm)) {
		ret->system = SCHED_SLURM;
		strcpy(ret->id, slurm);
	} else if (is_id(sge) && (getenv("SGE_ROOT") || getenv("SGE_TASK_ID"))) {
		ret->system = SCHED_GRID_ENGINE;
		strcpy(ret->id, sge);
	}
}

/* Grid Engine's -notify sends USR2 before KILL and USR1 before STOP and at s_rt;
 * Slurm sends TERM, or what --signal asks for, which is USR1 by custom. */
bool sched_is_warning(const struct sched *s, int sig)
{
	return s->system != SCHED_NONE &&
	       (sig == SIGTERM || sig == SIGXCPU || sig == SIGUSR1 || sig == SIGUSR2);
}

int sched_parse_slurm_left(const char *text, uint64_t *ret_ns)
{
	char word[32];

	if (sscanf(text, " %31s", word) != 1 || !strcmp(word, "INVALID"))
		return -EPROTO;
	if (!strcmp(word, "UNLIMITED") || !strcmp(word, "NOT_SET"))
		return -ENODATA;
	return duration_parse(word, ret_ns) < 0 ? -EPROTO : 0;
}

/* "hard resource_list:   h_rt=3600,h_vmem=2G"; the lower of h_rt and s_rt. */
int sched_parse_qstat(const char *text, uint64_t *ret_limit_ns)
{
	static const char *const keys[] = {"h_rt=", "s_rt="};
	uint64_t least = UINT64_MAX;

	if (!strstr(text, "job_number:"))
		return -EPROTO;
	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');

		for (size_t i = 0;
			strstr(line, "resource_list:") &&
			(!end || strstr(line, "resource_list:") < end) && i < ARRAY_LEN(keys);
			i++) {
			const char *at = strstr(line, keys[i]);
			char word[32];
			uint64_t ns;

			if (at && (!end || at < end) &&
				sscanf(at + strlen(keys[i]), "%31[0-9:]", word) == 1 &&
				duration_parse(word, &ns) == 0)
				least = MIN(least, ns);
		}
		line = end ? end + 1 : NULL;
	}
	if (least == UINT64_MAX)
		return -ENODATA;
	*ret_limit_ns = least;
	return 0;
}

static int slurm_left(const struct sched *s, uint64_t *ret)
{
	const char *end = getenv("SLURM_JOB_END_TIME");
	const char *const argv[] = {"squeue", "-h", "-j", s->id, "-o", "%L", NULL};
	uint64_t at = 0;
	char text[256];
	int r;

	if (end && number_parse(end, 1, UINT64_MAX / NS_PER_SEC, &at) == 0) {
		uint64_t now = now_real_ns();

		*ret = at * NS_PER_SEC > now ? at * NS_PER_SEC - now : 0;
		return 0;
	}
	r = sched_ask(argv, text, sizeof text);
	if (r != 0)
		return r < 0 ? r : -EIO;
	return sched_parse_slurm_left(text, ret);
}

/* When our session was made: the shepherd does that when it starts the job. */
static uint64_t age_of_session(void)
{
	struct proc_stat stat;
	struct timespec t;
	uint64_t now, start;

	if (proc_stat(getsid(0), &stat) < 0 && proc_stat(getpid(), &stat) < 0)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &t);
	now = (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
	start = stat.start_time * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	return now > start ? now - start : 0;
}

static int grid_engine_left(const struct sched *s, uint64_t *ret)
{
	const char *const argv[] = {"qstat", "-j", s->id, NULL};
	uint64_t limit, age = age_of_session();
	cleanup_free char *text = malloc(65536);
	int r = text ? sched_ask(argv, text, 65536) : -ENOMEM;

	if (r != 0)
		return r < 0 ? r : -EIO;
	r = sched_parse_qstat(text, &limit);
	if (r == 0)
		*ret = limit > age ? limit - age : 0;
	return r;
}

int sched_time_left(const struct sched *s, uint64_t *ret_ns)
{
	switch (s->system) {
	case SCHED_SLURM:
		return slurm_left(s, ret_ns);
	case SCHED_GRID_ENGINE:
		return grid_engine_left(s, ret_ns);
	case SCHED_NONE:
		break;
	}
	return -ENODATA;
}

/*
 * The rules: which cause fits the facts. In order of priority, the first that
 * applies wins: what Cragon did itself, what the kernel says, what the program
 * says, and last what is merely likely. What a rule needs to know and does not,
 * speaks against it.
 */
#include "diag/rules.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define NEAR_NS (30 * NS_PER_SEC) /* "not long before the end" */
/* A scheduler warns before the limit and kills some time after it. */
#define LIMIT_EARLY_NS (120 * NS_PER_SEC)
#define LIMIT_LATE_NS (600 * NS_PER_SEC)
#define SECOND_MARGIN 1

/* ---- what the tests are made of ----------------------------------------------------- */

static bool ends_programs(int sig)
{
	static const int all[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
		SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGSYS, SIGUSR1,
		SIGUSR2, SIGVTALRM, SIGPROF};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] == sig)
			return true;
	return false;
}

int rules_signal(const struct diag_facts *f)
{
	if (f->how == DIAG_SIGNAL)
		return f->signal;
	if (f->how == DIAG_EXIT && ends_programs(f->exit_code - 128))
		return f->exit_code - 128;
	return 0;
}

static bool failed(const struct diag_facts *f)
{
	return f->how == DIAG_SIGNAL || (f->how == DIAG_EXIT && f->exit_code != 0);
}

/* Exit codes that are the program's own, and abort(), which runtimes end with. */
static bool gave_up(const struct diag_facts *f)
{
	int sig = rules_signal(f);

	return failed(f) && (sig == 0 || sig == SIGABRT);
}

const struct diag_crash *rules_crash(const struct diag_facts *f)
{
	return f->crash.signal && f->crash.signal == rules_signal(f) ? &f->crash : NULL;
}

static bool near_end(const struct diag_facts *f, uint64_t time_ns)
{
	return !time_ns || !f->ended_ns || time_ns + NEAR_NS >= f->ended_ns;
}

static bool asks_to_end(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

const struct diag_signal *rules_request(const struct diag_facts *f)
{
	for (size_t i = f->n_signals; i > 0; i--) {
		const struct diag_signal *s = &f->signals[i - 1];

		if (asks_to_end(s->number) && near_end(f, s->time_ns))
			return s;
	}
	return NULL;
}

const struct diag_call *rules_failed_call(const struct diag_facts *f)
{
	uint64_t end = f->crash.time_ns ? f->crash.time_ns : f->ended_ns;

	for (size_t i = f->n_calls; i > 0; i--) {
		const struct diag_call *c = &f->calls[i - 1];

		if (c->error == ENOMEM || c->error == EAGAIN)
			return !c->time_ns || !end || c->time_ns + NEAR_NS >= end ? c : NULL;
	}
	return NULL;
}

/* A few blocks may be left over that no file gets. */
static bool is_full(const struct diag_disk *d)
{
	return d->path[0] && ((d->total_bytes && d->free_bytes < MIN(MIB, d->total_bytes / 64)) ||
				     (d->total_inodes && d->free_inodes == 0));
}

const struct diag_disk *rules_full_disk(const struct diag_facts *f)
{
	for (size_t i = 0; i < f->n_disks; i++)
		if (is_full(&f->disks[i]))
			return &f->disks[i];
	return NULL;
}

bool rules_memory_short(const struct diag_facts *f)
{
	const struct diag_memory *m = &f->memory;

	if (m->cgroup_limit && m->cgroup_current >= m->cgroup_limit / 20 * 19)
		return true;
	return m->total && m->available && m->available < m->total / 20 &&
	       m->swap_free <= m->swap_total / 10;
}

static bool oom_counted(const struct diag_facts *f)
{
	return f->memory.oom_kills_after > f->memory.oom_kills_before;
}

static bool at_time_limit(const struct diag_facts *f)
{
	return f->time_end_ns && f->ended_ns && f->ended_ns + LIMIT_EARLY_NS >= f->time_end_ns &&
	       f->ended_ns <= f->time_end_ns + LIMIT_LATE_NS;
}

/* ---- tests, one per rule -------------------------------------------------------------- */

static bool is_running(const struct diag_facts *f)
{
	return f->how == DIAG_RUNNING;
}

#define STOPPED_FOR(name, reason)                                     \
	static bool name(const struct diag_facts *f)                  \
	{                                                             \
		return f->how == DIAG_STOPPED && f->stop == (reason); \
	}
STOPPED_FOR(is_stopped_hung, DIAG_STOP_HANG)
STOPPED_FOR(is_stopped_allocation, DIAG_STOP_ALLOCATION)
STOPPED_FOR(is_stopped_memory, DIAG_STOP_MEMORY_LIMIT)
STOPPED_FOR(is_stopped_time, DIAG_STOP_TIME_LIMIT)
STOPPED_FOR(is_stopped_cpu, DIAG_STOP_CPU_LIMIT)
STOPPED_FOR(is_stopped_scheduler, DIAG_STOP_SCHEDULER)

static bool is_stopped(const struct diag_facts *f)
{
	return f->how == DIAG_STOPPED;
}

static bool is_lost(const struct diag_facts *f)
{
	return f->how == DIAG_LOST;
}

static bool is_lost_oom(const struct diag_facts *f)
{
	return is_lost(f) && (oom_counted(f) || f->kernel_oom[0] || rules_memory_short(f));
}

static bool is_lost_time(const struct diag_facts *f)
{
	return is_lost(f) && at_time_limit(f);
}

/* Another boot, or seen from another machine. */
static bool is_lost_node(const struct diag_facts *f)
{
	return is_lost(f) &&
	       (strcmp(f->boot_id, f->seen_boot_id) != 0 || strcmp(f->host, f->seen_host) != 0);
}

static bool is_done(const struct diag_facts *f)
{
	return f->how == DIAG_EXIT && f->exit_code == 0;
}

/* The soft limit sends SIGXCPU, the hard one SIGKILL (setrlimit(2)). */
static bool is_cpu_limit(const struct diag_facts *f)
{
	const struct diag_limit *l = &f->limit[DIAG_LIMIT_CPU];
	int sig = rules_signal(f);

	if (sig == SIGXCPU)
		return true;
	return sig == SIGKILL && l->known && l->hard != DIAG_UNLIMITED &&
	       f->cpu_ns / NS_PER_SEC + SECOND_MARGIN >= l->hard;
}

static bool is_file_size(const struct diag_facts *f)
{
	return rules_signal(f) == SIGXFSZ || (gave_up(f) && phrase_find(f, DIAG_FILE_SIZE_LIMIT));
}

static bool is_oom(const struct diag_facts *f)
{
	int sig = rules_signal(f);

	if (f->how == DIAG_EXIT && sig == 0)
		return failed(f) && (oom_counted(f) || f->kernel_oom[0]);
	return sig == SIGKILL &&
	       (oom_counted(f) || f->kernel_oom[0] || (rules_memory_short(f) && !rules_request(f)));
}

static bool is_time_limit(const struct diag_facts *f)
{
	int sig = rules_signal(f);

	return at_time_limit(f) && (sig == SIGTERM || sig == SIGKILL || sig == SIGUSR1 ||
					   sig == SIGUSR2 || (failed(f) && rules_request(f)));
}

static bool asked_to_end(const struct diag_facts *f)
{
	return asks_to_end(rules_signal(f)) ||
	       (gave_up(f) && rules_signal(f) == 0 && rules_request(f));
}

/* The batch system's daemons are root; process 1 shuts the machine down. What
 * reached the command without Cragon is the scheduler's, where there is one. */
static bool is_asked_by_system(const struct diag_facts *f)
{
	const struct diag_signal *s = rules_request(f);

	if (!asked_to_end(f))
		return false;
	if (!s)
		return f->scheduler[0] && rules_signal(f) == SIGTERM;
	return !s->terminal && (s->pid == 1 || (f->scheduler[0] && s->uid == 0));
}

static bool is_allocation(const struct diag_facts *f)
{
	int sig = rules_signal(f);
	const struct diag_crash *c = rules_crash(f);

	if (gave_up(f) && phrase_find(f, DIAG_ALLOCATION_FAILED))
		return true;
	if (!rules_failed_call(f))
		return false;
	/* The program did not look at what malloc returned; or it did, and gave up
	 * without a word about anything else. */
	if (sig == SIGSEGV)
		return !c || c->place == PLACE_NULL;
	return gave_up(f) && !phrase_find(f, DIAG_DISK_FULL) && !phrase_find(f, DIAG_MISSING) &&
	       !phrase_find(f, DIAG_ABORT);
}

static bool is_cpu_feature(const struct diag_facts *f)
{
	const struct diag_crash *c = rules_crash(f);

	if (rules_signal(f) == SIGILL && c)
		return c->feature[0];
	return gave_up(f) && phrase_find(f, DIAG_CPU_FEATURE);
}

static bool is_disk(const struct diag_facts *f)
{
	const struct diag_crash *c = rules_crash(f);

	/* A page of a mapped file for which there is no block any more. */
	if (rules_signal(f) == SIGBUS)
		return rules_full_disk(f) && !(c && c->target_beyond);
	return gave_up(f) && phrase_find(f, DIAG_DISK_FULL);
}

static bool is_crash(const struct diag_facts *f)
{
	switch (rules_signal(f)) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
		return true;
	default:
		return false;
	}
}

static bool is_abort(const struct diag_facts *f)
{
	return rules_signal(f) == SIGABRT;
}

static bool is_missing(const struct diag_facts *f)
{
	return gave_up(f) && (phrase_find(f, DIAG_MISSING) || f->exit_code == 127);
}

static bool is_disk_likely(const struct diag_facts *f)
{
	return gave_up(f) && rules_signal(f) == 0 && rules_full_disk(f);
}

static bool is_killed(const struct diag_facts *f)
{
	return rules_signal(f) == SIGKILL;
}

static bool is_exit(const struct diag_facts *f)
{
	int sig = rules_signal(f);

	return f->how == DIAG_EXIT || sig == SIGPIPE || sig == SIGALRM || sig == SIGVTALRM ||
	       sig == SIGPROF;
}

static bool is_anything(const struct diag_facts *f)
{
	return true;
}

static const struct {
	enum diag_cause cause;
	bool (*applies)(const struct diag_facts *);
	words_fn *words;
} rules[] = {
	{DIAG_UNKNOWN, is_running, words_running},
	{DIAG_HUNG, is_stopped_hung, words_stopped},
	{DIAG_ALLOCATION_FAILED, is_stopped_allocation, words_stopped},
	{DIAG_MEMORY_LIMIT, is_stopped_memory, words_stopped},
	{DIAG_TIME_LIMIT, is_stopped_time, words_stopped},
	{DIAG_CPU_LIMIT, is_stopped_cpu, words_stopped},
	{DIAG_PREEMPTED, is_stopped_scheduler, words_stopped},
	{DIAG_CANCELLED, is_stopped, words_stopped},
	{DIAG_OOM_KILLED, is_lost_oom, words_lost},
	{DIAG_TIME_LIMIT, is_lost_time, words_lost},
	{DIAG_NODE_LOST, is_lost_node, words_lost},
	{DIAG_PREEMPTED, is_lost, words_lost},
	{DIAG_DONE, is_done, words_done},
	{DIAG_CPU_LIMIT, is_cpu_limit, words_cpu_limit},
	{DIAG_FILE_SIZE_LIMIT, is_file_size, words_file_size},
	{DIAG_OOM_KILLED, is_oom, words_oom},
	{DIAG_TIME_LIMIT, is_time_limit, words_time_limit},
	{DIAG_PREEMPTED, is_asked_by_system, words_request},
	{DIAG_CANCELLED, asked_to_end, words_request},
	{DIAG_ALLOCATION_FAILED, is_allocation, words_allocation},
	{DIAG_CPU_FEATURE, is_cpu_feature, words_cpu_feature},
	{DIAG_DISK_FULL, is_disk, words_disk},
	{DIAG_CRASH, is_crash, words_crash},
	{DIAG_MISSING, is_missing, words_missing},
	{DIAG_ABORT, is_abort, words_abort},
	{DIAG_DISK_FULL, is_disk_likely, words_disk},
	{DIAG_PREEMPTED, is_killed, words_killed},
	{DIAG_EXIT_NONZERO, is_exit, words_exit},
	{DIAG_UNKNOWN, is_anything, words_unknown},
};

void diag_evaluate(const struct diag_facts *f, struct diagnosis *ret)
{
	size_t i = 0;

	memset(ret, 0, sizeof *ret);
	while (!rules[i].applies(f))
		i++;
	ret->cause = rules[i].cause;
	ret->recoverable = diag_cause_recoverable(ret->cause);
	rules[i].words(f, ret);
}

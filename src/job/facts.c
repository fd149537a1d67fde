/* Facts of an attempt: see facts.h. */
#include "job/facts.h"
#include "diag/collect.h"
#include "diag/crash.h"
#include "diag/history.h"
#include "diag/recover.h"
#include "base/io.h"
#include "job/stderr_tail.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/* The job began to run some time before facts_begin(), and may have died since;
 * and the clock of file times is coarse. */
#define START_NS (500 * NS_PER_MSEC)

/* Of all children that have been waited for: those of the job, by the reaper. */
static uint64_t children_cpu_ns(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u) < 0)
		return 0;
	return ((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) * NS_PER_SEC +
	       ((uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec) * 1000;
}

static void set_program(struct diag_facts *d, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(d->program, sizeof d->program, "%s", slash ? slash + 1 : path);
}

void facts_begin(struct facts *f, const struct supervised *s, uint64_t from_image)
{
	struct diag_facts *d = &f->diag;

	memset(f, 0, sizeof *f);
	f->cpu_before_ns = children_cpu_ns();
	f->since_mono_ns = now_mono_ns() - START_NS;
	d->started_ns = now_real_ns();
	d->from_image = from_image;
	d->pid = job_root_pid(s->job);
	if (s->settings->max_time_ns)
		d->time_end_ns = d->started_ns + s->settings->max_time_ns;
	snprintf(d->host, sizeof d->host, "%s", s->who->host);
	snprintf(d->boot_id, sizeof d->boot_id, "%s", s->who->boot_id);
	set_program(d, s->command[0]);
	if (d->pid > 0)
		collect_limits(d, d->pid);
	collect_cgroup(d, &d->memory.oom_kills_before);
	d->memory = (struct diag_memory){.oom_kills_before = d->memory.oom_kills_before,
		.memory_max = s->settings->memory_max_bytes};
}

/* What asks a program to end, or warns it. */
static bool matters(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT ||
	       sig == SIGUSR1 || sig == SIGUSR2 || sig == SIGXCPU;
}

void facts_signal(struct facts *f, const struct signalfd_siginfo *info)
{
	const struct diag_signal s = {
		.number = (int)info->ssi_signo,
		.pid = info->ssi_code <= 0 ? (pid_t)info->ssi_pid : 0,
		.uid = info->ssi_code <= 0 ? info->ssi_uid : 0,
		.terminal = info->ssi_code > 0,
		.time_ns = now_real_ns(),
	};

	if (matters(s.number))
		diag_add_signal(&f->diag, &s);
}

void facts_time_limit(struct facts *f, const char *name, uint64_t end_ns)
{
	snprintf(f->diag.scheduler, sizeof f->diag.scheduler, "%s", name);
	if (end_ns && (!f->diag.time_end_ns || end_ns < f->diag.time_end_ns))
		f->diag.time_end_ns = end_ns;
}

void facts_call(struct facts *f, const struct intercept_call *c)
{
	struct diag_call call = {
		.bytes = c->bytes,
		.error = c->error,
		.held = c->held,
		.time_ns = now_real_ns(),
	};

	snprintf(call.function, sizeof call.function, "%s", intercept_function(c));
	diag_add_call(&f->diag, &call);
}

void facts_metrics(struct facts *f, const struct metrics_view *v)
{
	struct diag_memory *m = &f->diag.memory;

	if (!v->time_ns)
		return;
	m->job_rss = v->job_rss;
	m->job_peak = v->job_peak_rss;
	m->growth_per_s = v->job_growth_per_s;
	m->total = v->memory_total;
	m->available = v->memory_available;
	m->swap_total = v->swap_total;
	m->swap_free = v->swap_free;
	m->cgroup_current = v->cgroup_used;
	m->cgroup_limit = v->cgroup_limit;
}

/* ---- the end -------------------------------------------------------------------------- */

static enum diag_how how_of(enum journal_how how)
{
	switch (how) {
	case HOW_EXIT:
		return DIAG_EXIT;
	case HOW_SIGNAL:
		return DIAG_SIGNAL;
	case HOW_STOPPED:
		return DIAG_STOPPED;
	case HOW_LOST:
		return DIAG_LOST;
	case HOW_RUNNING:
		break;
	}
	return DIAG_RUNNING;
}

static void set_outcome(struct diag_facts *d, const struct outcome *out)
{
	d->how = how_of(out->how);
	d->exit_code = out->exit_code;
	d->signal = out->signal;
	d->stop = diag_stop_of(stop_reason_name(out->stop));
	d->wanted_bytes = out->wanted_bytes;
	d->image = out->last_image ? out->last_image : d->from_image;
}

static void collect_disks(struct diag_facts *d, const struct supervised *s)
{
	const char *temporary = getenv("TMPDIR");
	cleanup_free char *here = getcwd(NULL, 0);

	collect_disk(d, "current directory", here);
	collect_disk(d, "job directory", s->dir->path);
	collect_disk(d, temporary ? "TMPDIR" : "temporary files", temporary ? temporary : "/tmp");
}

/* Samples miss what grows quickly; the kernel knows the largest process of those
 * that have ended. */
static void set_peak(struct diag_facts *d)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u) == 0)
		d->memory.job_peak = MAX(d->memory.job_peak, (uint64_t)u.ru_maxrss * 1024);
}

/* What was seen while the job lived says more than what is free after it. */
static void collect_memory(struct diag_facts *d)
{
	const struct diag_memory seen = d->memory;
	uint64_t oom_kills = seen.oom_kills_before;

	collect_machine(d);
	collect_cgroup(d, &oom_kills);
	if (seen.total)
		d->memory = seen;
	d->memory.oom_kills_after = oom_kills;
}

static void put(struct journal *j, const struct diag_facts *d, const struct diagnosis *diagnosis)
{
	struct forecast forecast;

	journal_note(j, "facts", diag_facts_to_json(d));
	journal_note(j, "diagnosis", diag_to_json(diagnosis));
	if (forecast_of(d, diagnosis->cause, &forecast) == 0)
		json_object_set_new(j->root, "forecast", forecast_to_json(&forecast));
}

void facts_end(struct facts *f, const struct supervised *s, const struct outcome *out,
	const struct buf *tail)
{
	cleanup_fd int records =
		openat(s->dir->fd, INTERCEPT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct diag_facts *d = &f->diag;

	d->ended_ns = now_real_ns();
	d->cpu_ns = children_cpu_ns() - f->cpu_before_ns;
	set_outcome(d, out);
	set_peak(d);
	collect_memory(d);
	collect_disks(d, s);
	if (d->how != DIAG_EXIT || d->exit_code != 0)
		collect_kernel_log(d, f->since_mono_ns);
	if (tail && tail->data && !buf_error(tail)) {
		diag_set_stderr(d, tail->data, tail->len);
		(void)io_publish_at(s->dir->fd, STDERR_TAIL_NAME, tail->data, tail->len);
	}
	if (records >= 0) {
		(void)crash_find(records, d->started_ns - START_NS, &d->crash);
		crash_retire(records);
	}
	diag_evaluate(d, &f->diagnosis);
	put(s->journal, d, &f->diagnosis);
	log_info(s->log, "diagnosis: %s: %s", diag_cause_name(f->diagnosis.cause),
		f->diagnosis.n_evidence ? f->diagnosis.evidence[0] : "");
}

void facts_lost(struct journal *j, const struct workdir *dir)
{
	const json_t *all = json_object_get(j->root, "attempts"), *last;
	cleanup_free struct diag_facts *d = calloc(1, sizeof *d);
	size_t n = json_array_size(all);
	struct diagnosis diagnosis;

	last = n ? json_array_get(all, n - 1) : NULL;
	if (!d || !last || json_is_string(json_object_get(last, "ended")) ||
		json_object_get(last, "diagnosis"))
		return;
	history_facts(last, dir->fd, dir->path, false, d);
	diag_evaluate(d, &diagnosis);
	put(j, d, &diagnosis);
}

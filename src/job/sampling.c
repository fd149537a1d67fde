/*
 * Once per sample: rows of metrics, and the watches of memory, CPU time and
 * progress. While memory runs out the looks come more often.
 */
#include "job/loop.h"
#include "job/facts.h"
#include "base/io.h"
#include "base/units.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* A checkpoint that could not be taken is not tried again at every look. */
#define PATIENCE_NS (10 * NS_PER_SEC)
/* When the whole machine runs out, a job smaller than this part of it is not the
 * reason, and stopping it is no help. */
#define MACHINE_PART 10
#define NOTE_SHARE 2000

void loop_begin_sampling(struct loop *l)
{
	const struct supervised *s = l->s;

	l->metrics = metrics_open(
		s->dir->fd, s->job, journal_attempts(s->journal), s->settings->metrics_ns, s->log);
	l->sample_ns = now_mono_ns();
}

static uint64_t interval(const struct loop *l)
{
	return l->s->settings->metrics_ns ? l->s->settings->metrics_ns : NS_PER_SEC;
}

static bool try_to_stop(struct loop *l, enum stop_reason why, const char *text)
{
	uint64_t now = now_mono_ns();

	if (now < l->patience_until_ns)
		return false;
	log_warn(l->s->log, "%s", text);
	if (loop_stop(l, why) == 0)
		return true;
	l->patience_until_ns = now + PATIENCE_NS;
	return false;
}

static void watch_memory(struct loop *l, const struct metrics_view *v)
{
	struct memory_sample s = {
		.time_ns = v->time_ns,
		.job = {v->job_rss, l->memory_max_bytes},
		.cgroup = {v->cgroup_used, v->cgroup_limit},
		.machine = {v->memory_total - v->memory_available + v->swap_total - v->swap_free,
			v->memory_total + v->swap_total},
	};
	struct memory_verdict verdict;
	char left[32], limit[32], growth[32], text[200];

	if (v->job_rss < v->memory_total / MACHINE_PART)
		s.machine.limit_bytes = 0;
	verdict = memory_watch_look(&l->memory_watch, &s);
	if (verdict.look_again_ns < interval(l))
		l->sample_ns = MIN(l->sample_ns, now_mono_ns() + verdict.look_again_ns);
	if (!verdict.stop)
		return;
	size_format(verdict.left_bytes, left);
	size_format(verdict.limit_bytes, limit);
	size_format(verdict.growth_bytes_per_s, growth);
	snprintf(text, sizeof text, "memory: %s left of %s (%s), growing by %s per second", left,
		memory_bound_name(verdict.bound), limit, growth);
	l->out->bound = verdict.bound;
	l->out->bound_bytes = verdict.limit_bytes;
	(void)try_to_stop(l, STOP_MEMORY_LIMIT, text);
}

/* Every core can burn a second of the limit in a second. Of a short limit half is
 * for work. */
static void watch_cpu(struct loop *l, const struct metrics_view *v)
{
	uint64_t cores = (uint64_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1l), need;
	char text[160], time[32];

	if (v->cpu_left_ns == UINT64_MAX)
		return;
	need = NS_PER_SEC / 2 + 2 * MIN(l->policy.pause_ns, NS_PER_SEC * 3600);
	need = MIN(need * cores, v->cpu_limit_ns / 2);
	if (v->cpu_left_ns > need) {
		l->sample_ns = MIN(l->sample_ns,
			now_mono_ns() + MAX((v->cpu_left_ns - need) / cores, WATCH_FASTEST_NS));
		return;
	}
	duration_format(v->cpu_left_ns, time);
	snprintf(text, sizeof text, "CPU time: %s left of the limit (ulimit -t)", time);
	(void)try_to_stop(l, STOP_CPU_LIMIT, text);
}

static void watch_progress(struct loop *l, const struct metrics_view *v)
{
	uint64_t patience = l->s->settings->hang_ns, idle;
	char text[32];

	if (!patience)
		return;
	idle = hang_watch_look(&l->hang_watch, v->time_ns, v->job_cpu_ns, v->job_io_bytes);
	if (idle < patience)
		return;
	duration_format(idle, text);
	log_warn(l->s->log, "no CPU time used and no byte moved for %s: the job hangs", text);
	l->out->how = HOW_STOPPED;
	l->out->stop = STOP_HANG;
	l->out->exit_code = l->s->settings->stop_code;
	l->over = true;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Files that are open now and closed again at the next checkpoint. Looking through
 * the descriptors of many processes is dear: as often as it costs half a thousandth
 * of a core. */
static void note_outputs(struct loop *l, uint64_t now)
{
	uint64_t began;

	if (l->s->settings->files == FILES_NONE || now < l->note_ns)
		return;
	began = own_cpu_ns();
	job_note_outputs(l->s->job);
	l->note_ns = now + (own_cpu_ns() - began) * NOTE_SHARE;
}

void loop_sample(struct loop *l)
{
	uint64_t now = now_mono_ns();
	const struct metrics_view *v;

	if (!l->metrics)
		return;
	if (now >= l->row_ns) {
		metrics_sample(l->metrics);
		note_outputs(l, now);
		l->row_ns = now + interval(l);
	} else {
		metrics_look_at_memory(l->metrics);
	}
	/* A program may fill its cgroup in its first second. */
	l->early_ns = l->early_ns ? MIN(2 * l->early_ns, interval(l)) : WATCH_FASTEST_NS;
	l->sample_ns = MIN(l->row_ns, now + l->early_ns);
	v = metrics_last(l->metrics);
	l->policy.rss_bytes = v->job_rss;
	facts_metrics(l->s->facts, v);
	watch_memory(l, v);
	if (!l->over)
		watch_cpu(l, v);
	if (!l->over)
		watch_progress(l, v);
}

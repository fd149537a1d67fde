/* After the end of an attempt: see recover.h. */
#include "diag/recover.h"
#include "diag/rules.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

static void choose(struct recover_choice *c, enum recover_action action, uint64_t image,
	const char *fmt, ...) printf_like(4, 5);

static void choose(
	struct recover_choice *c, enum recover_action action, uint64_t image, const char *fmt, ...)
{
	va_list ap;

	c->action = action;
	c->image = image;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof c->text, fmt, ap);
	va_end(ap);
}

/* What has to be there before another try can succeed; NULL: it is, or nothing is
 * needed. */
static const char *lacking(const struct recover_state *s)
{
	switch ((int)s->cause) {
	case DIAG_ALLOCATION_FAILED:
	case DIAG_OOM_KILLED:
	case DIAG_MEMORY_LIMIT:
		return s->more_memory ? NULL : "more memory";
	case DIAG_TIME_LIMIT:
		return s->more_time ? NULL : "more time";
	case DIAG_DISK_FULL:
		return s->space_back ? NULL : "space on the disk";
	default:
		return NULL;
	}
}

static bool something_changed(const struct recover_state *s)
{
	return s->elsewhere || s->more_memory || s->more_time || s->space_back;
}

/* The image before the newest, at most once: what the newest holds leads to the
 * same end. */
static void go_back(const struct recover_state *s, const char *why, struct recover_choice *ret)
{
	if (s->went_back || s->n_images < 2)
		choose(ret, RECOVER_STOP, 0, "%s, and %s", why,
			s->went_back ? "an older image did not help"
				     : "there is no older image to try");
	else
		choose(ret, RECOVER_RESUME, s->images[1],
			"%s: resuming from the older image %" PRIu64, why, s->images[1]);
}

static void not_recoverable(const struct recover_state *s, struct recover_choice *ret)
{
	bool hung = s->cause == DIAG_HUNG && s->n_images;

	if (hung && s->retry_hung && s->retries_left && s->n_images == 1 &&
		s->images[0] != s->from_image)
		choose(ret, RECOVER_RESUME, s->images[0],
			"the job made no progress: resuming from image %" PRIu64, s->images[0]);
	else if (hung && s->retry_hung && s->retries_left)
		go_back(s, "the job made no progress", ret);
	else if (s->stopped && s->n_images)
		choose(ret, RECOVER_STOP, 0, "stopped; cragon restart continues");
	else
		choose(ret, RECOVER_GIVE_UP, 0,
			s->cause == DIAG_DONE ? "done"
					      : "not resumed: %s would end the same way again",
			diag_cause_name(s->cause));
}

void recover_decide(const struct recover_state *s, struct recover_choice *ret)
{
	const char *need = lacking(s);

	if (!s->recoverable)
		not_recoverable(s, ret);
	else if (!s->n_images)
		choose(ret, RECOVER_GIVE_UP, 0, "there is no image to resume from");
	else if (!s->retries_left)
		choose(ret, RECOVER_STOP, 0, "no automatic resume is left (--retry)");
	else if (need)
		choose(ret, RECOVER_STOP, 0, "it needs %s; cragon restart continues then", need);
	else if (s->same_place)
		go_back(s, "it failed at the same place twice", ret);
	else if (s->images[0] == s->from_image && !something_changed(s))
		choose(ret, RECOVER_STOP, 0,
			"it was resumed from image %" PRIu64
			" before, and nothing has changed since",
			s->from_image);
	else
		choose(ret, RECOVER_RESUME, s->images[0], "resuming from image %" PRIu64,
			s->images[0]);
}

bool recover_same_place(const struct diag_crash *a, const struct diag_crash *b)
{
	if (!a->signal || a->signal != b->signal)
		return false;
	if (a->module[0] || b->module[0])
		return a->offset == b->offset && !strcmp(a->module, b->module);
	return a->ip && a->ip == b->ip;
}

/* ---- forecast ---------------------------------------------------------------------- */

#define MARGIN_PERCENT 20
#define HORIZON_MAX_NS (30ull * 86400 * NS_PER_SEC)
#define BYTES_MAX (1ull << 52)

/* To a size that a person would write. */
static uint64_t round_up(uint64_t bytes)
{
	uint64_t step = bytes < 1024 * MIB    ? 64 * MIB
			: bytes < 16384 * MIB ? 256 * MIB
					      : 1024 * MIB;

	return (bytes + step - 1) / step * step;
}

int forecast_memory(uint64_t peak, uint64_t growth, uint64_t run_ns, uint64_t horizon_ns,
	uint64_t wanted, struct forecast *ret)
{
	uint64_t seconds = MIN(horizon_ns ? horizon_ns : run_ns, HORIZON_MAX_NS) / NS_PER_SEC;
	char a[32], b[32], c[32];
	uint64_t more;

	if (!peak)
		return -ENODATA;
	peak = MIN(peak, BYTES_MAX);
	more = growth > BYTES_MAX / MAX(seconds, 1u) ? BYTES_MAX : growth * seconds;
	/* A burst at the end does not go on for hours. */
	more = MIN(more, peak);
	more = MAX(more, MIN(wanted, BYTES_MAX));
	*ret = (struct forecast){
		.peak_bytes = peak,
		.growth_bytes_per_s = growth,
		.next_bytes = round_up((peak + more) / 100 * (100 + MARGIN_PERCENT)),
	};
	size_format(peak, a);
	size_format(growth, b);
	size_format(ret->next_bytes, c);
	if (growth)
		snprintf(ret->text, sizeof ret->text,
			"it had up to %s and grew by %s per second: give the next try %s", a, b, c);
	else
		snprintf(
			ret->text, sizeof ret->text, "it had up to %s: give the next try %s", a, c);
	return 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a && b ? MIN(a, b) : MAX(a, b); /* 0: none */
}

/* Of the limits that refuse allocations; 0: none. */
static uint64_t soft_limit(const struct diag_facts *f)
{
	static const enum diag_resource all[] = {DIAG_LIMIT_AS, DIAG_LIMIT_DATA};
	uint64_t limit = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (f->limit[all[i]].known && f->limit[all[i]].soft != DIAG_UNLIMITED)
			limit = smaller(limit, f->limit[all[i]].soft);
	return limit;
}

static int forecast_allocation(
	const struct diag_facts *f, uint64_t peak, uint64_t run_ns, struct forecast *ret)
{
	const struct diag_call *call = rules_failed_call(f);
	uint64_t wanted = MAX(f->wanted_bytes, call ? call->bytes : 0), limit = soft_limit(f);
	char a[32], b[32];
	int r;

	if (!wanted && !limit)
		return -ENODATA;
	r = forecast_memory(MAX(peak, limit), f->memory.growth_per_s, run_ns, 0, wanted, ret);
	if (r < 0 || !limit)
		return r;
	ret->peak_bytes = peak;
	size_format(limit, a);
	size_format(ret->next_bytes, b);
	snprintf(ret->text, sizeof ret->text,
		"it reached its limit of %s (ulimit): give the next try %s", a, b);
	return 0;
}

int forecast_of(const struct diag_facts *f, enum diag_cause cause, struct forecast *ret)
{
	const struct diag_memory *m = &f->memory;
	uint64_t run_ns = f->ended_ns > f->started_ns ? f->ended_ns - f->started_ns : 0,
		 peak = MAX(m->job_peak, m->job_rss), limit;

	if (cause == DIAG_ALLOCATION_FAILED)
		return forecast_allocation(f, peak, run_ns, ret);
	if (cause != DIAG_OOM_KILLED && cause != DIAG_MEMORY_LIMIT)
		return -ENODATA;
	/* It wanted more than it could get. */
	limit = smaller(smaller(m->cgroup_limit, m->memory_max), m->total);
	return forecast_memory(MAX(peak, limit), m->growth_per_s, run_ns, 0, 0, ret);
}

json_t *forecast_to_json(const struct forecast *f)
{
	return json_pack("{s:I, s:I, s:I, s:s}", "peak_bytes", (json_int_t)f->peak_bytes,
		"growth_bytes_per_s", (json_int_t)MIN(f->growth_bytes_per_s, BYTES_MAX),
		"next_bytes", (json_int_t)f->next_bytes, "text", f->text);
}

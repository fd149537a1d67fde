/* The time axis: see axis.h. */
#include "report/axis.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#define GAP_SHARE 0.03 /* of the running time: how wide a gap may be */
#define TICKS_WANTED 8
#define TICKS_CLOSE 0.07

void axis_done(struct axis *x)
{
	free_p(&x->knots);
}

static void add_knot(struct axis *x, uint64_t time_ns, double at)
{
	if (x->n && time_ns <= x->knots[x->n - 1].time_ns)
		return;
	x->knots[x->n++] = (struct axis_knot){time_ns, at};
}

static uint64_t between(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* Knots in nanoseconds of the page, made to reach from 0 to 1 afterwards. */
static void lay_out(struct axis *x, const struct report *r, uint64_t begin, uint64_t end)
{
	struct report_totals totals;
	double at = 0, widest;
	uint64_t last = begin;

	report_sum(r, &totals);
	widest = GAP_SHARE * (double)MAX(totals.running_ns, (uint64_t)NS_PER_SEC);
	add_knot(x, begin, 0);
	for (size_t i = 0; i < r->n_attempts; i++) {
		const struct report_attempt *a = &r->attempts[i];
		double gap = (double)between(last, a->started_ns);

		if (gap > widest) {
			at += widest;
			x->cut++;
		} else {
			at += gap;
		}
		if (a->started_ns > last)
			last = a->started_ns;
		add_knot(x, last, at);
		at += (double)between(last, a->ended_ns);
		if (a->ended_ns > last)
			last = a->ended_ns;
		add_knot(x, last, at);
	}
	at += (double)between(last, end);
	add_knot(x, end, at);
	if (x->n == 1)
		x->knots[x->n++] = (struct axis_knot){begin + NS_PER_SEC, 1e9};
	at = x->knots[x->n - 1].at;
	for (size_t i = 0; i < x->n; i++)
		x->knots[i].at /= at;
}

double axis_at(const struct axis *x, uint64_t t)
{
	size_t low = 0, high = x->n - 1;
	const struct axis_knot *a, *b;

	if (t <= x->knots[0].time_ns)
		return 0;
	if (t >= x->knots[high].time_ns)
		return 1;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (x->knots[middle].time_ns <= t)
			low = middle;
		else
			high = middle;
	}
	a = &x->knots[low];
	b = &x->knots[high];
	return a->at +
	       (b->at - a->at) * (double)(t - a->time_ns) / (double)(b->time_ns - a->time_ns);
}

/* ---- ticks --------------------------------------------------------------------------- */

static uint64_t step_for(double span_s)
{
	static const uint32_t steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
		7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400,
		91 * 86400, 364 * 86400};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (span_s / steps[i] <= TICKS_WANTED)
			return steps[i];
	return (uint64_t)(span_s / TICKS_WANTED) + 1;
}

static void add_tick(struct axis *x, uint64_t second, int64_t offset, uint64_t step)
{
	time_t local = (time_t)((int64_t)second + offset);
	double at = axis_at(x, second * NS_PER_SEC);
	struct axis_tick *t = &x->ticks[x->n_ticks];
	struct tm tm;

	if (x->n_ticks == AXIS_TICKS_MAX || at <= 0 || at >= 1)
		return;
	if (x->n_ticks && at - x->ticks[x->n_ticks - 1].at < TICKS_CLOSE)
		return;
	t->at = at;
	gmtime_r(&local, &tm);
	strftime(t->label, sizeof t->label,
		step < 60				? "%H:%M:%S"
		: tm.tm_hour || tm.tm_min || step < 300 ? "%H:%M"
							: "%-d %b",
		&tm);
	x->n_ticks++;
}

/* How long the whole axis would be at the scale of the stretch before knot i. */
static double scale_s(const struct axis *x, size_t i)
{
	const struct axis_knot *a = &x->knots[i - 1], *b = &x->knots[i];

	return b->at > a->at ? (double)(b->time_ns - a->time_ns) / 1e9 / (b->at - a->at) : INFINITY;
}

/* Round times of day, in each stretch between two knots. */
static void make_ticks(struct axis *x)
{
	time_t begin = (time_t)(x->knots[0].time_ns / NS_PER_SEC);
	double shown_s = INFINITY;
	struct tm tm;
	uint64_t step;
	int64_t offset;

	localtime_r(&begin, &tm);
	offset = tm.tm_gmtoff;
	for (size_t i = 1; i < x->n; i++)
		shown_s = MIN(shown_s, scale_s(x, i));
	step = step_for(shown_s);
	for (size_t i = 1; i < x->n && x->n_ticks < AXIS_TICKS_MAX; i++) {
		uint64_t from = x->knots[i - 1].time_ns / NS_PER_SEC,
			 to = x->knots[i].time_ns / NS_PER_SEC, t;

		if (scale_s(x, i) > 1.2 * shown_s)
			continue; /* a gap that was cut short */
		t = from - (uint64_t)((int64_t)from + offset) % step;
		for (; t <= to; t += step)
			if (t >= from)
				add_tick(x, t, offset, step);
	}
}

int axis_make(struct axis *x, const struct report *r)
{
	uint64_t begin = report_begin(r), end = MAX(report_end(r), begin + NS_PER_SEC);

	*x = (struct axis){0};
	x->knots = calloc(2 * r->n_attempts + 4, sizeof *x->knots);
	if (!x->knots)
		return -ENOMEM;
	lay_out(x, r, begin, end);
	make_ticks(x);
	return 0;
}

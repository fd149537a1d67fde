/* When to checkpoint: see policy.h. */
#include "job/policy.h"
#include "base/units.h"

#include <math.h>

#define AUTO_FIRST_NS (60 * NS_PER_SEC)
#define AUTO_MIN_NS (10 * NS_PER_SEC)
#define AUTO_MAX_NS (3600 * NS_PER_SEC)
#define AUTO_PAUSES 10 /* the job is held at most a tenth of its time, however often it fails */
/* While the image is written, workers take CPU time and bandwidth: with all cores
 * busy about half of what the job would have had. */
#define BACKGROUND_PART 2

#define MARGIN_MIN_NS (NS_PER_SEC / 4)
#define MARGIN_MAX_NS (30 * NS_PER_SEC)
#define MARGIN_PART 200		 /* of the limit, within the two bounds above */
#define UNKNOWN_RATE (100 * MIB) /* bytes per second, before anything was measured */

#define RETRY_MIN_NS (1 * NS_PER_SEC)
#define RETRY_MAX_NS (30 * NS_PER_SEC)

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > POLICY_NEVER - b ? POLICY_NEVER : a + b;
}

uint64_t policy_mtbf(const struct policy *p)
{
	if (p->mtbf_ns)
		return p->mtbf_ns;
	return add(POLICY_PRIOR_MTBF_NS, p->run_ns) / (1 + (uint64_t)p->failures);
}

uint64_t policy_cost(const struct policy *p)
{
	uint64_t beside = p->duration_ns > p->pause_ns ? p->duration_ns - p->pause_ns : 0;

	return p->pause_ns + beside / BACKGROUND_PART;
}

/* Seconds. For C of 2 M and more the series does not hold, and M is the answer. */
static double daly(double c, double m)
{
	double ratio = c / (2 * m);

	if (ratio >= 1)
		return m;
	return sqrt(2 * c * m) * (1 + sqrt(ratio) / 3 + ratio / 9) - c;
}

enum bound { UNBOUND, BOUND_BY_COST, BOUND_SHORTEST, BOUND_LONGEST };

static uint64_t automatic(const struct policy *p, enum bound *ret)
{
	double c = (double)policy_cost(p) / (double)NS_PER_SEC,
	       m = (double)policy_mtbf(p) / (double)NS_PER_SEC;
	double best = daly(c, m) * (double)NS_PER_SEC;
	uint64_t ns = best < (double)AUTO_MAX_NS ? (uint64_t)MAX(best, 0.0) : AUTO_MAX_NS;
	uint64_t least =
		p->pause_ns > AUTO_MAX_NS / AUTO_PAUSES ? AUTO_MAX_NS : p->pause_ns * AUTO_PAUSES;

	*ret = best > (double)AUTO_MAX_NS		  ? BOUND_LONGEST
	       : ns < AUTO_MIN_NS && least <= AUTO_MIN_NS ? BOUND_SHORTEST
	       : ns < least				  ? BOUND_BY_COST
							  : UNBOUND;
	return clamp(MAX(ns, least), AUTO_MIN_NS, AUTO_MAX_NS);
}

uint64_t policy_interval(const struct policy *p)
{
	enum bound bound;

	switch (p->mode) {
	case INTERVAL_OFF:
		return POLICY_NEVER;
	case INTERVAL_FIXED:
		return p->interval_ns ? p->interval_ns : POLICY_NEVER;
	case INTERVAL_AUTO:
		break;
	}
	return p->pause_ns ? automatic(p, &bound) : AUTO_FIRST_NS;
}

static void tell_history(const struct policy *p, struct buf *ret)
{
	char run[32];

	duration_format(p->run_ns, run);
	if (p->mtbf_ns)
		buf_str(ret, " (--mtbf)");
	else if (!p->failures && p->run_ns < NS_PER_SEC)
		buf_str(ret, " (no history yet)");
	else
		buf_printf(ret, " (%u failure%s in %s)", p->failures, p->failures == 1 ? "" : "s",
			run);
}

void policy_reason(const struct policy *p, struct buf *ret)
{
	char cost[32], mtbf[32];
	enum bound bound;

	if (p->mode != INTERVAL_AUTO) {
		buf_str(ret, p->mode == INTERVAL_OFF ? "-i off" : "-i");
		return;
	}
	if (!p->pause_ns) {
		buf_str(ret, "the first one shows what a checkpoint costs");
		return;
	}
	automatic(p, &bound);
	duration_format(policy_cost(p), cost);
	duration_format(policy_mtbf(p), mtbf);
	buf_printf(ret, "a checkpoint costs %s, a failure is expected every %s", cost, mtbf);
	tell_history(p, ret);
	if (bound == BOUND_BY_COST)
		buf_str(ret, "; not more often, so that it is held a tenth of its time at most");
	else if (bound != UNBOUND)
		buf_str(ret,
			bound == BOUND_LONGEST ? "; an hour at most" : "; ten seconds at least");
}

/* What the next one will take: a job that has grown takes longer. */
static uint64_t expected_duration(const struct policy *p)
{
	double d = (double)p->duration_ns;

	if (!p->duration_ns)
		return p->rss_bytes / UNKNOWN_RATE * NS_PER_SEC;
	if (p->memory_bytes && p->rss_bytes > p->memory_bytes)
		d *= (double)p->rss_bytes / (double)p->memory_bytes;
	return d < (double)(POLICY_NEVER / 8) ? (uint64_t)d : POLICY_NEVER / 8;
}

uint64_t policy_reserve(const struct policy *p)
{
	uint64_t margin = clamp(p->max_time_ns / MARGIN_PART, MARGIN_MIN_NS, MARGIN_MAX_NS);

	/* Nothing measured yet: the margin once more stands for what is not known. */
	return 2 * expected_duration(p) + (p->duration_ns ? 1 : 2) * margin;
}

/* A job that could not be frozen in time is tried again soon; other failures
 * are unlikely to have gone away and wait for the regular interval. */
static uint64_t until_next(const struct policy *p)
{
	uint64_t interval = policy_interval(p);

	if (p->failure == WHY_BUSY && interval != POLICY_NEVER)
		return MIN(interval, clamp(interval / 10, RETRY_MIN_NS, RETRY_MAX_NS));
	return interval;
}

static uint64_t last_at(const struct policy *p)
{
	uint64_t reserve = policy_reserve(p), limit = add(p->started_ns, p->max_time_ns), at;

	if (!p->max_time_ns)
		return POLICY_NEVER;
	/* A limit shorter than the reserve: half of it is for work. */
	at = reserve > p->max_time_ns / 2 ? p->started_ns + p->max_time_ns / 2 : limit - reserve;
	/* It was tried and failed: again and again until the limit, not after it. */
	if (p->last_end_ns >= at && p->failure != WHY_NONE) {
		at = add(p->last_end_ns, RETRY_MIN_NS);
		return at < limit ? at : POLICY_NEVER;
	}
	return at;
}

enum policy_step policy_next(const struct policy *p, uint64_t *ret_at_ns)
{
	uint64_t from = p->last_end_ns ? p->last_end_ns : p->started_ns;
	uint64_t periodic = add(from, until_next(p)), last = last_at(p);

	/* One that would end when the last one should begin is not worth its pause. */
	if (last != POLICY_NEVER &&
		add(periodic, 2 * MIN(p->duration_ns, POLICY_NEVER / 4)) >= last)
		periodic = POLICY_NEVER;
	*ret_at_ns = MIN(periodic, last);
	if (*ret_at_ns == POLICY_NEVER)
		return POLICY_NOTHING;
	return last <= periodic ? POLICY_LAST : POLICY_PERIODIC;
}

/* When to checkpoint: see policy.h. */
#include "job/policy.h"

#define AUTO_FIRST_NS (60 * NS_PER_SEC)
#define AUTO_MIN_NS (60 * NS_PER_SEC)
#define AUTO_MAX_NS (3600 * NS_PER_SEC)
#define AUTO_PAUSES 100 /* the job is held at most one percent of its time */

#define MARGIN_MIN_NS (NS_PER_SEC / 4)
#define MARGIN_MAX_NS (30 * NS_PER_SEC)
#define MARGIN_PART 20 /* of the limit, within the two bounds above */

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

uint64_t policy_interval(const struct policy *p)
{
	switch (p->mode) {
	case INTERVAL_OFF:
		return POLICY_NEVER;
	case INTERVAL_FIXED:
		return p->interval_ns ? p->interval_ns : POLICY_NEVER;
	case INTERVAL_AUTO:
		break;
	}
	if (!p->pause_ns)
		return AUTO_FIRST_NS;
	if (p->pause_ns > AUTO_MAX_NS / AUTO_PAUSES)
		return AUTO_MAX_NS;
	return clamp(p->pause_ns * AUTO_PAUSES, AUTO_MIN_NS, AUTO_MAX_NS);
}

uint64_t policy_reserve(const struct policy *p)
{
	uint64_t margin = clamp(p->max_time_ns / MARGIN_PART, MARGIN_MIN_NS, MARGIN_MAX_NS);

	/* Nothing measured yet: the margin once more stands for the duration. */
	if (!p->duration_ns)
		return 2 * margin;
	return p->duration_ns > POLICY_NEVER / 4 ? POLICY_NEVER / 2 : 2 * p->duration_ns + margin;
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

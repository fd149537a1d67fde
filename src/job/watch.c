/* Watching memory and progress: see watch.h. */
#include "job/watch.h"

#define RESERVE_PART 32
#define RESERVE_MIN (16 * MIB)
#define RESERVE_MAX (256 * MIB)

/* Freezing takes milliseconds; a loaded machine may need some more. */
#define REACTION_S 0.1
/* Ahead of a limit by less than this many seconds, looks come more often. */
#define NEAR_S 8.0
#define GROWTH_WEIGHT 0.5 /* of the newest difference, in the smoothed growth */

static const char *const names[] = {
	[BOUND_NONE] = "no limit",
	[BOUND_MEMORY_MAX] = "--memory-max",
	[BOUND_CGROUP] = "the cgroup's limit",
	[BOUND_MACHINE] = "the machine's memory",
};

const char *memory_bound_name(enum memory_bound b)
{
	return names[b];
}

uint64_t memory_watch_reserve(uint64_t limit_bytes)
{
	uint64_t part = limit_bytes / RESERVE_PART;

	/* Small limits are for small jobs: never more than a quarter. */
	if (limit_bytes / 4 < RESERVE_MIN)
		return limit_bytes / 4;
	return MIN(MAX(part, RESERVE_MIN), RESERVE_MAX);
}

static const struct memory_room *room_of(const struct memory_sample *s, enum memory_bound b)
{
	switch (b) {
	case BOUND_MEMORY_MAX:
		return &s->job;
	case BOUND_CGROUP:
		return &s->cgroup;
	case BOUND_MACHINE:
		return &s->machine;
	case BOUND_NONE:
		break;
	}
	return NULL;
}

static double growth_of(
	struct memory_watch *w, const struct memory_sample *now, enum memory_bound b)
{
	const struct memory_room *was = room_of(&w->last, b), *is = room_of(now, b);
	double seconds = (double)(now->time_ns - w->last.time_ns) / (double)NS_PER_SEC, latest;

	if (!w->has_last || now->time_ns <= w->last.time_ns)
		return w->growth[b];
	latest = ((double)is->used_bytes - (double)was->used_bytes) / seconds;
	/* A jump counts at once; calm is believed slowly. */
	w->growth[b] = latest > w->growth[b]
			       ? latest
			       : w->growth[b] * (1 - GROWTH_WEIGHT) + latest * GROWTH_WEIGHT;
	return w->growth[b];
}

struct memory_verdict memory_watch_look(struct memory_watch *w, const struct memory_sample *now)
{
	struct memory_verdict v = {.look_again_ns = UINT64_MAX};
	double nearest = 0;

	for (enum memory_bound b = BOUND_MEMORY_MAX; b <= BOUND_MACHINE; b++) {
		const struct memory_room *room = room_of(now, b);
		double growth = growth_of(w, now, b), left, seconds;

		if (!room->limit_bytes)
			continue;
		left = (double)room->limit_bytes - (double)room->used_bytes;
		/* What the user set for the job itself needs no reserve for us. */
		if (b != BOUND_MEMORY_MAX)
			left -= (double)memory_watch_reserve(room->limit_bytes);
		seconds = left <= 0 ? 0 : growth > 0 ? left / growth : 1e9;
		if (v.bound != BOUND_NONE && seconds >= nearest)
			continue;
		nearest = seconds;
		v.bound = b;
		v.limit_bytes = room->limit_bytes;
		v.left_bytes = room->limit_bytes > room->used_bytes
				       ? room->limit_bytes - room->used_bytes
				       : 0;
		v.growth_bytes_per_s = growth > 0 ? (uint64_t)growth : 0;
	}
	w->last = *now;
	w->has_last = true;
	if (v.bound == BOUND_NONE)
		return v;
	v.stop = nearest <= REACTION_S;
	if (nearest < NEAR_S)
		v.look_again_ns =
			MAX((uint64_t)(nearest / 4 * (double)NS_PER_SEC), WATCH_FASTEST_NS);
	return v;
}

/* Some hundred system calls in each process, charged in clock ticks. */
#define CHECKPOINT_CPU_NS (5 * NS_PER_MSEC)

uint64_t hang_watch_look(struct hang_watch *h, uint64_t now_ns, uint64_t cpu_ns, uint64_t io_bytes)
{
	uint64_t passed = now_ns > h->since_ns ? now_ns - h->since_ns : 0;

	if (!h->since_ns || io_bytes != h->io_bytes || cpu_ns < h->cpu_ns ||
		cpu_ns - h->cpu_ns > passed / 1000 * HANG_CPU_PER_MILLE + h->excused_ns) {
		*h = (struct hang_watch){cpu_ns, io_bytes, now_ns, 0};
		return 0;
	}
	return passed;
}

void hang_watch_pardon(struct hang_watch *h, uint64_t held_ns, unsigned processes)
{
	if (h->since_ns)
		h->since_ns += held_ns;
	h->excused_ns += CHECKPOINT_CPU_NS * MAX(processes, 1u);
}

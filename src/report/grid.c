/* Decimation that keeps peaks: see grid.h. */
#include "report/grid.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define FINEST_NS (50 * NS_PER_MSEC)

int grid_init(struct grid *g, size_t columns)
{
	*g = (struct grid){.columns = columns, .width_ns = FINEST_NS};
	g->buckets = calloc(GRID_BUCKETS, sizeof *g->buckets);
	g->cells = calloc(GRID_BUCKETS * columns, sizeof *g->cells);
	g->sums = calloc(columns, sizeof *g->sums);
	if (g->buckets && g->cells && g->sums)
		return 0;
	grid_done(g);
	return -ENOMEM;
}

void grid_done(struct grid *g)
{
	free_p(&g->buckets);
	free_p(&g->cells);
	free_p(&g->sums);
}

static void join_cell(struct grid_cell *to, const struct grid_cell *from)
{
	if (!from->count)
		return;
	if (!to->count) {
		*to = *from;
		return;
	}
	to->lo = MIN(to->lo, from->lo);
	to->hi = MAX(to->hi, from->hi);
	to->sum += from->sum;
	to->count += from->count;
}

/* Bucket `from` is added to the empty or earlier bucket `to`; `shift_ns` is how far
 * its begin is behind that of the joined one. */
static void join(struct grid *g, size_t to, size_t from, uint64_t shift_ns)
{
	struct grid_bucket *a = &g->buckets[to], b = g->buckets[from];
	struct grid_cell *cells = &g->cells[to * g->columns];

	b.offset_ns += (double)shift_ns * b.count;
	if (to != from) {
		for (size_t c = 0; c < g->columns; c++)
			join_cell(&cells[c], &g->cells[from * g->columns + c]);
		a->offset_ns += b.offset_ns;
		a->count += b.count;
		a->group = b.count ? b.group : a->group;
		g->buckets[from] = (struct grid_bucket){0};
		memset(&g->cells[from * g->columns], 0, g->columns * sizeof *g->cells);
	} else {
		*a = b;
	}
}

static void coarser(struct grid *g)
{
	uint64_t first = g->first / 2;

	for (size_t i = 0; i < g->n; i++) {
		uint64_t number = g->first + i;

		join(g, (size_t)(number / 2 - first), i, number % 2 * g->width_ns);
	}
	if (g->n)
		g->n = (size_t)((g->first + g->n - 1) / 2 - first) + 1;
	g->first = first;
	g->width_ns *= 2;
}

/* Makes room at the front; there is some, because the whole span fits. */
static void move_up(struct grid *g, size_t by)
{
	memmove(g->buckets + by, g->buckets, g->n * sizeof *g->buckets);
	memset(g->buckets, 0, by * sizeof *g->buckets);
	memmove(g->cells + by * g->columns, g->cells, g->n * g->columns * sizeof *g->cells);
	memset(g->cells, 0, by * g->columns * sizeof *g->cells);
	g->first -= by;
	g->n += by;
}

/* The bucket of a time, which may be before or behind all others. */
static size_t place(struct grid *g, uint64_t time_ns)
{
	uint64_t number = time_ns / g->width_ns;

	if (!g->n) {
		g->first = number;
		g->n = 1;
	}
	while (MAX(number, g->first + g->n - 1) - MIN(number, g->first) >= GRID_BUCKETS) {
		coarser(g);
		number = time_ns / g->width_ns;
	}
	if (number < g->first)
		move_up(g, (size_t)(g->first - number));
	g->n = MAX(g->n, (size_t)(number - g->first) + 1);
	return (size_t)(number - g->first);
}

static void add_sum(struct grid_sum *s, uint64_t time_ns, double v)
{
	if (!s->count || v > s->hi) {
		s->hi = v;
		s->hi_ns = time_ns;
	}
	s->lo = s->count ? MIN(s->lo, v) : v;
	s->last = v;
	s->sum += v;
	s->count++;
}

void grid_add(struct grid *g, uint64_t time_ns, int group, const double *values)
{
	size_t i = place(g, time_ns);
	struct grid_bucket *b = &g->buckets[i];

	b->offset_ns += (double)(time_ns - (g->first + i) * g->width_ns);
	b->count++;
	b->group = group;
	for (size_t c = 0; c < g->columns; c++) {
		float v = (float)values[c];

		if (!isfinite(v))
			continue;
		join_cell(&g->cells[i * g->columns + c],
			&(struct grid_cell){.lo = v, .hi = v, .sum = values[c], .count = 1});
		add_sum(&g->sums[c], time_ns, values[c]);
	}
	g->earliest_ns = g->samples ? MIN(g->earliest_ns, time_ns) : time_ns;
	g->latest_ns = MAX(g->latest_ns, time_ns);
	g->samples++;
}

uint64_t grid_time(const struct grid *g, size_t i)
{
	const struct grid_bucket *b = &g->buckets[i];

	return (g->first + i) * g->width_ns +
	       (b->count ? (uint64_t)(b->offset_ns / b->count) : g->width_ns / 2);
}

const struct grid_cell *grid_cell(const struct grid *g, size_t bucket, size_t column)
{
	return &g->cells[bucket * g->columns + column];
}

bool grid_is_coarse(const struct grid *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->buckets[i].count > 1)
			return true;
	return false;
}

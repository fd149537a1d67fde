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

static void join(struct grid *g, size_t to, size_t from)
{
	struct grid_bucket *a = &g->buckets[to];
	const struct grid_bucket *b = &g->buckets[from];

	for (size_t c = 0; c < g->columns; c++)
		join_cell(&g->cells[to * g->columns + c], &g->cells[from * g->columns + c]);
	a->offset_ns += b->offset_ns;
	a->count += b->count;
	a->group = b->group;
}

static void move(struct grid *g, size_t to, size_t from, size_t n)
{
	memmove(g->buckets + to, g->buckets + from, n * sizeof *g->buckets);
	memmove(g->cells + to * g->columns, g->cells + from * g->columns,
		n * g->columns * sizeof *g->cells);
}

static void coarser(struct grid *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct grid_bucket *b = &g->buckets[i];

		b->offset_ns += (double)(b->number % 2 * g->width_ns) * b->count;
		b->number /= 2;
		if (n && g->buckets[n - 1].number == b->number)
			join(g, n - 1, i);
		else
			move(g, n++, i, 1);
	}
	g->n = n;
	g->width_ns *= 2;
}

/* Index of the first bucket that is not before `number`. Rows come in order,
 * unless a clock was set back. */
static size_t find(const struct grid *g, uint64_t number)
{
	size_t low = 0, high = g->n;

	if (g->n && g->buckets[g->n - 1].number <= number)
		return g->buckets[g->n - 1].number == number ? g->n - 1 : g->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->buckets[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t place(struct grid *g, uint64_t time_ns)
{
	size_t i = find(g, time_ns / g->width_ns);

	while (g->n == GRID_BUCKETS &&
		(i == g->n || g->buckets[i].number != time_ns / g->width_ns)) {
		coarser(g);
		i = find(g, time_ns / g->width_ns);
	}
	if (i < g->n && g->buckets[i].number == time_ns / g->width_ns)
		return i;
	move(g, i + 1, i, g->n - i);
	g->buckets[i] = (struct grid_bucket){.number = time_ns / g->width_ns};
	memset(&g->cells[i * g->columns], 0, g->columns * sizeof *g->cells);
	g->n++;
	return i;
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

	b->offset_ns += (double)(time_ns % g->width_ns);
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

	return b->number * g->width_ns + (uint64_t)(b->offset_ns / b->count);
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

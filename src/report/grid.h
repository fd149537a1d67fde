/*
 * Any number of samples, made into at most GRID_BUCKETS points in one pass and
 * constant memory. Time is cut into buckets of equal width; each keeps lowest,
 * highest and mean value of every column, so that no peak is lost. Only buckets
 * with samples exist: a week in a queue costs none. When there are too many, the
 * width doubles and neighbours are joined.
 */
#ifndef CRAGON_REPORT_GRID_H
#define CRAGON_REPORT_GRID_H

#include "base/defs.h"

#include <stdbool.h>

#define GRID_BUCKETS 1000

struct grid_cell {
	double sum;
	float lo, hi;
	uint32_t count;
};

struct grid_bucket {
	uint64_t number;  /* it begins at number * width_ns */
	double offset_ns; /* sum, from the bucket's begin, over its samples */
	uint32_t count;
	int group; /* of its last sample: lines do not cross from group to group */
};

struct grid_sum { /* over all samples of a column */
	double lo, hi, sum, last;
	uint64_t hi_ns, count;
};

struct grid {
	size_t columns, n;
	uint64_t width_ns;
	uint64_t samples, earliest_ns, latest_ns;
	struct grid_bucket *buckets; /* n of them, by time; none is empty */
	struct grid_cell *cells;     /* [bucket * columns + column] */
	struct grid_sum *sums;	     /* [column] */
};

int grid_init(struct grid *, size_t columns);
void grid_done(struct grid *);

/* `values` has a number for each column; NAN: not known. */
void grid_add(struct grid *, uint64_t time_ns, int group, const double *values);

/* Mean time of a bucket's samples. */
uint64_t grid_time(const struct grid *, size_t bucket);
const struct grid_cell *grid_cell(const struct grid *, size_t bucket, size_t column);
/* false: every bucket has one sample at most; nothing was joined. */
bool grid_is_coarse(const struct grid *);

#endif

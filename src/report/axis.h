/*
 * The common time axis of timeline and charts: 0 to 1 from the job's first start
 * to its end. The time between attempts, in a queue perhaps for days, is cut
 * short, so that the attempts stay visible. Labels are in the local time of
 * whoever writes the report.
 */
#ifndef CRAGON_REPORT_AXIS_H
#define CRAGON_REPORT_AXIS_H

#include "report/model.h"

#define AXIS_TICKS_MAX 12

struct axis_knot {
	uint64_t time_ns;
	double at;
};

struct axis_tick {
	double at;
	char label[24];
};

struct axis {
	struct axis_knot *knots; /* ascending in both; two at least */
	size_t n;
	struct axis_tick ticks[AXIS_TICKS_MAX];
	size_t n_ticks;
	int cut; /* gaps that were cut short */
};

int axis_make(struct axis *, const struct report *);
void axis_done(struct axis *);
double axis_at(const struct axis *, uint64_t time_ns);

#endif

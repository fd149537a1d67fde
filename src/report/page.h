/* The parts of the page; each appends its HTML. */
#ifndef CRAGON_REPORT_PAGE_H
#define CRAGON_REPORT_PAGE_H

#include "report/axis.h"
#include "report/model.h"

void page_header(struct buf *, const struct report *);	  /* what, and how it went */
void page_diagnosis(struct buf *, const struct report *); /* why the last run ended */
void page_tiles(struct buf *, const struct report *);
void page_timeline(struct buf *, const struct report *, const struct axis *);
void page_attempts(struct buf *, const struct report *);
void page_calls(struct buf *, const struct report *);
void page_forecast(struct buf *, const struct report *);
void page_log(struct buf *, const struct report *);
void page_footer(struct buf *, const struct report *);

/* Figures without their lines: title, legend, numbers as a table, an empty canvas;
 * the lines are JSON in `data`, which the script draws. */
void page_charts(struct buf *, struct buf *data, const struct report *, const struct axis *);

/* Small words. */
void page_time(struct buf *, uint64_t time_ns); /* <time> in local time; "not known" */
void page_duration(struct buf *, uint64_t ns);
void page_size(struct buf *, double bytes);
/* "exit code 3", "killed by SIGKILL"… without markup. */
void page_outcome(struct buf *, const struct report_attempt *);
const char *page_how(const struct report_attempt *); /* class: good, bad, held, busy */

#endif

/* A job as list and status show it: JSON, and the times people ask about. */
#ifndef CRAGON_CLI_JOBVIEW_H
#define CRAGON_CLI_JOBVIEW_H

#include "job/jobdir.h"

#include <jansson.h>

json_t *jobview_json(const struct job_view *);

/* How much work a crash at this moment would cost, in nanoseconds: since the
 * last image, or since the start. 0 unless the job runs. */
uint64_t jobview_at_risk_ns(const struct job_view *, uint64_t now_ns);

/* Real time gone by since `then_ns`; 0 if the clock was set back behind it. */
uint64_t elapsed_ns(uint64_t now_ns, uint64_t then_ns);

#endif

/*
 * The report: one HTML page that tells a job's story, from its directory alone.
 * It works offline: style, script and the plotting library are in the page, and
 * its Content-Security-Policy allows nothing else.
 *
 * Every input may be missing, truncated, edited or hostile; what could not be
 * read is named at the foot of the page. Only a directory that holds nothing of
 * a job is an error (-ENOENT, WHY_NO_JOB).
 */
#ifndef CRAGON_REPORT_REPORT_H
#define CRAGON_REPORT_REPORT_H

#include "base/buf.h"
#include "base/err.h"

#define REPORT_NAME "report.html"

/* Appends the page to `out`. The job may be running. */
int report_build(const char *jobdir, struct buf *out, struct err *);

/* The same into a file: complete or absent, mode 0600. NULL: JOBDIR/report.html.
 * What exists and is no regular file (a FIFO, /dev/stdout) is written to. */
int report_write(const char *jobdir, const char *out_path, struct err *);

#endif

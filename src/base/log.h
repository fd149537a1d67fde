/*
 * cragon.log: time, level, text. Only cli and job hold one; libraries return
 * errors. A message goes to the job's log file and, from the chosen level on,
 * to standard error as "cragon: text".
 */
#ifndef CRAGON_BASE_LOG_H
#define CRAGON_BASE_LOG_H

#include "base/defs.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	int fd;                  /* job's log file, or -1 */
	enum log_level terminal; /* what standard error shows */
};

/* Opens DIR/cragon.log for appending, 0600, O_CLOEXEC. Returns 0 or -errno. */
int log_open(struct log *log, int dirfd, enum log_level terminal);
void log_done(struct log *log);
void log_line(struct log *log, enum log_level level, const char *fmt, ...) printf_like(3, 4);

#define log_error(l, ...) log_line((l), LOG_ERROR, __VA_ARGS__)
#define log_warn(l, ...) log_line((l), LOG_WARN, __VA_ARGS__)
#define log_info(l, ...) log_line((l), LOG_INFO, __VA_ARGS__)
#define log_debug(l, ...) log_line((l), LOG_DEBUG, __VA_ARGS__)

#endif

/* cragon.log: see log.h. One write(2) per line, so that lines never mix. */
#include "base/log.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

int log_open(struct log *log, int dirfd, enum log_level terminal)
{
	int fd = openat(dirfd, "cragon.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	log->fd = fd;
	log->terminal = terminal;
	return 0;
}

void log_done(struct log *log)
{
	close_p(&log->fd);
}

void log_line(struct log *log, enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char text[2048], line[2200], when[40];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	if (log->fd >= 0) {
		format_time(now_real_ns(), when);
		n = snprintf(line, sizeof line, "%s %s %s\n", when, names[level], text);
		/* A full disk must not stop the job; the terminal line below still appears. */
		(void)io_write(log->fd, line, (size_t)n);
	}
	if (level <= log->terminal) {
		n = snprintf(line, sizeof line, "cragon: %s\n", text);
		(void)io_write(STDERR_FILENO, line, (size_t)n);
	}
}

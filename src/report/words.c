/* Times, sizes and outcomes as words: see page.h. */
#include "report/page.h"
#include "report/text.h"
#include "base/units.h"

#include <string.h>
#include <time.h>

void page_time(struct buf *b, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_SEC);
	char text[40], machine[40];
	struct tm tm;

	if (!time_ns) {
		buf_str(b, "not known");
		return;
	}
	localtime_r(&seconds, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%S%z", &tm);
	buf_printf(b, "<time datetime=\"%s\">%s</time>", machine, text);
}

void page_duration(struct buf *b, uint64_t ns)
{
	char text[32];

	duration_format(ns, text);
	buf_str(b, text);
}

void page_size(struct buf *b, double bytes)
{
	char text[32];

	size_format(bytes < 1 ? 0 : bytes > 1e18 ? UINT64_MAX : (uint64_t)bytes, text);
	buf_str(b, text);
}

void page_outcome(struct buf *b, const struct report_attempt *a)
{
	const char *name = a->signal ? sigabbrev_np(a->signal) : NULL;

	switch (a->how) {
	case REPORT_RUNNING:
		buf_str(b, "running");
		break;
	case REPORT_EXIT:
		if (a->exit_code == 0)
			buf_str(b, "finished");
		else if (a->exit_code > 0)
			buf_printf(b, "exit code %d", a->exit_code);
		else
			buf_str(b, "exited");
		break;
	case REPORT_SIGNAL:
		if (name)
			buf_printf(b, "killed by SIG%s", name);
		else
			buf_printf(b, "killed by signal %d", a->signal);
		break;
	case REPORT_STOPPED:
		buf_str(b, "stopped with an image");
		break;
	case REPORT_LOST:
		buf_str(b, "lost");
		break;
	}
}

const char *page_how(const struct report_attempt *a)
{
	switch (a->how) {
	case REPORT_RUNNING:
		return "busy";
	case REPORT_STOPPED:
		return "held";
	case REPORT_EXIT:
		return a->exit_code == 0 ? "good" : "bad";
	case REPORT_SIGNAL:
	case REPORT_LOST:
	default:
		return "bad";
	}
}

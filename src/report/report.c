/* Gathering and writing the page: see report.h. */
#include "report/report.h"
#include "report/assets.h"
#include "report/page.h"
#include "report/text.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

void report_done(struct report *r)
{
	json_decref(r->root);
	free_p(&r->attempts);
	free_p(&r->images);
	grid_done(&r->system);
	grid_done(&r->process);
	grid_done(&r->image);
	for (size_t i = 0; i < REPORT_LOG_LINES; i++)
		free_p(&r->log[i]);
	buf_done(&r->notices);
}

static void free_report_p(struct report **r)
{
	if (*r)
		report_done(*r);
	free_p(r);
}

void report_notice(struct report *r, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_str(&r->notices, "<li>");
	html_text(&r->notices, text);
	buf_str(&r->notices, "</li>\n");
}

/* ---- gathering ----------------------------------------------------------------------- */

static int gather(struct report *r, struct err *e)
{
	static int (*const readers[])(struct report *, int, int *) = {report_read_job,
		report_read_images, report_read_system, report_read_processes, report_read_calls,
		report_read_log};
	cleanup_fd int dirfd = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int found = 0, code = 0;

	if (dirfd < 0)
		return err_sys(e, -errno, "cannot open %s", r->directory);
	for (size_t i = 0; code == 0 && i < ARRAY_LEN(readers); i++)
		code = readers[i](r, dirfd, &found);
	if (code < 0)
		return err_sys(e, code, "cannot read %s", r->directory);
	if (!found)
		return err_set(e, -ENOENT, WHY_NO_JOB,
			"%s holds nothing of a job: give a job directory or an id from \"cragon "
			"list\"",
			r->directory);
	report_settle(r);
	return 0;
}

/* ---- the page ------------------------------------------------------------------------ */

/* Style and scripts run by their digests: nothing from the job directory can be
 * one, even if it got into the page unescaped. */
static void head(struct buf *b, const struct report *r)
{
	buf_printf(b,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'sha256-%s'; script-src 'sha256-%s' 'sha256-%s'; base-uri 'none'; "
		"form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n<title>Cragon: ",
		report_style.sha256, report_library.sha256, report_script.sha256);
	html_text(b, *json_text_of(r->root, "id") ? json_text_of(r->root, "id") : r->directory);
	buf_str(b, "</title>\n<style>");
	buf_add(b, report_style.data, report_style.len);
	buf_str(b, "</style>\n</head>\n<body>\n<main>\n");
}

static void scripts(struct buf *b, const struct buf *data)
{
	buf_str(b, "<script type=\"application/json\" id=\"data\">");
	buf_add(b, data->data, data->len);
	buf_str(b, "</script>\n<script>");
	buf_add(b, report_library.data, report_library.len);
	buf_str(b, "</script>\n<script>");
	buf_add(b, report_script.data, report_script.len);
	buf_str(b, "</script>\n</body>\n</html>\n");
}

static void write_page(struct buf *b, const struct report *r, const struct axis *x)
{
	cleanup_buf struct buf data = {0};

	head(b, r);
	page_header(b, r);
	page_diagnosis(b, r);
	page_tiles(b, r);
	page_timeline(b, r, x);
	page_forecast(b, r);
	page_charts(b, &data, r, x);
	page_calls(b, r);
	page_log(b, r);
	page_footer(b, r);
	buf_str(b, "</main>\n");
	scripts(b, &data);
	if (buf_error(&data))
		b->bad = buf_error(&data);
}

int report_build(const char *jobdir, struct buf *out, struct err *e)
{
	cleanup(free_report_p) struct report *r = calloc(1, sizeof *r);
	cleanup(axis_done) struct axis x = {0};
	int code;

	if (!r)
		return err_sys(e, -ENOMEM, "cannot make a report");
	r->directory = jobdir;
	r->now_ns = now_real_ns();
	code = gather(r, e);
	if (code < 0)
		return code;
	code = axis_make(&x, r);
	if (code == 0) {
		write_page(out, r, &x);
		code = buf_error(out);
	}
	return code < 0 ? err_sys(e, code, "cannot make a report") : 0;
}

/* ---- the file -------------------------------------------------------------------------- */

static int write_through(const char *path, const struct buf *page, struct err *e)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	int code = fd < 0 ? -errno : io_write(fd, page->data, page->len);

	return code < 0 ? err_sys(e, code, "cannot write %s", path) : 0;
}

static int publish(const char *path, const struct buf *page, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *dir =
		slash ? strndup(path, MAX((size_t)(slash - path), 1)) : strdup(".");
	cleanup_fd int dirfd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int code = dirfd < 0 ? -errno : io_publish_at(dirfd, name, page->data, page->len);

	return code < 0 ? err_sys(e, code, "cannot write %s", path) : 0;
}

int report_write(const char *jobdir, const char *out_path, struct err *e)
{
	cleanup_free char *standard = NULL, *real = NULL;
	cleanup_buf struct buf page = {0};
	struct stat st;
	int code;

	if (!out_path && asprintf(&standard, "%s/" REPORT_NAME, jobdir) < 0) {
		standard = NULL;
		return err_sys(e, -ENOMEM, "cannot make a report");
	}
	if (!out_path)
		out_path = standard;
	code = report_build(jobdir, &page, e);
	if (code < 0)
		return code;
	/* A symbolic link stays one; what it leads to is replaced. */
	real = realpath(out_path, NULL);
	if (!real || stat(real, &st) < 0)
		return publish(out_path, &page, e);
	if (S_ISDIR(st.st_mode))
		return err_set(
			e, -EISDIR, WHY_USAGE, "%s is a directory: name a file in it", out_path);
	return S_ISREG(st.st_mode) ? publish(real, &page, e) : write_through(real, &page, e);
}

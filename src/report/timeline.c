/*
 * The timeline: one bar for each attempt on the common time axis, a tick for each
 * checkpoint, and the stretch of work that had to be repeated. It is inline SVG
 * without a viewBox: widths are percentages, so that text keeps its size. And the
 * same as a table.
 */
#include "report/page.h"
#include "report/text.h"

#include <string.h>

#define BAR_Y 26
#define BAR_HEIGHT 30
#define MARKS_CLOSE 0.0008 /* of the width: marks nearer than this are one */
#define ROWS_FIRST 20
#define ROWS_LAST 60

static void rectangle(struct buf *b, const char *class, double from, double to)
{
	buf_printf(b, "<rect class=\"%s\" x=\"%.3f%%\" y=\"%d\" width=\"%.3f%%\" height=\"%d\">",
		class, 100 * from, BAR_Y, 100 * MAX(to - from, 0.001), BAR_HEIGHT);
}

static void title_of(struct buf *b, const struct report_attempt *a, size_t i)
{
	buf_printf(b, "<title>Attempt %zu, ", i + 1);
	page_duration(b, a->ended_ns > a->started_ns ? a->ended_ns - a->started_ns : 0);
	buf_str(b, ": ");
	page_outcome(b, a);
	if (*a->cause) {
		buf_str(b, ", ");
		html_text(b, a->cause);
	}
	buf_str(b, "</title>");
}

static void draw_attempt(struct buf *b, const struct report *r, const struct axis *x, size_t i)
{
	const struct report_attempt *a = &r->attempts[i];
	double from = axis_at(x, a->started_ns), to = axis_at(x, a->ended_ns);
	uint64_t lost = MIN(a->lost_ns, a->ended_ns - MIN(a->started_ns, a->ended_ns));

	buf_str(b, "<g>");
	rectangle(b, page_how(a), from, to);
	title_of(b, a, i);
	buf_str(b, "</rect>");
	if (a->lost_known && lost) {
		rectangle(b, "again", axis_at(x, a->ended_ns - lost), to);
		buf_str(b, "<title>Work after the last image: ");
		page_duration(b, lost);
		buf_str(b, "</title></rect>");
	}
	if (r->n_attempts <= 24)
		buf_printf(b, "<text class=\"number\" x=\"%.3f%%\" y=\"%d\">%zu</text>", 100 * from,
			BAR_Y - 8, i + 1);
	buf_str(b, "</g>\n");
}

static void draw_images(struct buf *b, const struct report *r, const struct axis *x)
{
	double last = -1;

	buf_str(b, "<g class=\"marks\">");
	for (size_t i = 0; i < r->n_images; i++) {
		const struct report_image *image = &r->images[i];
		double at = axis_at(x, image->time_ns);

		if (!report_plausible(r, image->time_ns) || (at - last < MARKS_CLOSE && at >= last))
			continue;
		last = at;
		buf_printf(b,
			"<line x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"%d\" y2=\"%d\"%s><title>Image "
			"%llu",
			100 * at, 100 * at, BAR_Y + BAR_HEIGHT - 10, BAR_Y + BAR_HEIGHT + 6,
			image->on_disk ? " class=\"kept\"" : "", (unsigned long long)image->number);
		if (*image->reason) {
			buf_str(b, ", ");
			html_text(b, image->reason);
		}
		buf_str(b, ": paused ");
		page_duration(b, image->pause_ns);
		buf_str(b, "</title></line>");
	}
	buf_str(b, "</g>\n");
}

static void draw_ticks(struct buf *b, const struct axis *x)
{
	buf_str(b, "<g class=\"axis\">");
	for (size_t i = 0; i < x->n_ticks; i++)
		buf_printf(b,
			"<g><line x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"%d\" y2=\"%d\"/><text "
			"x=\"%.3f%%\" "
			"y=\"%d\">%s</text></g>",
			100 * x->ticks[i].at, 100 * x->ticks[i].at, BAR_Y + BAR_HEIGHT + 10,
			BAR_Y + BAR_HEIGHT + 15, 100 * x->ticks[i].at, BAR_Y + BAR_HEIGHT + 28,
			x->ticks[i].label);
	buf_str(b, "</g>\n");
}

static void key(struct buf *b, const char *class, const char *text)
{
	buf_printf(b,
		"<li><svg class=\"swatch\" aria-hidden=\"true\">%s<rect class=\"%s\" "
		"width=\"100%%\" "
		"height=\"100%%\"/></svg>%s</li>",
		strcmp(class, "again") ? ""
				       : "<rect class=\"under\" width=\"100%\" height=\"100%\"/>",
		class, text);
}

static void draw_key(struct buf *b, const struct report *r, const struct axis *x)
{
	bool seen[4] = {false};
	static const char *const rows[][2] = {{"good", "finished"},
		{"held", "stopped with an image"}, {"bad", "failed or lost"}, {"busy", "running"}};
	bool again = false;

	buf_str(b, "<ul class=\"legend\">");
	for (size_t i = 0; i < r->n_attempts; i++) {
		again = again || (r->attempts[i].lost_known && r->attempts[i].lost_ns);
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			seen[k] = seen[k] || !strcmp(page_how(&r->attempts[i]), rows[k][0]);
	}
	for (size_t k = 0; k < ARRAY_LEN(rows); k++)
		if (seen[k])
			key(b, rows[k][0], rows[k][1]);
	if (again)
		key(b, "again", "work after the last image, done again");
	if (r->n_images)
		buf_str(b, "<li><svg class=\"swatch marks\" aria-hidden=\"true\"><line x1=\"50%\" "
			   "x2=\"50%\" "
			   "y1=\"0\" y2=\"100%\"/></svg>checkpoint</li>");
	if (x->cut)
		buf_str(b, "<li>time between attempts is cut short</li>");
	buf_str(b, "</ul>\n");
}

void page_timeline(struct buf *b, const struct report *r, const struct axis *x)
{
	if (!r->n_attempts)
		return;
	buf_str(b, "<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Attempts</h2>\n");
	draw_key(b, r, x);
	buf_printf(b,
		"<svg class=\"timeline\" role=\"img\" width=\"100%%\" height=\"%d\" "
		"aria-label=\"Timeline of %zu attempts with %zu checkpoints; the table below "
		"has the same\">\n",
		BAR_Y + BAR_HEIGHT + 36, r->n_attempts, r->n_images);
	buf_str(b,
		"<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" "
		"patternUnits=\"userSpaceOnUse\" "
		"patternTransform=\"rotate(45)\"><line class=\"hatch\" x1=\"0\" x2=\"0\" y1=\"0\" "
		"y2=\"6\"/></pattern></defs>\n");
	buf_printf(b, "<rect class=\"ground\" x=\"0\" y=\"%d\" width=\"100%%\" height=\"%d\"/>\n",
		BAR_Y, BAR_HEIGHT);
	for (size_t i = 0; i < r->n_attempts; i++)
		draw_attempt(b, r, x, i);
	draw_images(b, r, x);
	draw_ticks(b, x);
	buf_str(b, "</svg>\n");
	page_attempts(b, r);
	buf_str(b, "</section>\n");
}

/* ---- the table ---------------------------------------------------------------------------- */

static void why_cell(struct buf *b, const struct report_attempt *a)
{
	const json_t *line;
	size_t i;

	buf_printf(b, "<td class=\"why\"><span class=\"badge %s\">", page_how(a));
	page_outcome(b, a);
	buf_str(b, "</span>");
	if (*a->cause) {
		buf_str(b, " <code>");
		html_text(b, a->cause);
		buf_str(b, "</code>");
	}
	json_array_foreach(a->evidence, i, line)
	{
		if (i == 3)
			break;
		if (json_is_string(line))
			buf_str(b, "<br>");
		html_text(b, json_string_value(line));
	}
	if (*a->remedy) {
		buf_str(b, "<br><em>");
		html_text(b, a->remedy);
		buf_str(b, "</em>");
	}
	buf_str(b, "</td>");
}

static void row(struct buf *b, const struct report_attempt *a, size_t i)
{
	buf_printf(b, "<tr><th scope=\"row\">%zu</th><td>", i + 1);
	page_time(b, a->started_ns);
	buf_str(b, "</td><td class=\"n\" data-name=\"lasted\">");
	page_duration(b, a->ended_ns > a->started_ns ? a->ended_ns - a->started_ns : 0);
	if (a->from_image)
		buf_printf(b, "</td><td data-name=\"from\">image %llu",
			(unsigned long long)a->from_image);
	else
		buf_str(b, "</td><td data-name=\"from\">the beginning");
	buf_printf(b, "</td><td class=\"n\" data-name=\"images\">%zu</td><td class=\"n\"%s>",
		a->images, a->lost_known ? " data-name=\"lost\"" : "");
	if (a->lost_known)
		page_duration(b, a->lost_ns);
	buf_str(b, "</td>");
	why_cell(b, a);
	buf_str(b, "</tr>\n");
}

void page_attempts(struct buf *b, const struct report *r)
{
	bool all = r->n_attempts <= ROWS_FIRST + ROWS_LAST + 1;
	size_t hidden_to = all ? 0 : r->n_attempts - ROWS_LAST;

	buf_str(b, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of "
		   "attempts\">"
		   "<table class=\"attempts\"><thead><tr><th scope=\"col\">#</th>"
		   "<th scope=\"col\">Started</th><th scope=\"col\" class=\"n\">Lasted</th>"
		   "<th scope=\"col\">From</th><th scope=\"col\" class=\"n\">Images</th>"
		   "<th scope=\"col\" class=\"n\">Lost</th><th scope=\"col\">How it "
		   "ended</th></tr></thead>"
		   "<tbody>\n");
	for (size_t i = 0; i < r->n_attempts; i++) {
		if (!all && i == ROWS_FIRST) {
			buf_printf(b,
				"<tr><td colspan=\"7\" class=\"more\">%zu more "
				"attempts</td></tr>\n",
				hidden_to - ROWS_FIRST);
			i = hidden_to;
		}
		row(b, &r->attempts[i], i);
	}
	buf_str(b, "</tbody></table></div>\n");
}

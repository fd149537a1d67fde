/* The foot of the page: failed allocations, forecast, log, where it all is from. */
#include "report/page.h"
#include "report/text.h"

#include <string.h>

static void call_row(struct buf *b, const struct report_call *c)
{
	buf_printf(b, "<tr><td class=\"n\">%llu</td><td><code>", (unsigned long long)c->count);
	html_text(b, c->function);
	buf_str(b, "</code></td><td>");
	html_text(b, c->error);
	buf_str(b, "</td><td class=\"n\">");
	if (c->largest_bytes)
		page_size(b, (double)c->largest_bytes);
	buf_str(b, "</td><td>");
	html_text(b, c->outcome);
	buf_str(b, "</td><td>");
	page_time(b, c->first_ns);
	buf_str(b, "</td><td>");
	page_time(b, c->last_ns);
	buf_str(b, "</td></tr>\n");
}

void page_calls(struct buf *b, const struct report *r)
{
	if (!r->calls_total)
		return;
	buf_str(b, "<section aria-labelledby=\"calls\">\n<h2 id=\"calls\">Failed allocations</h2>\n"
		   "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		   "aria-label=\"Table of failed allocations\"><table><thead><tr>"
		   "<th scope=\"col\" class=\"n\">Times</th><th scope=\"col\">Function</th>"
		   "<th scope=\"col\">Error</th><th scope=\"col\" class=\"n\">Largest request</th>"
		   "<th scope=\"col\">What came of it</th><th scope=\"col\">First</th>"
		   "<th scope=\"col\">Last</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < r->n_calls; i++)
		call_row(b, &r->calls[i]);
	if (r->calls_other)
		buf_printf(b,
			"<tr><td class=\"n\">%llu</td><td colspan=\"6\">of other kinds: see "
			"intercepted.log</td></tr>\n",
			(unsigned long long)r->calls_other);
	buf_str(b, "</tbody></table></div>\n</section>\n");
}

static void forecast_number(
	struct buf *b, const json_t *f, const char *key, const char *name, const char *unit)
{
	const json_t *v = json_object_get(f, key);

	if (!json_is_number(v))
		return;
	buf_printf(b, "<div><dt>%s</dt><dd>", name);
	page_size(b, json_number_value(v));
	buf_printf(b, "%s</dd></div>", unit);
}

void page_forecast(struct buf *b, const struct report *r)
{
	const json_t *f = json_object_get(r->root, "forecast");

	if (!json_is_object(f))
		return;
	buf_str(b,
		"<section aria-labelledby=\"forecast\">\n<h2 id=\"forecast\">Memory for the next "
		"try</h2>\n<p>");
	html_text(b, json_text_of(f, "text"));
	buf_str(b, "</p>\n<dl class=\"facts\">");
	forecast_number(b, f, "next_bytes", "Ask for", "");
	forecast_number(b, f, "peak_bytes", "Highest so far", "");
	forecast_number(b, f, "growth_bytes_per_s", "Growth", "/s");
	buf_str(b, "</dl>\n</section>\n");
}

/* "2026-11-23T18:52:15.344120+01:00 warning text" */
static void log_row(struct buf *b, const char *line)
{
	const char *level = strchr(line, ' '), *text = level ? strchr(level + 1, ' ') : NULL;
	bool loud;

	if (!text) {
		buf_str(b, "<li>");
		html_text(b, line);
		buf_str(b, "</li>\n");
		return;
	}
	loud = !strncmp(level, " error ", 7) || !strncmp(level, " warning ", 9);
	buf_printf(b, "<li%s><time>", loud ? " class=\"loud\"" : "");
	html_text_n(b, line, MIN((size_t)(level - line), (size_t)19));
	buf_str(b, "</time> <b>");
	html_text_n(b, level + 1, (size_t)(text - level - 1));
	buf_str(b, "</b> ");
	html_text(b, text + 1);
	buf_str(b, "</li>\n");
}

void page_log(struct buf *b, const struct report *r)
{
	if (!r->n_log)
		return;
	buf_str(b, "<section aria-labelledby=\"log\">\n<h2 id=\"log\">Last messages</h2>\n"
		   "<ol class=\"log\">\n");
	for (size_t i = 0; i < r->n_log; i++)
		log_row(b, r->log[i]);
	buf_str(b, "</ol>\n</section>\n");
}

void page_footer(struct buf *b, const struct report *r)
{
	buf_str(b, "<footer>\n<p>Written ");
	page_time(b, r->now_ns);
	buf_str(b, " by cragon " CRAGON_VERSION " from ");
	html_text(b, r->directory);
	buf_str(b, ". Times are local to that machine.</p>\n");
	if (r->notices.len)
		buf_printf(b, "<ul class=\"notices\">%s</ul>\n", r->notices.data);
	buf_str(b, "</footer>\n");
}

/*
 * The charts. One row describes each; what is written into the page is the
 * figure with its title, its legend and a table of its numbers (which is also
 * its text alternative), and, apart from that, the points as JSON for the
 * script to draw.
 */
#include "report/page.h"
#include "report/text.h"
#include "base/units.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define SERIES_MAX 10
#define LIMIT_SHOWN 3.0 /* a limit farther above the rest than this would flatten it */
#define MARKS_MAX 1500

enum unit { BYTES, BYTES_PER_S, PERCENT, PERCENT_OF_CORE, SECONDS };

static const struct {
	const char *name, *axis;
} units[] = {
	[BYTES] = {"bytes", "bytes"},
	[BYTES_PER_S] = {"bytes/s", "bytes per second"},
	[PERCENT] = {"percent", "percent"},
	[PERCENT_OF_CORE] = {"percent", "percent of one core"},
	[SECONDS] = {"seconds", "seconds"},
};

struct series {
	const char *name; /* NULL: a process */
	unsigned column;
	unsigned color; /* of the palette in page.css */
	bool limit;	/* dashed; left out when it is far above the rest */
	bool points;
};

enum source { SYSTEM, PROCESS, IMAGE };

struct chart {
	const char *id, *title, *about;
	enum source source;
	enum unit unit;
	struct series series[SERIES_MAX]; /* ends with a series without name and color */
};

#define OTHERS 8 /* color of the rest */

static const struct chart charts[] = {
	{"memory-job", "Memory of the job", "Resident memory of all its processes.", SYSTEM, BYTES,
		{{"job", SYS_JOB_RSS, 0, false, false},
			{"memory cgroup", SYS_CGROUP_MEMORY, 4, false, false},
			{"limit of the cgroup", SYS_CGROUP_LIMIT, 1, true, false}}},
	{"memory-machine", "Memory of the machine", "In use by everything that runs there.", SYSTEM,
		BYTES,
		{{"in use", SYS_MEMORY_USED, 2, false, false},
			{"swap in use", SYS_SWAP_USED, 3, false, false},
			{"installed", SYS_MEMORY_TOTAL, 1, true, false}}},
	{"cpu", "CPU of each process", "100 is one core.", PROCESS, PERCENT_OF_CORE, {{0}}},
	{"memory-process", "Memory of each process", "Resident memory.", PROCESS, BYTES, {{0}}},
	{"cpu-machine", "CPU of job and machine",
		"The job: 100 is one core. The machine: 100 is all cores.", SYSTEM, PERCENT,
		{{"job", SYS_JOB_CPU, 0, false, false}, {"machine", SYS_CPU, 2, false, false}}},
	{"psi", "Time spent waiting",
		"Pressure: the share of time in which something waited for it.", SYSTEM, PERCENT,
		{{"for CPU", SYS_PSI_CPU, 0, false, false},
			{"for memory", SYS_PSI_MEMORY, 5, false, false},
			{"for I/O", SYS_PSI_IO, 3, false, false}}},
	{"io", "Disk and network of the machine", "", SYSTEM, BYTES_PER_S,
		{{"disk read", SYS_DISK_READ, 0, false, false},
			{"disk written", SYS_DISK_WRITTEN, 1, false, false},
			{"net received", SYS_NET_RECEIVED, 2, false, false},
			{"net sent", SYS_NET_SENT, 3, false, false}}},
	{"image-size", "Size of images", "", IMAGE, BYTES,
		{{"memory of the job", 0, 4, false, true}, {"on disk", 1, 0, false, true}}},
	{"image-time", "Time of checkpoints", "The job is held only during the pause.", IMAGE,
		SECONDS,
		{{"pause of the job", 2, 1, false, true}, {"until on disk", 3, 4, false, true}}},
};

static const struct grid *grid_of(const struct report *r, enum source source)
{
	return source == SYSTEM ? &r->system : source == PROCESS ? &r->process : &r->image;
}

/* ---- series -------------------------------------------------------------------------- */

/* Processes are known only now. */
static size_t processes(const struct report *r, const struct chart *c, struct series *ret)
{
	unsigned base = c->unit == BYTES ? PROC_SHOWN : 0;
	size_t n = 0;

	for (; n < r->n_processes; n++)
		ret[n] = (struct series){.name = r->processes[n].name,
			.column = base + r->processes[n].column,
			.color = (unsigned)n};
	if (r->process.sums && r->process.sums[base + PROC_REST].count)
		ret[n++] = (struct series){
			.name = "all others", .column = base + PROC_REST, .color = OTHERS};
	return n;
}

/* Those that have values, and limits that do not flatten the others. */
static size_t choose(const struct report *r, const struct chart *c, struct series *ret,
	const struct series **ret_far)
{
	const struct grid *g = grid_of(r, c->source);
	double highest = 0;
	size_t n = 0;

	*ret_far = NULL;
	if (!g->sums || !g->samples)
		return 0;
	if (c->source == PROCESS)
		return processes(r, c, ret);
	for (size_t i = 0; i < SERIES_MAX && c->series[i].name; i++) {
		const struct series *s = &c->series[i];

		if (!g->sums[s->column].count)
			continue;
		if (s->limit && g->sums[s->column].lo > LIMIT_SHOWN * highest) {
			*ret_far = s;
			continue;
		}
		highest = MAX(highest, g->sums[s->column].hi);
		ret[n++] = *s;
	}
	return n;
}

/* ---- figures --------------------------------------------------------------------------- */

static void amount(struct buf *b, enum unit unit, double v)
{
	char text[32];

	switch (unit) {
	case BYTES:
		page_size(b, v);
		break;
	case BYTES_PER_S:
		page_size(b, v);
		buf_str(b, "/s");
		break;
	case PERCENT:
	case PERCENT_OF_CORE:
		buf_printf(b, v >= 100 ? "%.0f %%" : "%.1f %%", v);
		break;
	case SECONDS:
		duration_format(v > 0 && v < 1e9 ? (uint64_t)(v * 1e9) : 0, text);
		buf_str(b, text);
		break;
	}
}

static void legend(struct buf *b, const struct series *series, size_t n)
{
	buf_str(b, "<ul class=\"legend\">");
	for (size_t i = 0; i < n; i++) {
		buf_printf(b,
			"<li><svg class=\"swatch line\" aria-hidden=\"true\"><line class=\"c%u%s\" "
			"x1=\"0\" x2=\"100%%\" y1=\"50%%\" y2=\"50%%\"/></svg>",
			series[i].color, series[i].limit ? " limit" : "");
		html_text(b, series[i].name);
		buf_str(b, "</li>");
	}
	buf_str(b, "</ul>\n");
}

static void numbers(struct buf *b, const struct grid *g, const struct chart *c,
	const struct series *series, size_t n)
{
	buf_printf(b,
		"<details><summary>Numbers</summary><div class=\"scroll\" tabindex=\"0\" "
		"role=\"region\" aria-label=\"%s: numbers\"><table><thead><tr><th scope=\"col\">%s"
		"</th><th scope=\"col\" class=\"n\">Lowest</th><th scope=\"col\" "
		"class=\"n\">Mean</th>"
		"<th scope=\"col\" class=\"n\">Highest</th><th scope=\"col\">When highest</th>"
		"<th scope=\"col\" class=\"n\">Last</th></tr></thead><tbody>\n",
		c->title, c->source == PROCESS ? "Process" : "");
	for (size_t i = 0; i < n; i++) {
		const struct grid_sum *s = &g->sums[series[i].column];

		buf_str(b, "<tr><th scope=\"row\">");
		html_text(b, series[i].name);
		buf_str(b, "</th><td class=\"n\">");
		amount(b, c->unit, s->lo);
		buf_str(b, "</td><td class=\"n\">");
		amount(b, c->unit, s->count ? s->sum / (double)s->count : 0);
		buf_str(b, "</td><td class=\"n\">");
		amount(b, c->unit, s->hi);
		buf_str(b, "</td><td>");
		page_time(b, s->hi_ns);
		buf_str(b, "</td><td class=\"n\">");
		amount(b, c->unit, s->last);
		buf_str(b, "</td></tr>\n");
	}
	buf_str(b, "</tbody></table></div></details>\n");
}

/* What a chart says, for those who do not see it. */
static void describe(struct buf *b, const struct grid *g, const struct chart *c,
	const struct series *series, size_t n)
{
	buf_printf(b, "%s, in %s over time.", c->title, units[c->unit].axis);
	for (size_t i = 0; i < n; i++) {
		const struct grid_sum *s = &g->sums[series[i].column];

		if (!s->count)
			continue;
		buf_str(b, " ");
		html_text(b, series[i].name);
		buf_str(b, ": from ");
		amount(b, c->unit, s->lo);
		buf_str(b, " to ");
		amount(b, c->unit, s->hi);
		buf_str(b, ".");
	}
}

static void figure(struct buf *b, const struct report *r, const struct chart *c,
	const struct series *series, size_t n, const struct series *far)
{
	const struct grid *g = grid_of(r, c->source);

	buf_printf(b, "<figure id=\"%s\">\n<figcaption><h3>%s</h3>", c->id, c->title);
	buf_printf(b, "<p>%s", c->about);
	if (c->source == PROCESS && r->n_processes_seen > r->n_processes)
		buf_printf(
			b, " The %zu that used most, of %zu.", r->n_processes, r->n_processes_seen);
	if (far) {
		buf_printf(b, " Not drawn, far above: %s, ", far->name);
		amount(b, c->unit, g->sums[far->column].lo);
		buf_str(b, ".");
	}
	buf_str(b, "</p>");
	legend(b, series, n);
	buf_printf(b,
		"</figcaption>\n<div class=\"plot\"><canvas data-chart=\"%s\" role=\"img\" "
		"aria-label=\"",
		c->id);
	describe(b, g, c, series, n);
	buf_str(b, "\"></canvas></div>\n");
	numbers(b, g, c, series, n);
	buf_str(b, "</figure>\n");
}

/* ---- points ---------------------------------------------------------------------------- */

static bool group_ends(const struct grid *g, size_t i, int *group)
{
	bool ends = *group >= 0 && g->buckets[i].group != *group;

	*group = g->buckets[i].group;
	return ends;
}

static double value_of(const struct grid_cell *cell, enum unit unit)
{
	/* Of memory the peak is what counts; of a rate, the mean. */
	return !cell->count ? NAN : unit == BYTES ? cell->hi : cell->sum / cell->count;
}

enum which { VALUE, LOW, HIGH };

/* One array with an entry for each bucket in use, and a null where a line is
 * to be interrupted. */
static void values(struct buf *b, const struct grid *g, const struct chart *c, unsigned column,
	enum which which)
{
	int group = -1;
	const char *comma = "";

	buf_str(b, "[");
	for (size_t i = 0; i < g->n; i++) {
		const struct grid_cell *cell = grid_cell(g, i, column);

		if (group_ends(g, i, &group))
			buf_str(b, ",null");
		buf_str(b, comma);
		comma = ",";
		json_number(b, which == VALUE ? value_of(cell, c->unit)
			       : !cell->count ? NAN
			       : which == LOW ? cell->lo
					      : cell->hi);
	}
	buf_str(b, "]");
}

static void places(struct buf *b, const struct grid *g, const struct axis *x)
{
	int group = -1;
	const char *comma = "";
	double last = 0;

	buf_str(b, "[");
	for (size_t i = 0; i < g->n; i++) {
		if (group_ends(g, i, &group))
			buf_printf(b, ",%.5f", last);
		last = axis_at(x, grid_time(g, i));
		buf_printf(b, "%s%.5f", comma, last);
		comma = ",";
	}
	buf_str(b, "]");
}

static void points(struct buf *b, const struct report *r, const struct chart *c,
	const struct series *series, size_t n)
{
	const struct grid *g = grid_of(r, c->source);
	bool coarse = grid_is_coarse(g);

	buf_printf(b, "{\"id\":\"%s\",\"unit\":\"%s\",\"axis\":\"%s\",\"x\":%d,\"series\":[", c->id,
		units[c->unit].name, units[c->unit].axis, (int)c->source);
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s{\"name\":", i ? "," : "");
		json_text_in_script(b, series[i].name);
		buf_printf(b, ",\"color\":%u,\"limit\":%s,\"points\":%s,\"y\":", series[i].color,
			series[i].limit ? "true" : "false", series[i].points ? "true" : "false");
		values(b, g, c, series[i].column, VALUE);
		if (coarse) {
			buf_str(b, ",\"lo\":");
			values(b, g, c, series[i].column, LOW);
			buf_str(b, ",\"hi\":");
			values(b, g, c, series[i].column, HIGH);
		}
		buf_str(b, "}");
	}
	buf_str(b, "]}");
}

static void axis_data(struct buf *b, const struct report *r, const struct axis *x)
{
	time_t begin = (time_t)(x->knots[0].time_ns / NS_PER_SEC);
	size_t step = r->n_images / MARKS_MAX + 1;
	const char *comma = "";
	struct tm tm;

	localtime_r(&begin, &tm);
	buf_printf(b, "\"offset\":%ld,\"knots\":[", tm.tm_gmtoff);
	for (size_t i = 0; i < x->n; i++)
		buf_printf(b, "%s[%.7f,%.3f]", i ? "," : "", x->knots[i].at,
			(double)x->knots[i].time_ns / 1e9);
	buf_str(b, "],\"ticks\":[");
	for (size_t i = 0; i < x->n_ticks; i++)
		buf_printf(b, "%s[%.5f,\"%s\"]", i ? "," : "", x->ticks[i].at, x->ticks[i].label);
	buf_str(b, "],\"ends\":[");
	for (size_t i = 0; i + 1 < r->n_attempts; i++)
		buf_printf(b, "%s%.5f", i ? "," : "", axis_at(x, r->attempts[i].ended_ns));
	buf_str(b, "],\"marks\":[");
	for (size_t i = 0; i < r->n_images; i += step)
		if (report_plausible(r, r->images[i].time_ns)) {
			buf_printf(b, "%s%.5f", comma, axis_at(x, r->images[i].time_ns));
			comma = ",";
		}
	buf_str(b, "]");
}

/* 259,200 */
static void grouped(struct buf *b, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf_str(b, ",");
		buf_add(b, &digits[i], 1);
	}
}

/* How much time a point of a chart stands for, once, in words. */
static void about_points(struct buf *b, const struct report *r)
{
	const struct grid *g = r->system.samples ? &r->system : &r->process;

	buf_str(b, "<p class=\"about\">Vertical lines: checkpoints (thin) and ends of attempts "
		   "(strong).");
	if (g->samples && grid_is_coarse(g)) {
		buf_str(b, " ");
		grouped(b, g->samples);
		buf_str(b, " samples are drawn in steps of ");
		page_duration(b, g->width_ns);
		buf_str(b, ": the line is the mean, of memory the peak; the shaded band reaches "
			   "from the "
			   "lowest to the highest sample.");
	}
	buf_str(b, "</p>\n<noscript><p class=\"about\">The lines need JavaScript; the numbers "
		   "below each "
		   "chart do not.</p></noscript>\n");
}

void page_charts(struct buf *b, struct buf *data, const struct report *r, const struct axis *x)
{
	const char *comma = "";

	buf_str(data, "{");
	axis_data(data, r, x);
	buf_str(data, ",\"x\":[");
	for (int i = SYSTEM; i <= IMAGE; i++) {
		buf_str(data, i ? "," : "");
		places(data, grid_of(r, (enum source)i), x);
	}
	buf_str(data, "],\"charts\":[");
	if (r->system.samples || r->process.samples || r->image.samples) {
		buf_str(b, "<section aria-labelledby=\"charts\">\n<h2 "
			   "id=\"charts\">Measurements</h2>\n");
		about_points(b, r);
		buf_str(b, "<div class=\"charts\">\n");
		for (size_t i = 0; i < ARRAY_LEN(charts); i++) {
			struct series series[SERIES_MAX];
			const struct series *far;
			size_t n = choose(r, &charts[i], series, &far);

			if (!n)
				continue;
			figure(b, r, &charts[i], series, n, far);
			buf_str(data, comma);
			points(data, r, &charts[i], series, n);
			comma = ",";
		}
		buf_str(b, "</div>\n</section>\n");
	}
	buf_str(data, "]}");
}

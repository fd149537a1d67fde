/*
 * process_metrics.json, JSON Lines. The first pass gives a line to each of the
 * first processes it meets. When there are more, it has found those that used
 * most, and a second pass makes their lines and the exact sum of all others:
 * only so can a day of short-lived processes be summed in constant memory.
 */
#include "report/model.h"
#include "report/lines.h"
#include "report/scan.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SLOTS 8192	/* a power of two */
#define SLOTS_USED 6000 /* processes beyond these count as "others" */

struct sample { /* of one process */
	double pid, cpu, rss;
	struct scan_text comm;
};

struct usage {
	char comm[32];
	double pid;
	double cpu_sum, rss_peak;
	int column; /* PROC_REST: not shown by itself */
	bool used, taken;
};

struct pass {
	struct report *report;
	struct usage *slots;
	size_t n;
	bool second;
	uint64_t bad;
	double values[2 * PROC_SHOWN];
};

static struct usage *find(struct pass *p, const struct sample *s)
{
	uint64_t h = (uint64_t)s->pid * 0x9e3779b97f4a7c15ull;
	char comm[sizeof p->slots->comm];

	scan_unescape(&s->comm, comm, sizeof comm);
	for (const char *c = comm; *c; c++)
		h = (h ^ (unsigned char)*c) * 0x100000001b3ull;
	for (size_t i = h >> 32;; i++) {
		struct usage *u = &p->slots[i % SLOTS];

		if (u->used && u->pid == s->pid && !strcmp(u->comm, comm))
			return u;
		if (u->used)
			continue;
		if (p->n == SLOTS_USED)
			return NULL;
		p->n++;
		*u = (struct usage){.pid = s->pid, .column = PROC_REST, .used = true};
		if (p->n <= REPORT_PROCESSES)
			u->column = (int)p->n - 1;
		memcpy(u->comm, comm, sizeof comm);
		return u;
	}
}

static void add(double *to, double v)
{
	if (isfinite(v))
		*to = isfinite(*to) ? *to + v : v;
}

static void take_process(struct pass *p, const struct sample *s)
{
	struct usage *u = find(p, s);
	int column = u ? u->column : PROC_REST;

	if (u && isfinite(s->cpu))
		u->cpu_sum += s->cpu;
	if (u && isfinite(s->rss))
		u->rss_peak = MAX(u->rss_peak, s->rss);
	add(&p->values[column], s->cpu);
	add(&p->values[PROC_SHOWN + column], s->rss);
}

static bool read_process(struct pass *p, struct scan *s)
{
	struct sample sample = {.pid = NAN, .cpu = NAN, .rss = NAN, .comm = {.data = ""}};
	struct scan_text key;
	bool first = true, ok;

	while (scan_key(s, &first, &key, &ok)) {
		bool good = scan_is(&key, "pid")	   ? scan_value(s, &sample.pid)
			    : scan_is(&key, "comm")	   ? scan_string(s, &sample.comm)
			    : scan_is(&key, "cpu_percent") ? scan_value(s, &sample.cpu)
			    : scan_is(&key, "rss_bytes")   ? scan_value(s, &sample.rss)
							   : scan_skip(s);
		if (!good)
			return false;
	}
	if (ok && sample.pid >= 0)
		take_process(p, &sample);
	return ok;
}

static bool read_processes(struct pass *p, struct scan *s)
{
	if (!scan_take(s, '['))
		return false;
	if (scan_take(s, ']'))
		return true;
	do
		if (!read_process(p, s))
			return false;
	while (scan_take(s, ','));
	return scan_take(s, ']');
}

static bool read_time(struct scan *s, uint64_t *ret_ns)
{
	struct scan_text text;
	double seconds;

	if (scan_string(s, &text))
		*ret_ns = scan_time(text.data, text.len);
	else if (scan_value(s, &seconds) && seconds > 0 && seconds < 1e10)
		*ret_ns = (uint64_t)(seconds * 1e9);
	return *ret_ns != 0;
}

/* A line that is cut off makes no point. */
static bool read_line(struct pass *p, const char *line, size_t len)
{
	struct scan s = {line, line + len};
	double attempt = 0;
	struct scan_text key;
	uint64_t time_ns = 0;
	bool first = true, ok;

	for (size_t i = 0; i < ARRAY_LEN(p->values); i++)
		p->values[i] = NAN;
	while (scan_key(&s, &first, &key, &ok)) {
		bool good = scan_is(&key, "time")	 ? read_time(&s, &time_ns)
			    : scan_is(&key, "attempt")	 ? scan_value(&s, &attempt)
			    : scan_is(&key, "processes") ? read_processes(p, &s)
							 : scan_skip(&s);
		if (!good)
			return false;
	}
	if (!ok || !report_plausible(p->report, time_ns))
		return false;
	grid_add(&p->report->process, time_ns, (int)MAX(0, MIN(attempt, 1e9)), p->values);
	return true;
}

static int read_files(struct pass *p, int dirfd, int *ret_found)
{
	static const char *const names[] = {"process_metrics.json.1", "process_metrics.json"};
	int code = 0;

	p->bad = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_lines struct lines lines = LINES_NONE;
		size_t len;
		char *line;

		code = lines_open(&lines, dirfd, names[i]);
		if (code < 0)
			continue;
		*ret_found += !p->second;
		while (lines_next(&lines, &line, &len) > 0)
			if (len && !read_line(p, line, len))
				p->bad++;
		p->bad += lines.too_long;
	}
	return code;
}

/* ---- which are shown ----------------------------------------------------------------- */

/* The next in order of use, which was not yet taken. */
static struct usage *most_used(struct pass *p, double cpu_most, double rss_most)
{
	struct usage *best = NULL;
	double most = -1;

	for (size_t i = 0; i < SLOTS; i++) {
		struct usage *u = &p->slots[i];
		double score = MAX(cpu_most > 0 ? u->cpu_sum / cpu_most : 0,
			rss_most > 0 ? u->rss_peak / rss_most : 0);

		if (u->used && !u->taken && score > most) {
			best = u;
			most = score;
		}
	}
	return best;
}

/* Names those that used most, in this order. When the columns of the first pass
 * were given to others as well, they are given anew. */
static void choose(struct pass *p)
{
	bool anew = p->n > REPORT_PROCESSES;
	struct report *r = p->report;
	double cpu_most = 0, rss_most = 0;
	struct usage *u;

	for (size_t i = 0; i < SLOTS; i++) {
		cpu_most = MAX(cpu_most, p->slots[i].cpu_sum);
		rss_most = MAX(rss_most, p->slots[i].rss_peak);
		if (anew)
			p->slots[i].column = PROC_REST;
	}
	while (r->n_processes < REPORT_PROCESSES && (u = most_used(p, cpu_most, rss_most))) {
		struct report_process *process = &r->processes[r->n_processes];

		u->taken = true;
		if (anew)
			u->column = (int)r->n_processes;
		process->column = (unsigned)u->column;
		snprintf(process->name, sizeof process->name, "%s (%.0f)", u->comm,
			MIN(u->pid, 1e12));
		r->n_processes++;
	}
	r->n_processes_seen = p->n;
}

int report_read_processes(struct report *r, int dirfd, int *ret_found)
{
	cleanup_free struct usage *slots = calloc(SLOTS, sizeof *slots);
	struct pass p = {.report = r, .slots = slots};
	int code = slots ? grid_init(&r->process, (size_t)2 * PROC_SHOWN) : -ENOMEM, opened;

	if (code < 0)
		return code;
	opened = read_files(&p, dirfd, ret_found);
	if (opened < 0)
		report_notice(r, "process_metrics.json cannot be read: %s", strerror(-opened));
	choose(&p);
	if (p.n > REPORT_PROCESSES) {
		grid_done(&r->process);
		code = grid_init(&r->process, (size_t)2 * PROC_SHOWN);
		p.second = true;
		if (code == 0)
			read_files(&p, dirfd, ret_found);
	}
	if (p.bad)
		report_notice(r, "process_metrics.json: lines that were left out: %llu",
			(unsigned long long)p.bad);
	return code;
}

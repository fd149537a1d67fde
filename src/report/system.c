/*
 * system_metrics.csv. Columns are found by the names in the header, so that
 * files of older and newer versions can be read; a row that is cut off (its
 * number of fields is not the header's) is left out, since its last number may
 * be half of one.
 */
#include "report/model.h"
#include "report/lines.h"
#include "report/scan.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define FIELDS_MAX 64

enum { IGNORED = -1, TIME = -2, ATTEMPT = -3 };

struct header {
	int column[FIELDS_MAX]; /* SYS_*, or one of the above */
	size_t n;
};

static int column_of(const char *name, size_t len)
{
	static const char *const names[SYS_COLUMNS] = {
		[SYS_CPU] = "cpu_percent",
		[SYS_MEMORY_TOTAL] = "memory_total_bytes",
		[SYS_MEMORY_AVAILABLE] = "memory_available_bytes",
		[SYS_SWAP_USED] = "swap_used_bytes",
		[SYS_PSI_CPU] = "psi_cpu_percent",
		[SYS_PSI_MEMORY] = "psi_memory_percent",
		[SYS_PSI_IO] = "psi_io_percent",
		[SYS_DISK_READ] = "disk_read_bytes_per_s",
		[SYS_DISK_WRITTEN] = "disk_written_bytes_per_s",
		[SYS_NET_RECEIVED] = "net_received_bytes_per_s",
		[SYS_NET_SENT] = "net_sent_bytes_per_s",
		[SYS_JOB_CPU] = "job_cpu_percent",
		[SYS_JOB_RSS] = "job_rss_bytes",
		[SYS_CGROUP_MEMORY] = "cgroup_memory_bytes",
		[SYS_CGROUP_LIMIT] = "cgroup_limit_bytes",
		[SYS_MEMORY_USED] = "",
	};

	if (len == 4 && !memcmp(name, "time", 4))
		return TIME;
	if (len == 7 && !memcmp(name, "attempt", 7))
		return ATTEMPT;
	for (int i = 0; i < SYS_COLUMNS; i++)
		if (len && len == strlen(names[i]) && !memcmp(name, names[i], len))
			return i;
	return IGNORED;
}

static void read_header(struct header *h, const char *line, size_t len)
{
	const char *end = line + len, *comma;

	*h = (struct header){0};
	for (const char *p = line; h->n < FIELDS_MAX; p = comma + 1) {
		comma = memchr(p, ',', (size_t)(end - p));
		h->column[h->n++] = column_of(p, (size_t)((comma ? comma : end) - p));
		if (!comma)
			return;
	}
}

struct row {
	uint64_t time_ns;
	int attempt;
	double values[SYS_COLUMNS];
};

/* false: the field holds something that is no number. */
static bool take_field(struct row *row, int column, const char *p, const char *end)
{
	double v;

	if (column == TIME) {
		row->time_ns = scan_time(p, (size_t)(end - p));
		return row->time_ns != 0;
	}
	if (column == IGNORED || p == end)
		return true;
	if (scan_number(p, end, &v) != end)
		return false;
	if (column == ATTEMPT)
		row->attempt = (int)MAX(0, MIN(v, 1e9));
	else
		row->values[column] = v;
	return true;
}

static bool read_row(const struct header *h, const char *line, size_t len, struct row *row)
{
	const char *end = line + len, *p = line;
	size_t n = 0;

	row->time_ns = 0;
	row->attempt = 0;
	for (size_t i = 0; i < SYS_COLUMNS; i++)
		row->values[i] = NAN;
	while (n < h->n) {
		const char *comma = memchr(p, ',', (size_t)(end - p));

		if (!take_field(row, h->column[n++], p, comma ? comma : end))
			return false;
		if (!comma)
			break;
		p = comma + 1;
		if (n == h->n)
			return false; /* more fields than names */
	}
	row->values[SYS_MEMORY_USED] =
		row->values[SYS_MEMORY_TOTAL] - row->values[SYS_MEMORY_AVAILABLE];
	return n == h->n && row->time_ns;
}

/* Returns the number of rows that cannot be used. */
static uint64_t read_rows(struct report *r, struct lines *lines)
{
	struct header header = {0};
	uint64_t bad = 0;
	struct row row;
	size_t len;
	char *line;

	while (lines_next(lines, &line, &len) > 0) {
		if (len && line[len - 1] == '\r')
			len--;
		if (len >= 5 && !memcmp(line, "time,", 5)) {
			read_header(&header, line, len);
			continue;
		}
		if (!len)
			continue;
		if (!read_row(&header, line, len, &row) || !report_plausible(r, row.time_ns)) {
			bad++;
			continue;
		}
		grid_add(&r->system, row.time_ns, row.attempt, row.values);
		if (r->n_attempts)
			r->attempts[report_attempt_at(r, row.time_ns)].last_sample_ns = row.time_ns;
	}
	return bad + lines->too_long;
}

int report_read_system(struct report *r, int dirfd, int *ret_found)
{
	/* Older rows are in the file that was rotated away. */
	static const char *const names[] = {"system_metrics.csv.1", "system_metrics.csv"};
	uint64_t bad = 0;
	int code = grid_init(&r->system, SYS_COLUMNS), opened = 0;

	for (size_t i = 0; code == 0 && i < ARRAY_LEN(names); i++) {
		cleanup_lines struct lines lines = LINES_NONE;

		opened = lines_open(&lines, dirfd, names[i]);
		if (opened < 0)
			continue;
		++*ret_found;
		bad += read_rows(r, &lines);
	}
	if (opened < 0)
		report_notice(r, "system_metrics.csv cannot be read: %s", strerror(-opened));
	if (bad)
		report_notice(r, "system_metrics.csv: rows that were left out: %llu",
			(unsigned long long)bad);
	return code;
}

/*
 * intercepted.log: time,pid,tid,function,errno,return,args…,outcome. Lines that
 * are alike are counted together. And the end of cragon.log.
 */
#include "report/model.h"
#include "report/lines.h"
#include "report/scan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define FIELDS_MAX 16
#define LOG_TAIL_BYTES (256 * 1024)

/* Which argument says how many bytes were asked for; two: their product. */
static uint64_t bytes_asked(const char *function, const uint64_t *args, size_t n)
{
	static const struct {
		const char *name;
		size_t at, times; /* times 0: no second factor */
	} rows[] = {{"malloc", 0, 0}, {"calloc", 0, 1}, {"realloc", 1, 0}, {"reallocarray", 1, 2},
		{"posix_memalign", 2, 0}, {"aligned_alloc", 1, 0}, {"memalign", 1, 0},
		{"valloc", 0, 0}, {"pvalloc", 0, 0}, {"mmap", 1, 0}, {"mmap64", 1, 0},
		{"mremap", 2, 0}, {"sbrk", 0, 0}};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(function, rows[i].name) != 0 || rows[i].at >= n || rows[i].times >= n)
			continue;
		bytes = args[rows[i].at];
		if (rows[i].times && __builtin_mul_overflow(bytes, args[rows[i].times], &bytes))
			return UINT64_MAX;
		return bytes;
	}
	return 0;
}

static struct report_call *group_of(struct report *r, const struct report_call *like)
{
	for (size_t i = 0; i < r->n_calls; i++)
		if (!strcmp(r->calls[i].function, like->function) &&
			!strcmp(r->calls[i].error, like->error) &&
			!strcmp(r->calls[i].outcome, like->outcome))
			return &r->calls[i];
	if (r->n_calls == REPORT_CALLS_MAX)
		return NULL;
	r->calls[r->n_calls] = *like;
	return &r->calls[r->n_calls++];
}

static bool is_hex(const char *field, uint64_t *ret)
{
	char *end;

	if (strncmp(field, "0x", 2) != 0 || !isxdigit((unsigned char)field[2]))
		return false;
	*ret = strtoull(field, &end, 16);
	return !*end;
}

/* The line is taken apart in place. */
static bool take_call(struct report *r, char *line)
{
	char *fields[FIELDS_MAX], *rest = line;
	struct report_call call = {0}, *group;
	uint64_t args[FIELDS_MAX] = {0}, time_ns, bytes;
	size_t n = 0, n_args = 0, i;

	while (n < FIELDS_MAX && rest)
		fields[n++] = strsep(&rest, ",");
	if (n < 6 || !*fields[3])
		return false;
	time_ns = scan_time(fields[0], strlen(fields[0]));
	if (!report_plausible(r, time_ns))
		return false;
	for (i = 6; i < n && is_hex(fields[i], &args[n_args]); i++)
		n_args++;
	snprintf(call.function, sizeof call.function, "%s", fields[3]);
	snprintf(call.error, sizeof call.error, "%s", fields[4]);
	snprintf(call.outcome, sizeof call.outcome, "%s", i < n ? fields[i] : "");
	call.first_ns = time_ns;
	bytes = bytes_asked(call.function, args, n_args);
	r->calls_total++;
	group = group_of(r, &call);
	if (!group) {
		r->calls_other++;
		return true;
	}
	group->count++;
	group->last_ns = MAX(group->last_ns, time_ns);
	group->largest_bytes = MAX(group->largest_bytes, bytes);
	return true;
}

static int by_count(const void *a, const void *b)
{
	const struct report_call *x = a, *y = b;

	return x->count == y->count ? 0 : x->count < y->count ? 1 : -1;
}

int report_read_calls(struct report *r, int dirfd, int *ret_found)
{
	static const char *const names[] = {"intercepted.log.1", "intercepted.log"};
	uint64_t bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_lines struct lines lines = LINES_NONE;
		size_t len;
		char *line;
		int code = lines_open(&lines, dirfd, names[i]);

		/* No failed call: no file. */
		if (code < 0 && code != -ENOENT)
			report_notice(r, "%s cannot be read: %s", names[i], strerror(-code));
		if (code < 0)
			continue;
		++*ret_found;
		while (lines_next(&lines, &line, &len) > 0)
			if (len && strncmp(line, "time,", 5) != 0)
				bad += !take_call(r, line);
		bad += lines.too_long;
	}
	if (bad)
		report_notice(r, "intercepted.log: lines that were left out: %llu",
			(unsigned long long)bad);
	qsort(r->calls, r->n_calls, sizeof *r->calls, by_count);
	return 0;
}

/* ---- the log ------------------------------------------------------------------------- */

int report_read_log(struct report *r, int dirfd, int *ret_found)
{
	cleanup_lines struct lines lines = LINES_NONE;
	int code = lines_open_tail(&lines, dirfd, "cragon.log", LOG_TAIL_BYTES);
	uint64_t n = 0;
	char *line;
	size_t len;

	if (code < 0) {
		report_notice(r, "cragon.log cannot be read: %s", strerror(-code));
		return 0;
	}
	++*ret_found;
	while (lines_next(&lines, &line, &len) > 0) {
		char **slot = &r->log[n % REPORT_LOG_LINES];

		free(*slot);
		*slot = strndup(line, 2000);
		if (!*slot)
			return -ENOMEM;
		n++;
	}
	r->n_log = (size_t)MIN(n, (uint64_t)REPORT_LOG_LINES);
	if (n > REPORT_LOG_LINES) { /* the ring, from its oldest line on */
		char *sorted[REPORT_LOG_LINES];

		for (size_t i = 0; i < REPORT_LOG_LINES; i++)
			sorted[i] = r->log[(n + i) % REPORT_LOG_LINES];
		memcpy(r->log, sorted, sizeof sorted);
	}
	return 0;
}

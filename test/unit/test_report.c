/* The report's parts that trust nothing: escaping, scanning, bounded lines,
 * decimation; and what attempts and images add up to. */
#include "image_util.h"

#include "report/axis.h"
#include "report/lines.h"
#include "report/report.h"
#include "report/scan.h"
#include "report/text.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#define S NS_PER_SEC

/* ---- text ---------------------------------------------------------------------- */

static void assert_html(const char *text, const char *expected)
{
	cleanup_buf struct buf b = {0};

	html_text(&b, text);
	assert_string_equal(b.data ? b.data : "", expected);
}

static void test_html(void **state)
{
	assert_html("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
	assert_html("a\"b'c&d", "a&quot;b&#39;c&amp;d");
	assert_html("gr\xc3\xbc\xc3\x9f\x65", "gr\xc3\xbc\xc3\x9f\x65");
	assert_html("\x1b[31m", "\xef\xbf\xbd[31m");
	assert_html("\xff\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_html("\xed\xa0\x80!", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"); /* a surrogate */
	assert_html("\xe2\x80\xaeterces", "\xef\xbf\xbdterces");	       /* right to left */
	assert_html("cut \xe2\x80", "cut \xef\xbf\xbd\xef\xbf\xbd");
}

static void test_json_in_script(void **state)
{
	cleanup_buf struct buf b = {0};

	json_text_in_script(&b, "</script><!--\"\\\n\xe2\x80\xa8&'");
	assert_string_equal(b.data,
		"\"\\u003c/script\\u003e\\u003c!--\\u0022\\u005c\\u000a\\u2028\\u0026\\u0027\"");
}

static void test_json_number(void **state)
{
	cleanup_buf struct buf b = {0};

	json_number(&b, NAN);
	buf_str(&b, " ");
	json_number(&b, INFINITY);
	buf_str(&b, " ");
	json_number(&b, 0.125);
	buf_str(&b, " ");
	json_number(&b, 1234567890);
	assert_string_equal(b.data, "null null 0.125 1.2346e+09");
}

/* ---- scanning --------------------------------------------------------------------- */

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		double value;
		size_t used; /* 0: refused */
	} rows[] = {{"0", 0, 1}, {"-1.25,", -1.25, 5}, {"12e2x", 1200, 4}, {"1e999", 0, 0},
		{"", 0, 0}, {"-", 0, 0}, {".5", 0, 0}, {"x", 0, 0},
		{"18446744073709551616", 18446744073709551616.0, 20}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = rows[i].text, *end;
		double v = 0;

		end = scan_number(text, text + strlen(text), &v);
		if (!rows[i].used) {
			assert_null(end);
			continue;
		}
		assert_ptr_equal(end, text + rows[i].used);
		assert_true(fabs(v - rows[i].value) <= 1e-9 * fabs(v));
	}
}

static uint64_t time_of(const char *text)
{
	return scan_time(text, strlen(text));
}

static void test_times(void **state)
{
	char text[40];

	assert_true(time_of("1970-01-02T00:00:00Z") == 86400 * S);
	assert_true(time_of("2026-11-23T18:52:15.344120+01:00") == 1795456335 * S + 344120000);
	assert_true(time_of("2024-02-29T23:59:60-05:30") == 1709271000 * S);
	assert_true(time_of("1795456335.5") == 1795456335 * S + S / 2);
	for (uint64_t t = 1000 * S; t < 4000000000 * S; t += 98765432 * S + 123456000) {
		format_time(t, text);
		assert_true(time_of(text) == t);
	}
	assert_true(time_of("2026-13-01T00:00:00Z") == 0);
	assert_true(time_of("2026-11-23T18:52:15") == 0);
	assert_true(time_of("2026-11-23 18:52:15Z") == 0);
	assert_true(time_of("9999-12-31T23:59:59Z") == 0);
	assert_true(time_of("1e300") == 0);
	assert_true(time_of("") == 0);
}

static bool skips(const char *text)
{
	struct scan s = {text, text + strlen(text)};

	return scan_skip(&s) && s.p == s.end;
}

static void test_skip(void **state)
{
	assert_true(skips("{\"a\":[1,2,{\"b\":\"}\\\"\"}],\"c\":null}"));
	assert_true(skips("-1.5e3"));
	assert_true(skips("true"));
	assert_false(skips("{\"a\":"));
	assert_false(skips("\"open"));
	assert_false(skips("\"\\"));
	assert_false(skips("!"));
	assert_false(skips("]"));
	assert_false(skips("[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]"));
}

static void test_object(void **state)
{
	const char *text = "{ \"a\" : 1, \"b\\u0041\\n\": \"x\" }", *bad = "{\"a\":1,}";
	struct scan s = {text, text + strlen(text)};
	struct scan_text key;
	bool first = true, ok;
	char plain[16];
	double v;

	assert_true(scan_key(&s, &first, &key, &ok) && scan_is(&key, "a") && scan_value(&s, &v));
	assert_true(scan_key(&s, &first, &key, &ok) && scan_skip(&s));
	scan_unescape(&key, plain, sizeof plain);
	assert_string_equal(plain, "bA\n");
	assert_false(scan_key(&s, &first, &key, &ok));
	assert_true(ok);
	s = (struct scan){bad, bad + strlen(bad)};
	first = true;
	assert_true(scan_key(&s, &first, &key, &ok) && scan_skip(&s));
	assert_false(scan_key(&s, &first, &key, &ok));
	assert_false(ok);
}

/* ---- lines -------------------------------------------------------------------------- */

static void put(const char *dir, const char *name, const char *text)
{
	cleanup_free char *path = NULL;
	FILE *f;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_lines(void **state)
{
	TEMP_DIR(tmp);
	cleanup_fd int dirfd = open(tmp, O_RDONLY | O_DIRECTORY);
	cleanup_lines struct lines l = LINES_NONE, tail = LINES_NONE, fifo = LINES_NONE;
	cleanup_free char *big = malloc(3 * LINES_MAX + 20), *path = NULL;
	size_t len;
	char *line;

	memset(big, 'x', 3 * LINES_MAX);
	memcpy(big, "one\n\n", 5);
	strcpy(big + 3 * LINES_MAX, "\ntwo\nlast");
	put(tmp, "f", big);
	assert_int_equal(lines_open(&l, dirfd, "f"), 0);
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_string_equal(line, "one");
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_int_equal(len, 0);
	assert_int_equal(lines_next(&l, &line, &len), 1); /* 6 MiB were skipped */
	assert_string_equal(line, "two");
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_string_equal(line, "last");
	assert_int_equal(lines_next(&l, &line, &len), 0);
	assert_int_equal(l.too_long, 1);
	assert_int_equal(lines_open_tail(&tail, dirfd, "f", 8), 0);
	assert_int_equal(lines_next(&tail, &line, &len), 1);
	assert_string_equal(line, "two");
	assert_true(asprintf(&path, "%s/fifo", tmp) > 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(lines_open(&fifo, dirfd, "fifo"), -EINVAL);
}

/* ---- grid ----------------------------------------------------------------------------- */

static void test_grid_keeps_peaks(void **state)
{
	cleanup(grid_done) struct grid g = {0};
	double highest = 0, lowest = 1e9, sum = 0;
	uint64_t count = 0;

	assert_int_equal(grid_init(&g, 2), 0);
	for (uint64_t t = 0; t < 259200; t++)
		grid_add(&g, (1700000000 + t) * S, 1,
			(double[]){t == 77777	? 1000
				   : t == 99999 ? -5
						: 100,
				NAN});
	for (size_t i = 0; i < g.n; i++) {
		const struct grid_cell *c = grid_cell(&g, i, 0);

		highest = MAX(highest, c->hi);
		lowest = MIN(lowest, c->lo);
		sum += c->sum;
		count += c->count;
		assert_int_equal(grid_cell(&g, i, 1)->count, 0);
		if (i)
			assert_true(grid_time(&g, i) > grid_time(&g, i - 1));
	}
	assert_true(g.n > GRID_BUCKETS / 2 - 1 && g.n <= GRID_BUCKETS);
	assert_true(highest == 1000 && lowest == -5);
	assert_true(count == 259200 && sum == 259198.0 * 100 + 1000 - 5);
	assert_true(g.sums[0].hi_ns == (1700000000 + 77777) * S);
}

/* Clocks are set back, and rows can be in any order. */
static void test_grid_any_order(void **state)
{
	cleanup(grid_done) struct grid g = {0};
	uint64_t count = 0, time = 500000 * S;

	assert_int_equal(grid_init(&g, 1), 0);
	for (unsigned i = 0; i < 5000; i++) {
		time = (time * 6364136223846793005ull + 1442695040888963407ull) % (1000000 * S) + 1;
		grid_add(&g, time, 1, (double[]){1});
	}
	for (size_t i = 0; i < g.n; i++) {
		uint64_t from = g.buckets[i].number * g.width_ns;

		count += grid_cell(&g, i, 0)->count;
		assert_true(grid_time(&g, i) >= from && grid_time(&g, i) < from + g.width_ns);
	}
	assert_int_equal(count, 5000);
}

/* Two attempts with a month between them keep their resolution. */
static void test_grid_gap_costs_nothing(void **state)
{
	cleanup(grid_done) struct grid g = {0};

	assert_int_equal(grid_init(&g, 1), 0);
	for (unsigned i = 0; i < 600; i++)
		grid_add(
			&g, (1000000 + (i < 300 ? i : 30 * 86400 + i)) * S, i < 300, (double[]){i});
	assert_int_equal(g.n, 600);
	assert_false(grid_is_coarse(&g));
	assert_true(grid_time(&g, 299) == 1000299 * S);
	assert_true(grid_time(&g, 300) == (1000300 + 30 * 86400) * S);
}

/* ---- a job ------------------------------------------------------------------------------ */

static const char three_attempts[] =
	"{\"command\":[\"./a b\"],\"attempts\":["
	"{\"started\":\"2025-01-01T00:00:00Z\",\"ended\":\"2025-01-01T01:00:00Z\",\"how\":"
	"\"stopped\","
	"\"checkpoints\":[1,{\"number\":2,\"time\":\"2025-01-01T00:50:00Z\",\"pause_ns\":"
	"1000000000}]},"
	"{\"started\":\"2025-01-03T00:00:00Z\",\"from_image\":2,\"how\":\"lost\",\"checkpoints\":["
	"{\"number\":3,\"time\":\"2025-01-03T00:20:00Z\",\"pause_ns\":2000000000}]},"
	"{\"started\":\"2025-01-03T02:00:00Z\",\"ended\":\"2025-01-03T02:30:00Z\",\"from_image\":3,"
	"\"how\":\"exit\",\"exit_code\":0}]}";

static void read_three(struct report *r, const char *dir)
{
	cleanup_fd int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	int found = 0;

	*r = (struct report){.directory = dir, .now_ns = now_real_ns()};
	put(dir, "job.json", three_attempts);
	put(dir, "system_metrics.csv",
		"time,attempt,job_rss_bytes\r\n2025-01-01T00:30:00Z,1,5\r\n2025-01-03T00:40:00Z,2,"
		"7\r\n"
		"2025-01-03T00:50:00Z,2,\r\n2025-01-03T00:55:0");
	assert_int_equal(report_read_job(r, dirfd, &found), 0);
	assert_int_equal(report_read_images(r, dirfd, &found), 0);
	assert_int_equal(report_read_system(r, dirfd, &found), 0);
	report_settle(r);
	assert_true(found >= 2);
}

/* 50 minutes were kept across the first end and 70 across the second; 10 were
 * repeated after the first, 30 (to the last sample) after the second. */
static void test_sums(void **state)
{
	TEMP_DIR(tmp);
	cleanup(report_done) struct report r = {0};
	struct report_totals t;

	read_three(&r, tmp);
	assert_int_equal(r.n_attempts, 3);
	assert_int_equal(r.n_images, 3);
	assert_int_equal(r.system.samples, 3);
	assert_true(r.attempts[1].end_estimated);
	report_sum(&r, &t);
	assert_int_equal(t.saved_ns / S, (50 + 70) * 60);
	assert_int_equal(t.repeated_ns / S, (10 + 30) * 60);
	assert_int_equal(t.pauses_ns / S, 3);
	assert_int_equal(t.running_ns / S, (60 + 50 + 30) * 60);
	assert_int_equal(t.wall_ns / S, 2 * 86400 + 9000);
	assert_int_equal(t.resumes, 2);
}

static void test_axis_cuts_the_queue(void **state)
{
	TEMP_DIR(tmp);
	cleanup(report_done) struct report r = {0};
	cleanup(axis_done) struct axis x = {0};

	read_three(&r, tmp);
	assert_int_equal(axis_make(&x, &r), 0);
	assert_int_equal(x.cut, 2);
	assert_true(axis_at(&x, r.attempts[0].started_ns) == 0);
	assert_true(axis_at(&x, r.attempts[2].ended_ns) == 1);
	assert_true(axis_at(&x, r.attempts[0].ended_ns) > 0.4); /* an hour of two days */
	assert_true(x.n_ticks >= 3);
	for (size_t i = 1; i < x.n_ticks; i++)
		assert_true(x.ticks[i].at > x.ticks[i - 1].at);
}

static void test_merges_images(void **state)
{
	TEMP_DIR(tmp);
	cleanup(report_done) struct report r = {0};
	struct store_pending *pending = NULL;
	cleanup_free char *path = NULL;
	struct err e = {0};

	assert_ok(store_begin(&pending, tmp, "u", "h", &e));
	make_image_at(store_pending_fd(pending), 1, 4);
	assert_ok(store_publish(pending, &path, &e));
	store_pending_free(pending);
	read_three(&r, tmp);
	assert_int_equal(r.n_images, 3);
	assert_true(r.images[0].on_disk && !r.images[1].on_disk);
	assert_int_equal(r.images[0].pause_ns, 12345678);
}

/* ---- the page --------------------------------------------------------------------------- */

static void test_nothing_there(void **state)
{
	TEMP_DIR(tmp);
	cleanup_buf struct buf page = {0};
	struct err e = {0};

	assert_int_equal(report_build(tmp, &page, &e), -ENOENT);
	assert_int_equal(e.why, WHY_NO_JOB);
	assert_int_equal(report_build("/nowhere/at/all", &page, &e), -ENOENT);
	assert_int_equal(report_write(tmp, NULL, &e), -ENOENT);
}

static void test_damaged_job_json(void **state)
{
	TEMP_DIR(tmp);
	cleanup_buf struct buf page = {0};
	struct err e = {0};

	put(tmp, "job.json", "{\"command\":[\"x\"");
	assert_ok(report_build(tmp, &page, &e));
	assert_non_null(strstr(page.data, "job.json is damaged"));
}

/* From every prefix of the inputs a page is made; the sanitizers watch. */
static void test_cut_anywhere(void **state)
{
	TEMP_DIR(tmp);
	static const char process[] =
		"{\"time\":\"2025-01-01T00:30:00Z\",\"attempt\":1,\"processes\":[{\"pid\":1,"
		"\"comm\":\"a\\u0000"
		"\\\"</script>\",\"cpu_percent\":1e1,\"rss_bytes\":5,\"x\":[{}]},{\"pid\":2}]}\n";
	static const char calls[] =
		"2025-01-01T00:30:00Z,1,1,mmap,ENOMEM,MAP_FAILED,0x0,0x1000,0x3,held\n";
	struct err e = {0};

	for (size_t n = 0; n <= strlen(three_attempts); n += 7) {
		cleanup_buf struct buf page = {0};
		cleanup_free char *job = strndup(three_attempts, n);
		cleanup_free char *line = strndup(process, n % sizeof process);
		cleanup_free char *call = strndup(calls, n % sizeof calls);

		put(tmp, "job.json", job);
		put(tmp, "process_metrics.json", line);
		put(tmp, "intercepted.log", call);
		assert_ok(report_build(tmp, &page, &e));
		assert_null(strstr(page.data, "</script>\","));
		assert_string_equal(page.data + page.len - 8, "</html>\n");
	}
}

static void test_write(void **state)
{
	TEMP_DIR(tmp);
	cleanup_free char *standard = NULL, *link = NULL, *other = NULL;
	struct err e = {0};
	struct stat st;

	put(tmp, "job.json", three_attempts);
	assert_true(asprintf(&standard, "%s/" REPORT_NAME, tmp) > 0);
	assert_true(asprintf(&link, "%s/link", tmp) > 0);
	assert_true(asprintf(&other, "%s/other.html", tmp) > 0);
	assert_ok(report_write(tmp, NULL, &e));
	assert_int_equal(stat(standard, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	put(tmp, "other.html", "");
	assert_int_equal(symlink("other.html", link), 0);
	assert_ok(report_write(tmp, link, &e));
	assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
	assert_true(stat(other, &st) == 0 && st.st_size > 1000);
	assert_ok(report_write(tmp, "/dev/null", &e));
	assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
	assert_int_equal(report_write(tmp, "/dev/full", &e), -ENOSPC);
	assert_int_equal(report_write(tmp, tmp, &e), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_json_in_script),
		cmocka_unit_test(test_json_number),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_grid_keeps_peaks),
		cmocka_unit_test(test_grid_any_order),
		cmocka_unit_test(test_grid_gap_costs_nothing),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_axis_cuts_the_queue),
		cmocka_unit_test(test_merges_images),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_damaged_job_json),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

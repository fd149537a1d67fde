/* Writer and reader together: what goes in comes out, and failures are told. */
#include "image_util.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define PAGE CRAGON_PAGE_BYTES

struct expected {
	uint32_t space;
	uint64_t address, pages;
	uint32_t flags;
};

/* Marks every page that was read; pages of `expected` only, and only once. */
struct seen {
	const struct expected *expected;
	size_t n;
	uint8_t *pages[8];
	pthread_mutex_t lock;
};

static int check_run(void *ctx, uint32_t space, uint64_t address, const uint8_t *data, size_t bytes,
	struct err *e)
{
	struct seen *seen = ctx;
	uint8_t page[PAGE];

	for (size_t at = 0; at < bytes; at += PAGE) {
		const struct expected *x = NULL;
		uint8_t *mark = NULL;

		page_fill(page, space, address + at);
		for (size_t i = 0; i < seen->n; i++) {
			x = &seen->expected[i];
			if (x->space == space && address + at >= x->address &&
				address + at < x->address + x->pages * PAGE)
				mark = &seen->pages[i][(address + at - x->address) / PAGE];
		}
		if (!mark || bytes - at < PAGE || memcmp(page, data + at, PAGE) != 0)
			return err_set(e, -EILSEQ, WHY_BAD_IMAGE, "space %u address %lx", space,
				(unsigned long)(address + at));
		pthread_mutex_lock(&seen->lock);
		(*mark)++;
		pthread_mutex_unlock(&seen->lock);
	}
	return 0;
}

static void check_image(const char *path, const struct expected *expected, size_t n, int workers)
{
	struct seen seen = {.expected = expected, .n = n, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct image *image;
	struct err e = {0};

	assert_ok(image_open(&image, path, &e));
	for (size_t i = 0; i < n; i++)
		seen.pages[i] = calloc(expected[i].pages, 1);
	assert_ok(image_each(image, workers, check_run, &seen, &e));
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = 0;

		for (uint64_t k = 0; k < expected[i].pages; k++) {
			bool zero = page_kind(expected[i].space, expected[i].address + k * PAGE) ==
				    PAGE_ZERO;
			bool stored = !zero || (expected[i].flags & IMAGE_KEEP_ZERO);

			assert_int_equal(seen.pages[i][k], stored);
			bytes += stored ? PAGE : 0;
		}
		assert_int_equal(image_space_bytes(image, expected[i].space), bytes);
		free(seen.pages[i]);
	}
	assert_int_equal(image_space_bytes(image, 77), 0);
	image_close(image);
	assert_ok(image_verify(path, &e));
}

static void round_trip(const struct image_writer_options *o)
{
	static const struct expected expected[] = {
		{1, 0x400000, 700, 0},
		{2, 0x400000, 300, IMAGE_KEEP_ZERO},
		{3, 0, 1, 0},
		{9, 0x7ffffffff000, 1, 0},
		{4000000000u, (1ull << 63) - 600 * PAGE, 600, 0},
	};
	TEMP_DIR(dir);
	Cragon__Image meta = CRAGON__IMAGE__INIT;
	struct image_totals totals;
	struct image_writer *w;
	struct err e = {0};
	int fd = open_dir(dir);
	struct stat st;
	uint64_t stored = 0;

	assert_ok(image_writer_open(&w, fd, o, &e));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_ok(write_pages(w, expected[i].space, expected[i].address, expected[i].pages,
			expected[i].flags));
	assert_false(image_writer_failed(w));
	assert_ok(image_writer_finish(w, &meta, &totals, &e));
	assert_int_equal(image_writer_finish(w, &meta, &totals, &e), -EINVAL);
	image_writer_free(w);
	assert_int_equal(totals.memory_bytes, 1602 * PAGE);
	assert_true(totals.zero_bytes >= 1602 / 5 * PAGE);
	assert_true(totals.frames >= 6 && totals.frames <= 9);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"meta.pb", "pages.dat", "pages.idx"};

		assert_int_equal(fstatat(fd, names[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		stored += (uint64_t)st.st_size;
	}
	assert_int_equal(totals.stored_bytes, stored);
	write_info(fd, 1);
	close(fd);
	check_image(dir, expected, ARRAY_LEN(expected), 0);
	check_image(dir, expected, ARRAY_LEN(expected), 3);
	check_image(dir, expected, ARRAY_LEN(expected), -1);
}

static void test_round_trips(void **state)
{
	round_trip(&(struct image_writer_options){0});
	round_trip(&(struct image_writer_options){.workers = 1});
	round_trip(&(struct image_writer_options){.workers = 5, .level = 3});
	round_trip(&(struct image_writer_options){.workers = 2, .raw = true});
	round_trip(&(struct image_writer_options){.workers = -1}); /* as when no thread starts */
}

struct gathered {
	uint8_t *data;
	size_t bytes;
	pthread_mutex_t lock;
};

static int gather(void *ctx, uint32_t space, uint64_t address, const uint8_t *data, size_t bytes,
	struct err *e)
{
	struct gathered *g = ctx;

	if (space != 6 || address + bytes > g->bytes)
		return err_set(e, -EILSEQ, WHY_BAD_IMAGE, "beyond the content");
	memcpy(g->data + address, data, bytes);
	return 0;
}

/* image_writer_add(): small pieces, one larger than a frame, one with an odd end. */
static void test_add(void **state)
{
	size_t bytes = 2 * IMAGE_FRAME_BYTES + 5 * PAGE + 123, at = 0;
	static const size_t pieces[] = {PAGE, 7 * PAGE, IMAGE_FRAME_BYTES + 3 * PAGE, PAGE};
	struct image_writer_options o = {.workers = 2};
	TEMP_DIR(dir);
	Cragon__Image meta = CRAGON__IMAGE__INIT;
	struct gathered g = {.bytes = bytes};
	struct image_totals totals;
	struct image_writer *w;
	struct image *image;
	struct err e = {0};
	uint8_t *data = malloc(bytes + PAGE);
	int fd = open_dir(dir);

	for (size_t i = 0; i < bytes; i += PAGE)
		page_fill(data + i, 6, i);
	data[bytes - 1] = 1;
	assert_ok(image_writer_open(&w, fd, &o, &e));
	for (size_t i = 0; i < ARRAY_LEN(pieces); at += pieces[i++])
		assert_ok(image_writer_add(w, 6, at, 0, data + at, pieces[i]));
	assert_ok(image_writer_add(w, 6, at, 0, data + at, bytes - at));
	/* After an odd end the next run begins unaligned in the buffer. */
	assert_ok(image_writer_add(w, 7, 0, 0, data + PAGE, 0));
	assert_ok(image_writer_finish(w, &meta, &totals, &e));
	image_writer_free(w);
	write_info(fd, 1);
	close(fd);
	assert_int_equal(totals.memory_bytes, bytes);
	g.data = calloc(1, bytes);
	assert_ok(image_open(&image, dir, &e));
	assert_ok(image_each(image, 2, gather, &g, &e));
	assert_memory_equal(g.data, data, bytes);
	image_close(image);
	free(g.data);
	free(data);
}

/* Many short files one after the other: odd lengths, more runs than fit one buffer's table. */
static void test_many_spaces(void **state)
{
	struct image_writer_options o = {.workers = 2};
	TEMP_DIR(dir);
	Cragon__Image meta = CRAGON__IMAGE__INIT;
	struct image_totals totals;
	struct image_writer *w;
	struct image *image;
	struct err e = {0};
	int fd = open_dir(dir);
	char text[32];

	assert_ok(image_writer_open(&w, fd, &o, &e));
	for (uint32_t space = 3000; space > 0; space--) {
		int n = snprintf(text, sizeof text, "file %u", space);

		assert_ok(image_writer_add(w, space, 0, 0, text, (size_t)n));
	}
	assert_ok(image_writer_finish(w, &meta, &totals, &e));
	image_writer_free(w);
	write_info(fd, 1);
	close(fd);
	assert_ok(image_verify(dir, &e));
	assert_ok(image_open(&image, dir, &e));
	assert_int_equal(image_space_bytes(image, 1), 6);
	assert_int_equal(image_space_bytes(image, 3000), 9);
	assert_int_equal(image_space_bytes(image, 3001), 0);
	image_close(image);
}

/* Nothing at all, and nothing but zeros. */
static void test_empty(void **state)
{
	for (int zeros = 0; zeros < 3; zeros++) {
		struct image_writer_options o = {0};
		TEMP_DIR(dir);
		Cragon__Image meta = CRAGON__IMAGE__INIT;
		struct image_totals totals;
		struct image_writer *w;
		struct image *image;
		struct err e = {0};
		int fd = open_dir(dir);
		struct gathered g = {.bytes = 4 * PAGE};
		uint8_t data[4 * PAGE] = {0}, out[4 * PAGE];

		assert_ok(image_writer_open(&w, fd, &o, &e));
		if (zeros)
			assert_ok(image_writer_add(
				w, 6, 0, zeros == 2 ? IMAGE_KEEP_ZERO : 0, data, sizeof data));
		assert_ok(image_writer_finish(w, &meta, &totals, &e));
		image_writer_free(w);
		write_info(fd, 1);
		close(fd);
		assert_int_equal(totals.frames, 0);
		assert_int_equal(totals.zero_bytes, zeros ? sizeof data : 0);
		memset(out, 'x', sizeof out);
		g.data = out;
		assert_ok(image_open(&image, dir, &e));
		assert_ok(image_each(image, 0, gather, &g, &e));
		assert_int_equal(out[17], zeros == 2 ? 0 : 'x');
		assert_int_equal(out[sizeof out - 1], zeros == 2 ? 0 : 'x');
		image_close(image);
	}
}

static void test_metadata(void **state)
{
	TEMP_DIR(dir);
	const struct image_info *info;
	struct image *image;
	struct err e = {0};
	struct buf json = {0};

	make_image(dir, 42, 3);
	assert_ok(image_open(&image, dir, &e));
	assert_string_equal(image_meta(image)->machine->kernel, "6.1.0-test");
	info = image_get_info(image);
	assert_int_equal(info->number, 42);
	assert_int_equal(info->parent, 0);
	assert_string_equal(info->command[0], "./a.out");
	assert_string_equal(info->command[1], "caf\xef\xbf\xbd \"x\"");
	assert_null(info->command[2]);
	assert_int_equal(info->timestamp_ns, 1780000000123456000);
	assert_int_equal(info->pause_ns, 12345678);
	assert_string_equal(info->user, "");
	assert_int_equal(strlen(info->checksum), 32);
	assert_ok(image_info_json(info, &json));
	assert_non_null(strstr(json.data, "\"checkpoint_timestamp\": \"2026-05-2"));
	buf_done(&json);
	image_close(image);
}

static int refuse(void *ctx, uint32_t space, uint64_t address, const uint8_t *data, size_t bytes,
	struct err *e)
{
	return err_set(e, -EDOM, WHY_BUSY, "not now");
}

static void test_each_passes_errors_on(void **state)
{
	TEMP_DIR(dir);
	struct image *image;
	struct err e = {0};

	make_image(dir, 1, 2000);
	assert_ok(image_open(&image, dir, &e));
	assert_int_equal(image_each(image, 4, refuse, NULL, &e), -EDOM);
	assert_int_equal(e.why, WHY_BUSY);
	assert_string_equal(e.text, "not now");
	image_close(image);
}

/* Writes through `runs`, expects the writer to refuse it for good. */
static void expect_refusal(const struct image_run *runs, size_t n)
{
	struct image_writer_options o = {.workers = 1};
	TEMP_DIR(dir);
	Cragon__Image meta = CRAGON__IMAGE__INIT;
	struct image_totals totals;
	struct image_writer *w;
	struct err e = {0};
	int fd = open_dir(dir);
	uint8_t *buffer;

	assert_ok(image_writer_open(&w, fd, &o, &e));
	buffer = image_writer_buffer(w);
	assert_non_null(buffer);
	memset(buffer, 1, IMAGE_FRAME_BYTES);
	image_writer_submit(w, buffer, runs, n);
	assert_int_equal(image_writer_finish(w, &meta, &totals, &e), -EINVAL);
	assert_int_equal(image_writer_finish(w, &meta, &totals, &e), -EINVAL);
	assert_true(image_writer_failed(w));
	assert_null(image_writer_buffer(w));
	image_writer_free(w);
	close(fd);
}

static void test_wrong_runs(void **state)
{
	uint64_t top = 1ull << 63;

	expect_refusal((struct image_run[]){{1, 0, 100, PAGE}}, 1);
	expect_refusal((struct image_run[]){{1, 0, 0, 0}}, 1);
	expect_refusal((struct image_run[]){{1, 0, 0, IMAGE_FRAME_BYTES + PAGE}}, 1);
	expect_refusal((struct image_run[]){{1, 0, 0, UINT64_MAX}}, 1);
	expect_refusal((struct image_run[]){{1, 0, 0, PAGE}, {1, 0, PAGE, IMAGE_FRAME_BYTES}}, 2);
	expect_refusal((struct image_run[]){{1, 0, top, PAGE}}, 1);
	expect_refusal((struct image_run[]){{1, 0, top - PAGE, 2 * PAGE}}, 1);
	/* The same memory twice, whole and in part. */
	expect_refusal((struct image_run[]){{1, 0, PAGE, PAGE}, {1, 0, PAGE, PAGE}}, 2);
	expect_refusal((struct image_run[]){{1, 0, 2 * PAGE, PAGE}, {1, 0, 0, 3 * PAGE}}, 2);
}

static void test_foreign_and_returned_buffers(void **state)
{
	struct image_writer_options o = {.workers = 1};
	TEMP_DIR(dir);
	struct image_writer *w;
	struct err e = {0};
	int fd = open_dir(dir);
	uint8_t own[16];

	assert_ok(image_writer_open(&w, fd, &o, &e));
	assert_int_equal(image_writer_submit(w, own, NULL, 0), -EINVAL);
	assert_false(image_writer_failed(w));
	for (int i = 0; i < 20; i++)
		assert_int_equal(image_writer_submit(w, image_writer_buffer(w), NULL, 0), 0);
	assert_int_equal(image_writer_open(&(struct image_writer *){NULL}, fd, &o, &e), -EEXIST);
	/* Given up in the middle, a buffer still out. */
	assert_ok(write_pages(w, 1, 0, 5000, 0));
	assert_non_null(image_writer_buffer(w));
	image_writer_free(w);
	image_writer_free(NULL);
	close(fd);
}

/* Writes until something fails; returns what finish says. */
static int write_much(const char *dir, int workers, struct err *e)
{
	struct image_writer_options o = {.workers = workers};
	Cragon__Image meta = CRAGON__IMAGE__INIT;
	struct image_totals totals;
	struct image_writer *w;
	int fd = open_dir(dir), r;

	r = image_writer_open(&w, fd, &o, e);
	assert_int_equal(r, 0);
	write_pages(w, 1, 0, 8 * 1024, 0);
	image_writer_add(w, 2, 0, 0, "tail", 4);
	r = image_writer_finish(w, &meta, &totals, e);
	assert_int_equal(image_writer_failed(w), r < 0);
	image_writer_free(w);
	close(fd);
	return r;
}

static void test_file_size_limit(void **state)
{
	struct rlimit before, small = {MIB, 0};
	struct err e = {0};

	signal(SIGXFSZ, SIG_IGN);
	for (int workers = -1; workers <= 2; workers += 3) {
		TEMP_DIR(dir);

		getrlimit(RLIMIT_FSIZE, &before);
		small.rlim_max = before.rlim_max;
		setrlimit(RLIMIT_FSIZE, &small);
		assert_int_equal(write_much(dir, workers, &e), -EFBIG);
		setrlimit(RLIMIT_FSIZE, &before);
		assert_non_null(strstr(e.text, "pages.dat"));
		assert_non_null(strstr(e.text, "ulimit -f"));
	}
	signal(SIGXFSZ, SIG_DFL);
}

static void test_disk_full(void **state)
{
	TEMP_DIR(dir);
	struct err e = {0};

	if (mount("none", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=2m") < 0) {
		print_message("skipped: a full disk needs the right to mount\n");
		util_remove_tree(dir); /* skip() jumps past the cleanup */
		skip();
	}
	assert_int_equal(write_much(dir, 2, &e), -ENOSPC);
	assert_int_equal(e.why, WHY_NO_SPACE);
	assert_non_null(strstr(e.text, "pages.dat"));
	umount(dir);
}

/* Threads of this process that block SIGTERM. */
static int blocking_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int blocked = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		cleanup_buf struct buf text = {0};
		char path[300], *line;

		snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
		if (entry->d_name[0] == '.' || io_slurp_at(AT_FDCWD, path, &text, 65536) < 0)
			continue;
		line = strstr(text.data, "SigBlk:");
		assert_non_null(line);
		blocked += (strtoull(line + 7, NULL, 16) >> (SIGTERM - 1)) & 1;
	}
	closedir(tasks);
	return blocked;
}

/* A signal must reach the supervisor's own loop, never a worker. */
static void test_workers_block_signals(void **state)
{
	struct image_writer_options o = {.workers = 3};
	TEMP_DIR(dir);
	struct image_writer *w;
	struct err e = {0};
	int fd = open_dir(dir), before = blocking_threads(); /* sanitizers have threads too */

	assert_ok(image_writer_open(&w, fd, &o, &e));
	assert_int_equal(blocking_threads() - before, 3);
	image_writer_free(w);
	assert_int_equal(blocking_threads(), before);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_many_spaces),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_each_passes_errors_on),
		cmocka_unit_test(test_wrong_runs),
		cmocka_unit_test(test_foreign_and_returned_buffers),
		cmocka_unit_test(test_file_size_limit),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_workers_block_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base: errors, buffers, arenas, whole reads and writes. */
#include "util.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

static void test_err(void **state)
{
	struct err e = {0};
	char longer[3000];

	assert_int_equal(err_set(&e, -EBUSY, WHY_BUSY, "job %d", 7), -EBUSY);
	assert_int_equal(e.why, WHY_BUSY);
	assert_int_equal(err_in(&e, "dump %s", "x"), -EBUSY);
	assert_string_equal(e.text, "dump x: job 7");
	assert_int_equal(err_set(&e, 0, WHY_BUSY, "forgotten"), -EINVAL);
	assert_int_equal(err_sys(&e, -ENOSPC, "cannot write %s", "f"), -ENOSPC);
	assert_string_equal(e.text, "cannot write f: No space left on device");
	assert_int_equal(e.why, WHY_NO_SPACE);
	err_sys(&e, -EDQUOT, "q");
	assert_int_equal(e.why, WHY_NO_SPACE);
	err_sys(&e, -EACCES, "q");
	assert_int_equal(e.why, WHY_PERMISSION);
	err_sys(&e, -EIO, "q");
	assert_int_equal(e.why, WHY_SYSTEM);
	assert_string_equal(why_name(WHY_BAD_IMAGE), "bad-image");
	assert_string_equal(why_name((enum why)999), "unknown");
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = 0;
	err_set(&e, -EIO, WHY_SYSTEM, "%s", longer);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_in(&e, "%.1000s", longer);
	err_in(&e, "%s", longer);
	err_sys(&e, -EIO, "%s", longer);
	assert_int_equal(e.text[sizeof e.text - 1], 0);
}

static void test_buf(void **state)
{
	cleanup_buf struct buf b = {0};

	assert_int_equal(buf_error(&b), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_printf(&b, "%d,", i), 0);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(b.data[b.len], 0);
	assert_int_equal(memcmp(b.data, "0,1,2,3", 7), 0);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	buf_clear(&b);
	assert_string_equal(b.data, "");
	buf_str(&b, "abc");
	assert_string_equal(b.data, "abc");
	/* Growth that cannot be had is remembered, and what was there stays. */
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_int_equal(buf_error(&b), -ENOMEM);
	buf_clear(&b);
	buf_str(&b, "abc");
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(buf_str(&b, "d"), -ENOMEM);
	assert_int_equal(buf_printf(&b, "d"), -ENOMEM);
	assert_int_equal(buf_error(&b), -ENOMEM);
	assert_string_equal(b.data, "abc");
	buf_clear(&b);
	assert_int_equal(buf_error(&b), 0);
}

static void test_arena(void **state)
{
	cleanup_arena struct arena a = {0};
	void **list = NULL;
	size_t n = 0;

	for (size_t i = 0; i < 5000; i++) {
		size_t *p = arena_alloc(&a, sizeof *p + i % 50);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_int_equal(*p, 0);
		*p = i;
		assert_int_equal(arena_push(&a, &list, &n, p), 0);
	}
	assert_int_equal(n, 5000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(*(size_t *)list[i], i);
	assert_string_equal(arena_strdup(&a, "text"), "text");
	assert_memory_equal(arena_memdup(&a, "a\0b", 3), "a\0b", 3);
	memset(arena_alloc(&a, 10 << 20), 1, 10 << 20);
	assert_false(arena_failed(&a));
	for (size_t less = 0; less < 64; less++) { /* sizes that overflow when rounded up */
		cleanup_arena struct arena b = {0};

		assert_null(arena_alloc(&b, SIZE_MAX - less));
		assert_true(arena_failed(&b));
		assert_null(arena_alloc(&b, 1));
	}
}

static void test_files(void **state)
{
	TEMP_DIR(dir);
	cleanup_fd int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = -1;
	cleanup_buf struct buf b = {0};
	char big[10000], back[10000], path[200];
	struct stat st;

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7);
	assert_int_equal(io_publish_at(dirfd, "f", "old", 3), 0);
	assert_int_equal(io_publish_at(dirfd, "f", big, sizeof big), 0);
	assert_int_equal(fstatat(dirfd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(io_slurp_at(dirfd, "f", &b, sizeof big), 0);
	assert_int_equal(b.len, sizeof big);
	assert_memory_equal(b.data, big, sizeof big);
	buf_clear(&b);
	assert_int_equal(io_slurp_at(dirfd, "f", &b, sizeof big - 1), -EFBIG);
	assert_int_equal(io_slurp_at(dirfd, "none", &b, 10), -ENOENT);
	fd = openat(dirfd, "f", O_RDWR | O_CLOEXEC);
	assert_int_equal(io_pwrite(fd, "xyz", 3, 5000), 0);
	assert_int_equal(io_pread(fd, back, 3, 5000), 0);
	assert_memory_equal(back, "xyz", 3);
	assert_int_equal(io_pread(fd, back, sizeof back, 1), -ENODATA);
	assert_int_equal(io_write(-1, "x", 1), -EBADF);
	/* A failed publication leaves no temporary file and the old content. */
	assert_int_equal(mkdirat(dirfd, "d", 0700), 0);
	assert_int_equal(io_publish_at(dirfd, "d", "x", 1), -EISDIR);
	snprintf(path, sizeof path, "%s/.d.%d.tmp", dir, (int)getpid());
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/a/b//c", dir);
	assert_int_equal(io_mkdir_p(path), 0);
	assert_int_equal(io_mkdir_p(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof path, "%s/f/c", dir);
	assert_int_equal(io_mkdir_p(path), -ENOTDIR);
}

static void test_time(void **state)
{
	char text[40];
	uint64_t before = now_mono_ns();

	setenv("TZ", "XXX+3:30", 1);
	tzset();
	format_time(1795472535344120987, text);
	assert_string_equal(text, "2026-11-23T18:52:15.344120-03:30");
	setenv("TZ", "UTC0", 1);
	tzset();
	format_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000000+00:00");
	sleep_ns(2 * NS_PER_MSEC);
	assert_true(now_mono_ns() - before >= 2 * NS_PER_MSEC);
	assert_true(now_real_ns() > 1700000000 * NS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

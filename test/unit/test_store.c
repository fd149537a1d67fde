/* Images in a job directory: numbers, publication, listing, retention, leftovers. */
#include "image_util.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>

static struct store_pending *begin(const char *job)
{
	struct store_pending *p;
	struct err e = {0};

	assert_ok(store_begin(&p, job, "anna", "node/7", &e));
	return p;
}

static uint64_t add_image(const char *job)
{
	struct store_pending *p = begin(job);
	uint64_t number = store_pending_number(p);
	struct err e = {0};
	char *path, expected[200];

	make_image_at(store_pending_fd(p), number, 4);
	assert_ok(store_publish(p, &path, &e));
	snprintf(expected, sizeof expected, "%s/checkpoint_images/%lu_anna@node_7", job,
		(unsigned long)number);
	assert_string_equal(path, expected);
	assert_ok(image_verify(path, &e));
	free(path);
	store_pending_free(p);
	return number;
}

/* Entries of checkpoint_images/ whose names begin with `prefix`. */
static int count(const char *job, const char *prefix)
{
	char path[128];
	struct dirent *entry;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/checkpoint_images", job);
	d = opendir(path);
	while (d && (entry = readdir(d)))
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

static void assert_numbers(const char *job, size_t damaged, size_t n, const uint64_t *numbers)
{
	struct store_entry *entries;
	size_t found, bad;
	struct err e = {0};

	assert_ok(store_list(job, &entries, &found, &bad, &e));
	assert_int_equal(found, n);
	assert_int_equal(bad, damaged);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(entries[i].number, numbers[i]);
		assert_int_equal(entries[i].info.number, numbers[i]);
		assert_int_equal(access(entries[i].path, R_OK), 0);
	}
	store_entries_free(entries, found);
}
#define NUMBERS(...)                                                             \
	sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (const uint64_t[]) \
	{                                                                        \
		__VA_ARGS__                                                      \
	}

static void damage(const char *job, int number, const char *file)
{
	char path[200];

	snprintf(path, sizeof path, "%s/checkpoint_images/%d_anna@node_7/%s", job, number, file);
	assert_int_equal(truncate(path, 3), 0);
}

static int prune(const char *job, unsigned keep)
{
	struct store_policy policy = {.keep = keep};
	struct err e = {0};

	return store_prune(job, &policy, false, NULL, NULL, &e);
}

static void test_publish_and_list(void **state)
{
	TEMP_DIR(job);
	char path[128];
	struct stat st;
	struct store_pending *p;

	assert_numbers(job, 0, 0, NULL);
	assert_numbers("/nonexistent/job", 0, 0, NULL);
	assert_int_equal(add_image(job), 1);
	p = begin(job);
	assert_int_equal(store_pending_number(p), 2);
	assert_int_equal(fstat(store_pending_fd(p), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	make_image_at(store_pending_fd(p), 2, 4);
	assert_numbers(job, 0, NUMBERS(1)); /* complete, but not published */
	store_pending_free(p);
	assert_int_equal(count(job, ".writing-"), 0);
	assert_int_equal(add_image(job), 3); /* 2 has been used */
	for (int i = 4; i <= 11; i++)
		add_image(job);
	assert_numbers(job, 0, NUMBERS(11, 10, 9, 8, 7, 6, 5, 4, 3, 1));
	snprintf(path, sizeof path, "%s/checkpoint_images/11_anna@node_7", job);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_incomplete_is_not_published(void **state)
{
	TEMP_DIR(job);
	struct store_pending *p = begin(job);
	struct err e = {0};
	char *path = NULL;

	assert_true(store_publish(p, &path, &e) < 0);
	assert_int_equal(e.why, WHY_BAD_IMAGE);
	assert_null(path);
	make_image_at(store_pending_fd(p), 99, 2); /* another image's manifest */
	assert_true(store_publish(p, &path, &e) < 0);
	store_pending_free(p);
	assert_numbers(job, 0, 0, NULL);
	assert_int_equal(count(job, "1_"), 0);
}

static void test_damaged_are_left_out(void **state)
{
	TEMP_DIR(job);
	char path[128];

	for (int i = 1; i <= 4; i++)
		add_image(job);
	damage(job, 2, "checkpoint_info");
	damage(job, 4, "pages.dat");
	assert_numbers(job, 2, NUMBERS(3, 1));
	/* Renamed by hand: its number is not its own. */
	snprintf(path, sizeof path, "%s/checkpoint_images/0_x@y", job);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/checkpoint_images/99999999999999999999_x@y", job);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/checkpoint_images/notes", job);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_numbers(job, 2, NUMBERS(3, 1)); /* not image names at all */
	assert_int_equal(add_image(job), 5);
}

static void test_numbers_survive_deletion(void **state)
{
	TEMP_DIR(job);
	char path[128];

	for (int i = 1; i <= 3; i++)
		add_image(job);
	snprintf(path, sizeof path, "%s/checkpoint_images/3_anna@node_7", job);
	util_remove_tree(path);
	assert_int_equal(add_image(job), 4);
	/* Without the memory of it, or with a damaged one, the directories still count. */
	snprintf(path, sizeof path, "%s/checkpoint_images/.last_number", job);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(add_image(job), 5);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(add_image(job), 6);
}

static void test_retain(void **state)
{
	TEMP_DIR(job);

	assert_int_equal(prune(job, 2), 0);
	for (int i = 1; i <= 7; i++)
		add_image(job);
	damage(job, 2, "meta.pb");
	damage(job, 6, "meta.pb");
	assert_int_equal(prune(job, 9), 0);
	/* 7 and 5 stay; 6 is younger than 5 and stays for whoever wants to look at it. */
	assert_int_equal(prune(job, 2), 4);
	assert_numbers(job, 1, NUMBERS(7, 5));
	assert_int_equal(prune(job, 2), 0);
	assert_int_equal(prune(job, 0), 2); /* never the last one */
	assert_numbers(job, 0, NUMBERS(7));
	assert_int_equal(prune(job, 1), 0);
	assert_int_equal(count(job, ".deleting-"), 0);
	/* A damaged newest image does not cost the newest valid one. */
	add_image(job);
	damage(job, 8, "checkpoint_info");
	assert_int_equal(prune(job, 1), 0);
	assert_numbers(job, 1, NUMBERS(7));
}

/* A writer that was killed leaves its directory; one that lives keeps it. */
static void test_leftovers(void **state)
{
	TEMP_DIR(job);
	struct store_pending *mine, *next;
	char path[128];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store_pending *p = NULL;
		struct err e = {0};

		if (store_begin(&p, job, "u", "h", &e) < 0)
			_exit(1);
		_exit(openat(store_pending_fd(p), "pages.dat", O_CREAT | O_WRONLY, 0600) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count(job, ".writing-1_"), 1);
	snprintf(path, sizeof path, "%s/checkpoint_images/.deleting-0_u@h", job);
	assert_int_equal(mkdir(path, 0700), 0);
	mine = begin(job);
	assert_int_equal(store_pending_number(mine), 2);
	assert_int_equal(count(job, ".writing-"), 1);
	assert_int_equal(count(job, ".deleting-"), 0);
	next = begin(job);
	assert_int_equal(count(job, ".writing-"), 2);
	store_pending_free(next);
	store_pending_free(mine);
	store_pending_free(NULL);
	assert_int_equal(count(job, ".writing-"), 0);
}

static void test_unwritable(void **state)
{
	struct store_pending *p = NULL;
	struct err e = {0};

	assert_true(store_begin(&p, "/dev/null/job", "u", "h", &e) < 0);
	assert_null(p);
	assert_non_null(strstr(e.text, "/dev/null/job/checkpoint_images"));
}

/* An image every 20 minutes for three days, newest first. */
static void test_select(void **state)
{
	enum { N = 216 };
	static struct store_entry e[N];
	struct store_policy p = {.keep = 2};
	uint64_t now = 20000ull * 86400 * NS_PER_SEC + 13 * 3600 * NS_PER_SEC;
	bool keep[N];
	size_t kept = 0;

	for (size_t i = 0; i < N; i++) {
		e[i].info.timestamp_ns = now - i * 1200 * NS_PER_SEC;
		e[i].info.stored_bytes = 100;
	}
	store_select(e, N, &p, keep);
	assert_true(keep[0] && keep[1] && !keep[2]);
	p.keep_hourly = 5;
	p.keep_daily = 3;
	store_select(e, N, &p, keep);
	for (size_t i = 0; i < N; i++)
		kept += keep[i];
	/* 13:00 12:40, then 12:40's hour is had; 11:40 10:40 9:40; two days before. */
	assert_int_equal(kept, 2 + 3 + 2);
	assert_true(keep[0] && keep[1] && keep[4] && keep[7] && keep[10]);
	assert_true(keep[40] && keep[112]); /* 23:40 of the days before */
	p.quota_bytes = 350;
	store_select(e, N, &p, keep);
	assert_true(keep[0] && keep[1] && keep[4] && !keep[7] && !keep[112]);
	p.quota_bytes = 1; /* the newest stays, whatever the quota */
	store_select(e, N, &p, keep);
	assert_true(keep[0] && !keep[1]);
	p = (struct store_policy){0};
	store_select(e, N, &p, keep);
	assert_true(keep[0] && !keep[1]);
	store_select(e, 0, &p, keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_publish_and_list),
		cmocka_unit_test(test_incomplete_is_not_published),
		cmocka_unit_test(test_damaged_are_left_out),
		cmocka_unit_test(test_numbers_survive_deletion),
		cmocka_unit_test(test_retain),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_unwritable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

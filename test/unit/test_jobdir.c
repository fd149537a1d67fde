/* Job directories: creation, lock, journal, registry, finding, control socket. */
#include "util.h"

#include "base/io.h"
#include "job/checkpoint.h"
#include "job/control.h"
#include "job/jobdir.h"
#include "job/registry.h"
#include "job/workdir.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char *const command[] = {(char *)"./prog", (char *)"two words", NULL};

static void enter(const char *dir)
{
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(setenv("XDG_STATE_HOME", dir, 1), 0);
}

/* A job directory with one attempt by `who`. */
static void make_job(const char *path, const char *id, const struct identity *who,
	enum journal_how how, int exit_code)
{
	cleanup(workdir_done) struct workdir dir = WORKDIR_NONE;
	cleanup(journal_done) struct journal j = {0};
	struct err e = {0};

	assert_ok(workdir_create(&dir, path, "prog", &e));
	assert_int_equal(journal_new(&j, id, command, "/tmp", "00", 1), 0);
	assert_int_equal(journal_begin(&j, who, 0, SIGUSR1), 0);
	if (how != HOW_RUNNING)
		journal_end(&j, how, exit_code, 0);
	assert_int_equal(journal_save(&j, dir.fd), 0);
	assert_int_equal(registry_add(id, dir.path), 0);
}

static void test_default_name(void **state)
{
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir a = WORKDIR_NONE, b = WORKDIR_NONE;
	struct err e = {0};
	struct stat st;
	int y, mo, d, h, mi, s, us;
	const char *base;

	enter(tmp);
	assert_ok(workdir_create(&a, NULL, "../x/a.out", &e));
	assert_ok(workdir_create(&b, NULL, "../x/a.out", &e));
	assert_string_not_equal(a.path, b.path);
	base = strrchr(a.path, '/') + 1;
	assert_int_equal(sscanf(base, "cragon_a.out_%4d-%2d-%2d_%2d:%2d:%2d,%6d", &y, &mo, &d, &h,
				 &mi, &s, &us),
		7);
	assert_int_equal(strlen(base), strlen("cragon_a.out_2026-11-23_18:52:15,344120"));
	assert_int_equal(stat(a.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	workdir_discard(&a);
	assert_int_equal(stat(a.path, &st), -1);
}

static void test_discard_keeps_what_was_there(void **state)
{
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir d = WORKDIR_NONE;
	struct err e = {0};
	struct stat st;

	enter(tmp);
	assert_int_equal(mkdir("old", 0700), 0);
	assert_ok(workdir_create(&d, "old", "x", &e));
	workdir_discard(&d);
	assert_int_equal(stat("old", &st), 0);
}

static void test_lock(void **state)
{
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir a = WORKDIR_NONE, b = WORKDIR_NONE;
	struct identity self;
	struct err e = {0};

	enter(tmp);
	identity_self(&self);
	assert_ok(workdir_create(&a, "j", "x", &e));
	assert_ok(workdir_create(&b, "j", "x", &e));
	assert_ok(workdir_lock(&a, &self, &e));
	assert_int_equal(workdir_lock(&b, &self, &e), -EBUSY);
	assert_int_equal(e.why, WHY_BUSY);
	workdir_done(&a);
	workdir_done(&b);
	assert_ok(workdir_create(&b, "j", "x", &e));
	assert_ok(workdir_lock(&b, &self, &e));
}

/* Without a lock (some network file systems) job.json alone says who runs it. */
static void test_running_elsewhere_is_named(void **state)
{
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir d = WORKDIR_NONE;
	struct identity self, other;
	struct err e = {0};
	struct proc_stat stat;
	char number[16];
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	enter(tmp);
	identity_self(&self);
	other = self;
	other.pid = pid;
	assert_int_equal(proc_stat(pid, &stat), 0);
	other.pid_start = stat.start_time;
	make_job("j", "abcdef", &other, HOW_RUNNING, 0);
	assert_ok(workdir_open(&d, "j", &e));
	assert_int_equal(workdir_lock(&d, &self, &e), -EBUSY);
	snprintf(number, sizeof number, "%d", (int)pid);
	assert_non_null(strstr(e.text, number));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_ok(workdir_lock(&d, &self, &e));
}

static void test_journal_round_trip(void **state)
{
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir d = WORKDIR_NONE;
	cleanup(journal_done) struct journal j = {0}, back = {0};
	struct settings in = {.interval_mode = INTERVAL_FIXED,
		.interval_ns = 1500 * NS_PER_MSEC,
		.max_time_ns = 60 * NS_PER_SEC,
		.keep = 7,
		.zstd_level = 5,
		.stop_code = 99,
		.signal_checkpoint = SIGUSR2,
		.namespaces = NAMESPACES_NONE,
		.wait_all = true};
	struct settings out = {.given = SETTING_KEEP, .keep = 2, .stop_code = 75};
	struct journal_attempt last;
	struct identity self;
	struct err e = {0};
	int code = -1, sig = -1;
	char **words;

	enter(tmp);
	identity_self(&self);
	assert_ok(workdir_create(&d, "j", "x", &e));
	assert_int_equal(journal_new(&j, "abc234", command, "/here", "ff", 4), 0);
	journal_put_settings(&j, &in);
	assert_int_equal(journal_begin(&j, &self, 0, SIGUSR2), 0);
	journal_checkpoint(&j, &(struct checkpoint_result){.number = 4}, "periodic");
	journal_next(&j, 1700000000ull * NS_PER_SEC);
	assert_int_equal(journal_save(&j, d.fd), 0);
	assert_ok(journal_load(&back, d.fd, &e));
	assert_string_equal(journal_id(&back), "abc234");
	assert_int_equal(journal_first_image(&back), 4);
	assert_true(journal_same_command(&back, command, "/here"));
	assert_false(journal_same_command(&back, command, "/there"));
	assert_false(journal_same_command(&back, command + 1, "/here"));
	words = journal_command(&back);
	assert_string_equal(words[1], "two words");
	assert_null(words[2]);
	strings_free(words);
	journal_get_settings(&back, &out);
	assert_int_equal(out.interval_mode, INTERVAL_FIXED);
	assert_true(out.interval_ns == in.interval_ns && out.max_time_ns == in.max_time_ns);
	assert_int_equal(out.keep, 2); /* named on this command line */
	assert_int_equal(out.zstd_level, 5);
	assert_int_equal(out.stop_code, 99);
	assert_int_equal(out.signal_checkpoint, SIGUSR2);
	assert_int_equal(out.namespaces, NAMESPACES_NONE);
	assert_true(out.wait_all);
	assert_int_equal(journal_last(&back, &last), 0);
	assert_int_equal(last.how, HOW_RUNNING);
	assert_int_equal(last.pid, getpid());
	assert_true(last.next_checkpoint_ns == 1700000000ull * NS_PER_SEC);
	assert_int_equal(journal_command_end(&back, &code, &sig), -ENOENT);
	journal_command_ended(&back, 4, 0);
	/* The next attempt notes that nobody ended this one. */
	assert_int_equal(journal_begin(&back, &self, 4, SIGUSR1), 0);
	assert_int_equal(journal_attempts(&back), 2);
	assert_int_equal(journal_command_end(&back, &code, &sig), 0);
	assert_int_equal(code, 4);
	assert_int_equal(sig, 0);
	journal_end(&back, HOW_SIGNAL, 139, SIGSEGV);
	assert_int_equal(journal_last(&back, &last), 0);
	assert_int_equal(last.how, HOW_SIGNAL);
	assert_int_equal(last.exit_code, 139);
	assert_int_equal(last.signal, SIGSEGV);
}

static void test_journal_damaged(void **state)
{
	static const char *const texts[] = {"", "[", "{}", "[]", "{\"format\":2,\"id\":\"a\"}",
		"{\"format\":1,\"id\":\"a\",\"directory\":\"/\",\"command\":[1],\"settings\":{},"
		"\"attempts\":[]}",
		"{\"format\":1,\"id\":7,\"directory\":\"/\",\"command\":[\"a\"],\"settings\":{},"
		"\"attempts\":[]}",
		"{\"format\":1,\"id\":\"a\",\"directory\":\"/"
		"\",\"command\":[\"a\"],\"settings\":{},"
		"\"attempts\":{}}"};
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir d = WORKDIR_NONE;
	struct err e = {0};

	enter(tmp);
	assert_ok(workdir_create(&d, "j", "x", &e));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct journal j = {0};

		assert_int_equal(io_publish_at(d.fd, JOURNAL_NAME, texts[i], strlen(texts[i])), 0);
		assert_true(journal_load(&j, d.fd, &e) < 0);
		assert_int_equal(e.why, WHY_NO_JOB);
	}
}

static void test_times(void **state)
{
	uint64_t now = now_real_ns() / 1000 * 1000;
	char text[40];

	format_time(now, text);
	assert_true(parse_time(text) == now);
	assert_true(parse_time("1970-01-01T01:00:01.000000+01:00") == NS_PER_SEC);
	assert_true(parse_time("1969-12-31T23:00:01.000000-01:00") == NS_PER_SEC);
	assert_true(parse_time("") == 0);
	assert_true(parse_time("yesterday") == 0);
	assert_true(parse_time(NULL) == 0);
}

static void test_find_and_list(void **state)
{
	TEMP_DIR(tmp);
	cleanup(job_view_done) struct job_view v = {0};
	struct job_view *list;
	struct identity self, gone;
	struct err e = {0};
	char path[128];
	size_t n;

	enter(tmp);
	identity_self(&self);
	gone = self;
	gone.pid_start++;
	make_job("done", "aaaaaa", &self, HOW_EXIT, 3);
	sleep_ns(NS_PER_MSEC);
	make_job("lost", "bbbbbb", &gone, HOW_RUNNING, 0);
	assert_ok(job_list(&list, &n, &e));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].id, "bbbbbb"); /* newest first */
	assert_int_equal(list[0].state, JOB_LOST);
	assert_int_equal(list[1].state, JOB_DONE);
	assert_int_equal(list[1].exit_code, 3);
	for (size_t i = 0; i < n; i++)
		job_view_done(&list[i]);
	free(list);
	assert_ok(job_find(NULL, &v, &e)); /* none runs: the newest */
	assert_string_equal(v.id, "bbbbbb");
	job_view_done(&v);
	sleep_ns(NS_PER_MSEC);
	make_job("runs", "cccccc", &self, HOW_RUNNING, 0);
	sleep_ns(NS_PER_MSEC);
	make_job("newer", "dddddd", &self, HOW_STOPPED, 75);
	assert_ok(job_find(NULL, &v, &e)); /* the only one that runs */
	assert_string_equal(v.id, "cccccc");
	assert_int_equal(v.state, JOB_RUNNING);
	assert_int_equal(v.pid, getpid());
	job_view_done(&v);
	assert_ok(job_find("dddddd", &v, &e));
	assert_int_equal(v.state, JOB_STOPPED);
	job_view_done(&v);
	assert_ok(job_find("done", &v, &e));
	assert_string_equal(v.id, "aaaaaa");
	assert_int_equal(job_find("nosuch", &v, &e), -ENOENT);
	assert_int_equal(e.why, WHY_NO_JOB);
	/* An entry whose directory is gone goes with it. */
	util_remove_tree((char *)"newer");
	assert_ok(job_list(&list, &n, &e));
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		job_view_done(&list[i]);
	free(list);
	snprintf(path, sizeof path, "%s/cragon/jobs/dddddd.json", tmp);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_no_registry(void **state)
{
	TEMP_DIR(tmp);
	struct job_view *list;
	struct err e = {0};
	size_t n = 9;

	enter(tmp);
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	assert_true(registry_add("abcdef", "/tmp") < 0);
	assert_null(registry_find("abcdef"));
	assert_ok(job_list(&list, &n, &e));
	assert_int_equal(n, 0);
	free(list);
	setenv("HOME", "/proc/nowhere", 1); /* cannot be written, not even by root */
	assert_true(registry_add("abcdef", "/tmp") < 0);
	assert_null(registry_find("../../etc/passwd"));
}

static void test_of_image(void **state)
{
	TEMP_DIR(tmp);
	cleanup_free char *found = NULL, *other = NULL;

	enter(tmp);
	assert_int_equal(io_mkdir_p("j/checkpoint_images/3_u@h"), 0);
	found = workdir_of_image("j/checkpoint_images/3_u@h/");
	assert_non_null(found);
	assert_string_equal(strrchr(found, '/'), "/j");
	other = workdir_of_image("j");
	assert_null(other);
}

/* ---- control socket ---- */

struct asker {
	const char *directory;
	json_t *reply;
	int result;
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	json_t *request = json_pack("{s:s}", "op", "ping");
	struct err e = {0};

	a->result = control_ask(a->directory, request, &a->reply, &e);
	json_decref(request);
	return NULL;
}

static json_t *pong(void *ctx, const json_t *request)
{
	(*(int *)ctx)++;
	return json_pack("{s:b, s:O}", "ok", 1, "op", json_object_get(request, "op"));
}

static void serve_until(struct control *c, int *served, int wanted)
{
	for (int i = 0; i < 1000 && *served < wanted; i++) {
		struct pollfd fds[CONTROL_FDS];

		control_watch(c, fds);
		assert_true(poll(fds, CONTROL_FDS, 5000) > 0);
		control_serve(c, fds, pong, served);
	}
	assert_int_equal(*served, wanted);
}

static void test_control(void **state)
{
	TEMP_DIR(tmp);
	char path[300];
	cleanup(workdir_done) struct workdir d = WORKDIR_NONE;
	cleanup(control_done) struct control c;
	struct asker a = {.directory = path};
	struct err e = {0};
	int served = 0;
	pthread_t thread;

	enter(tmp);
	/* Longer than a socket's path may be. */
	snprintf(path, sizeof path, "%s/%0200d", tmp, 1);
	assert_ok(workdir_create(&d, path, "x", &e));
	assert_ok(control_open(&c, d.fd, &e));
	assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
	serve_until(&c, &served, 1);
	pthread_join(thread, NULL);
	assert_int_equal(a.result, 0);
	assert_string_equal(json_string_value(json_object_get(a.reply, "op")), "ping");
	json_decref(a.reply);
	control_done(&c);
	ask(&a);
	assert_int_equal(a.result, -ENOENT);
}

/* Clients that say nothing take all places; one that asks is still served. */
static void test_control_hung_clients(void **state)
{
	TEMP_DIR(tmp);
	cleanup(workdir_done) struct workdir d = WORKDIR_NONE;
	cleanup(control_done) struct control c;
	struct asker a = {.directory = "j"};
	struct err e = {0};
	int served = 0, hung[CONTROL_CLIENTS];
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "j/control"};
	pthread_t thread;

	enter(tmp);
	assert_ok(workdir_create(&d, "j", "x", &e));
	assert_ok(control_open(&c, d.fd, &e));
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct pollfd fds[CONTROL_FDS];

		hung[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(hung[i], (struct sockaddr *)&address, sizeof address), 0);
		assert_int_equal(write(hung[i], "{\"op\"", 5), 5);
		control_watch(&c, fds);
		assert_true(poll(fds, CONTROL_FDS, 5000) > 0);
		control_serve(&c, fds, pong, &served);
	}
	assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
	serve_until(&c, &served, 1);
	pthread_join(thread, NULL);
	assert_int_equal(a.result, 0);
	json_decref(a.reply);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		close(hung[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_name),
		cmocka_unit_test(test_discard_keeps_what_was_there),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_running_elsewhere_is_named),
		cmocka_unit_test(test_journal_round_trip),
		cmocka_unit_test(test_journal_damaged),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_find_and_list),
		cmocka_unit_test(test_no_registry),
		cmocka_unit_test(test_of_image),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_control_hung_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

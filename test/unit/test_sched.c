/* What batch systems say about time: texts of real commands, fakes in PATH. */
#include "util.h"

#include "sched/sched.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static void test_slurm_text(void **state)
{
	uint64_t ns = 0;

	assert_int_equal(sched_parse_slurm_left("1-02:03:04\n", &ns), 0);
	assert_int_equal(ns / NS_PER_SEC, 93784);
	assert_int_equal(sched_parse_slurm_left("    4:59\n", &ns), 0);
	assert_int_equal(ns / NS_PER_SEC, 299);
	assert_int_equal(sched_parse_slurm_left("0:00\n", &ns), 0);
	assert_int_equal(ns, 0);
	assert_int_equal(sched_parse_slurm_left("UNLIMITED\n", &ns), -ENODATA);
	assert_int_equal(sched_parse_slurm_left("NOT_SET\n", &ns), -ENODATA);
	assert_int_equal(sched_parse_slurm_left("INVALID\n", &ns), -EPROTO);
	assert_int_equal(sched_parse_slurm_left("", &ns), -EPROTO);
	assert_int_equal(sched_parse_slurm_left("slurm_load_jobs error\n", &ns), -EPROTO);
}

static const char qstat[] = "==============================================================\n"
			    "job_number:                 12\n"
			    "exec_file:                  job_scripts/12\n"
			    "hard resource_list:         h_rt=3600,h_vmem=2G\n"
			    "soft resource_list:         s_rt=0:50:00\n"
			    "env_list:                   NOTE=h_rt=5\n";

static void test_qstat_text(void **state)
{
	uint64_t ns = 0;

	assert_int_equal(sched_parse_qstat(qstat, &ns), 0);
	assert_int_equal(ns / NS_PER_SEC, 3000);
	assert_int_equal(
		sched_parse_qstat("job_number: 3\nhard resource_list: h_vmem=1G\n", &ns), -ENODATA);
	assert_int_equal(sched_parse_qstat("Following jobs do not exist:\n3\n", &ns), -EPROTO);
}

static void clear(void)
{
	static const char *const names[] = {
		"SLURM_JOB_ID", "SLURM_JOB_END_TIME", "JOB_ID", "SGE_ROOT", "SGE_TASK_ID"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static void fake(const char *dir, const char *name, const char *script)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(script, f);
	fclose(f);
	assert_int_equal(chmod(path, 0700), 0);
	snprintf(path, sizeof path, "%s:/usr/bin:/bin", dir);
	setenv("PATH", path, 1);
}

static void test_slurm(void **state)
{
	TEMP_DIR(dir);
	struct sched s;
	char text[32];
	uint64_t ns = 0;

	clear();
	sched_detect(&s);
	assert_int_equal(s.system, SCHED_NONE);
	assert_int_equal(sched_time_left(&s, &ns), -ENODATA);
	assert_false(sched_is_warning(&s, SIGTERM));
	setenv("SLURM_JOB_ID", "4711", 1);
	sched_detect(&s);
	assert_int_equal(s.system, SCHED_SLURM);
	assert_string_equal(s.id, "4711");
	assert_true(sched_is_warning(&s, SIGTERM) && sched_is_warning(&s, SIGUSR1));
	assert_false(sched_is_warning(&s, SIGCONT));
	fake(dir, "squeue", "#!/bin/sh\n[ \"$*\" = '-h -j 4711 -o %L' ] && echo 12:34\n");
	assert_int_equal(sched_time_left(&s, &ns), 0);
	assert_int_equal(ns / NS_PER_SEC, 754);
	fake(dir, "squeue", "#!/bin/sh\necho down >&2; exit 1\n");
	assert_int_equal(sched_time_left(&s, &ns), -EIO);
	snprintf(text, sizeof text, "%lld", (long long)time(NULL) + 500);
	setenv("SLURM_JOB_END_TIME", text, 1);
	assert_int_equal(sched_time_left(&s, &ns), 0);
	assert_in_range(ns / NS_PER_SEC, 490, 500);
	setenv("SLURM_JOB_ID", "1; rm -rf /", 1); /* ends up in a command line */
	sched_detect(&s);
	assert_int_equal(s.system, SCHED_NONE);
}

static void test_grid_engine(void **state)
{
	TEMP_DIR(dir);
	struct sched s;
	uint64_t ns = 0;

	clear();
	setenv("JOB_ID", "12", 1);
	sched_detect(&s); /* a JOB_ID alone may be anybody's */
	assert_int_equal(s.system, SCHED_NONE);
	setenv("SGE_ROOT", "/opt/sge", 1);
	sched_detect(&s);
	assert_int_equal(s.system, SCHED_GRID_ENGINE);
	fake(dir, "qstat",
		"#!/bin/sh\necho job_number: $2\n"
		"echo 'hard resource_list:   h_rt=900000000'\n");
	assert_int_equal(sched_time_left(&s, &ns), 0);
	assert_in_range(ns / NS_PER_SEC, 1, 900000000);
}

/* A command that hangs costs seconds, not the job. */
static void test_hang(void **state)
{
	const char *const argv[] = {"sleep", "60", NULL};
	time_t before = time(NULL);
	char text[8];

	assert_int_equal(sched_ask(argv, text, sizeof text), -ETIMEDOUT);
	assert_in_range(time(NULL) - before, 4, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slurm_text),
		cmocka_unit_test(test_qstat_text),
		cmocka_unit_test(test_slurm),
		cmocka_unit_test(test_grid_engine),
		cmocka_unit_test(test_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

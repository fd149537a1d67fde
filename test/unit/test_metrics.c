/* Parsers of the machine and of control groups on captured text; files of rows. */
#include "util.h"

#include "job/metrics.h"
#include "sys/cgroup.h"
#include "sys/machine.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char v1_mounts[] =
	"30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"
	"35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct\n"
	"36 30 0:32 / /sys/fs/cgroup/memory rw shared:16 - cgroup cgroup rw,memory\n"
	"37 30 0:33 / /sys/fs/cgroup/unified rw shared:17 - cgroup2 cgroup2 rw\n";
static const char v2_mounts[] =
	"30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
/* A container: its part of the hierarchy is the root of the mount. */
static const char container_mounts[] =
	"36 30 0:32 /docker/abc /sys/fs/cgroup/memory ro master:16 - cgroup cgroup rw,memory\n";

static void test_cgroup(void **state)
{
	struct cgroup g;

	assert_int_equal(cgroup_parse("11:cpu,cpuacct:/x\n4:memory:/slurm/uid_1/job_2\n0::/y\n",
				 v1_mounts, &g),
		0);
	assert_int_equal(g.version, 1);
	assert_string_equal(g.path, "/sys/fs/cgroup/memory/slurm/uid_1/job_2");
	assert_int_equal(g.root_len, strlen("/sys/fs/cgroup/memory"));
	assert_int_equal(cgroup_parse("0::/user.slice/a b\n", v2_mounts, &g), 0);
	assert_int_equal(g.version, 2);
	assert_string_equal(g.path, "/sys/fs/cgroup/user.slice/a b");
	assert_int_equal(cgroup_parse("0::/\n", v2_mounts, &g), 0);
	assert_string_equal(g.path, "/sys/fs/cgroup");
	/* Hybrid without a memory controller of version 1: the unified tree. */
	assert_int_equal(cgroup_parse("3:cpu:/x\n0::/z\n", v1_mounts, &g), 0);
	assert_int_equal(g.version, 2);
	assert_string_equal(g.path, "/sys/fs/cgroup/unified/z");
	assert_int_equal(cgroup_parse("4:memory:/docker/abc/in\n", container_mounts, &g), 0);
	assert_string_equal(g.path, "/sys/fs/cgroup/memory/in");
	assert_int_equal(cgroup_parse("4:memory:/docker/abcd\n", container_mounts, &g), 0);
	assert_string_equal(g.path, "/sys/fs/cgroup/memory/docker/abcd");
	assert_int_equal(cgroup_parse("", v2_mounts, &g), 0);
	assert_int_equal(g.version, 0);
	assert_int_equal(cgroup_parse("0::/a\n", "", &g), 0);
	assert_int_equal(g.version, 0);
	assert_int_equal(cgroup_parse("::::\n0\n:\n", "- - -\n\n 1 2 3 4 - cgroup2\n", &g), 0);
}

static struct cgroup group_at(const char *root, const char *leaf)
{
	struct cgroup g = {.version = 2, .root_len = strlen(root)};

	snprintf(g.path, sizeof g.path, "%s%s", root, leaf);
	return g;
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The ancestor with the least room decides. */
static void test_cgroup_memory(void **state)
{
	TEMP_DIR(root);
	char inner[300];
	struct cgroup_memory m;
	struct cgroup g = group_at(root, "/in");

	snprintf(inner, sizeof inner, "%s/in", root);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(cgroup_memory(&g, &m), 0);
	assert_true(m.limit == CGROUP_NO_LIMIT);
	put(inner, "memory.max", "max\n");
	put(inner, "memory.events", "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\n");
	put(root, "memory.max", "1000000\n");
	put(root, "memory.current", "900000\n");
	put(root, "memory.stat", "anon 1\nfile 2\ninactive_file 300000\n");
	assert_int_equal(cgroup_memory(&g, &m), 0);
	assert_int_equal(m.limit, 1000000);
	assert_int_equal(m.used, 900000);
	assert_int_equal(m.reclaimable, 300000);
	assert_int_equal(m.oom_kills, 2);
	put(inner, "memory.max", "500000\n");
	put(inner, "memory.current", "450000\n");
	assert_int_equal(cgroup_memory(&g, &m), 0);
	assert_int_equal(m.limit, 500000);
}

static void test_machine(void **state)
{
	struct machine_sample s = {0};

	machine_parse_stat("cpu  100 0 50 800 40 5 5 0 0 0\ncpu0 50 0 25 400 20 2 3 0 0 0\n"
			   "cpu1 50 0 25 400 20 3 2 0 0 0\nintr 5\n",
		&s);
	assert_int_equal(s.n_cores, 2);
	assert_int_equal(s.all.total, 1000);
	assert_int_equal(s.all.busy, 160);
	assert_int_equal(s.core[1].busy, 80);
	machine_parse_meminfo("MemTotal:       1000 kB\nMemFree: 5 kB\nMemAvailable:    600 kB\n"
			      "SwapTotal:       200 kB\nSwapFree:        150 kB\n",
		&s);
	assert_int_equal(s.memory_total, 1024000);
	assert_int_equal(s.memory_available, 614400);
	assert_int_equal(s.swap_free, 153600);
	assert_true(
		machine_parse_psi("some avg10=1.50 avg60=0.00 total=5\nfull avg10=9.0\n") == 1.5);
	assert_true(machine_parse_psi("") < 0);
	machine_parse_diskstats(" 254 0 vda 10 0 200 0 5 0 100 0 0 0 0\n"
				" 254 1 vda1 10 0 200 0 5 0 100 0 0 0 0\n"
				" 259 0 nvme0n1 1 0 10 0 1 0 20 0 0 0 0\n"
				" 259 1 nvme0n1p1 1 0 10 0 1 0 20 0 0 0 0\n"
				" 7 0 loop0 1 0 10 0 1 0 20 0 0 0 0\n",
		&s);
	assert_int_equal(s.disk_read, 210 * 512);
	assert_int_equal(s.disk_written, 120 * 512);
	machine_parse_net("Inter-| Receive\n face |bytes\n    lo: 5 0 0 0 0 0 0 0 5 0\n"
			  "  eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n",
		&s);
	assert_int_equal(s.net_received, 100);
	assert_int_equal(s.net_sent, 200);
	machine_parse_stat("", &s);
	machine_parse_stat("cpu", &s);
	machine_parse_diskstats("x\n\n1 2", &s);
	machine_parse_net(":::\n", &s);
}

/* Bounded, whole lines, one header, the newest complete, the oldest still there. */
static void test_thinning(void **state)
{
	TEMP_DIR(dir);
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY);
	cleanup_buf struct buf all = {0};
	long last = 0, rows = 0, first = -1;
	char *save = NULL;

	for (long i = 1; i <= 5000; i++) {
		char row[40];
		int n = snprintf(row, sizeof row, "%ld,abcdefghij\r\n", i);

		assert_int_equal(
			metrics_append(fd, "m.csv", "n,text\r\n", row, (size_t)n, 20000), 0);
	}
	assert_int_equal(io_slurp_at(fd, "m.csv", &all, 100000), 0);
	assert_in_range(all.len, 5000, 20100);
	assert_int_equal(strncmp(all.data, "n,text\r\n", 8), 0);
	for (char *line = strtok_r(all.data, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		long n = strtol(line, NULL, 10);

		if (!rows++)
			continue;
		assert_non_null(strstr(line, ",abcdefghij\r"));
		assert_true(n > last);
		first = first < 0 ? n : first;
		last = n;
	}
	assert_int_equal(last, 5000);
	assert_in_range(first, 1, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_cgroup_memory),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_thinning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

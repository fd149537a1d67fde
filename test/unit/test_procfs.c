/*
 * The parsers of /proc texts, on captured and on mangled ones. The mangled ones
 * stand for other kernels and for programs that name themselves at will.
 */
#include "util.h"

#include "sys/procfs.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

/* Linux 6.18, /proc/PID/stat of a program that calls itself "a) R (b". */
static const char stat_text[] =
	"4242 (a) R (b) S 4200 4242 4242 34816 4250 4194304 1162 0 0 0 1 2 0 0 20 0 3 0 987654 "
	"8523776 1024 18446744073709551615 94000000000000 94000000100000 140736000000000 0 0 0 0 "
	"3670020 1266777851 0 0 0 17 1 0 0 0 0 0 94000000200000 94000000300000 94000000400000 "
	"140736000001000 140736000001100 140736000001100 140736000001200 256\n";

static void stat_is_read(void **state)
{
	struct proc_stat s;

	assert_int_equal(proc_parse_stat(stat_text, &s), 0);
	assert_string_equal(s.comm, "a) R (b");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.ppid, 4200);
	assert_int_equal(s.pgid, 4242);
	assert_int_equal(s.sid, 4242);
	assert_int_equal(s.tty, 34816);
	assert_int_equal(s.start_time, 987654);
	assert_int_equal(s.start_code, 94000000000000);
	assert_int_equal(s.start_stack, 140736000000000);
	assert_int_equal(s.exit_signal, 17);
	assert_int_equal(s.processor, 1);
	assert_int_equal(s.start_brk, 94000000400000);
	assert_int_equal(s.env_end, 140736000001200);
	assert_int_equal(s.exit_code, 256);
}

static void stat_of_an_old_kernel_ends_early(void **state)
{
	struct proc_stat s;

	assert_int_equal(
		proc_parse_stat("1 (x) R 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 11 12 "
				"13\n",
			&s),
		0);
	assert_int_equal(s.start_stack, 13);
	assert_int_equal(s.arg_start, 0);
}

static void stat_garbage_is_refused(void **state)
{
	static const char *const texts[] = {"", "(", ")", "1 (x", "1 x) R 1", ")(", "1 (x)",
		"1 (x) ", "1 (x) R", "1 (x) R 1 2 3", "1 (x) R a b c d"};
	struct proc_stat s;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(proc_parse_stat(texts[i], &s), -EPROTO);
}

static void long_name_is_cut(void **state)
{
	char text[400];
	struct proc_stat s;

	snprintf(text, sizeof text,
		"1 (%0200d) R 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 11 12 13", 7);
	assert_int_equal(proc_parse_stat(text, &s), 0);
	assert_int_equal(strlen(s.comm), sizeof s.comm - 1);
}

static const char status_text[] = "Name:\tUid:\\n 0 0 0 0\n"
				  "Umask:\t0027\n"
				  "State:\tS (sleeping)\n"
				  "Uid:\t1000\t1001\t1002\t1003\n"
				  "Gid:\t100\t100\t100\t100\n"
				  "Groups:\t4 24 4294967294 \n"
				  "NStgid:\t4242\t17\t3\n"
				  "NSpid:\t4242\t17\t3\n"
				  "NSpgid:\t4242\t17\t0\n"
				  "NSsid:\t4242\t17\t0\n"
				  "VmLck:\t      64 kB\n"
				  "THP_enabled:\t0\n"
				  "Threads:\t5\n"
				  "CapInh:\t0000000000000000\n"
				  "CapEff:\t000001ffffffffff\n"
				  "NoNewPrivs:\t1\n"
				  "Seccomp:\t2\n"
				  "Seccomp_filters:\t3\n";

static void status_is_read(void **state)
{
	cleanup(proc_status_done) struct proc_status s = {0};

	assert_int_equal(proc_parse_status(status_text, &s), 0);
	assert_int_equal(s.umask, 027);
	assert_int_equal(s.uid[0], 1000);
	assert_int_equal(s.uid[3], 1003);
	assert_int_equal(s.n_groups, 3);
	assert_int_equal(s.groups[2], 4294967294u);
	assert_int_equal(s.ns_pid, 3);
	assert_int_equal(s.ns_levels, 3);
	assert_int_equal(s.ns_pgid, 0);
	assert_int_equal(s.vm_locked_kib, 64);
	assert_false(s.thp_enabled);
	assert_int_equal(s.threads, 5);
	assert_int_equal(s.cap_effective, 0x1ffffffffff);
	assert_true(s.no_new_privs);
	assert_int_equal(s.seccomp, 2);
	assert_int_equal(s.seccomp_filters, 3);
}

static void status_without_ids_is_refused(void **state)
{
	struct proc_status s;

	assert_int_equal(proc_parse_status("", &s), -EPROTO);
	assert_int_equal(proc_parse_status("Uid:\t1\t2\t3\nGid:\t1\t2\t3\t4\n", &s), -EPROTO);
	assert_int_equal(proc_parse_status("Uid:\t1\t2\t3\t4\n", &s), -EPROTO);
}

/* Two entries of smaps and one of maps (no details). */
static const char maps_text[] =
	"00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a file with (deleted) blanks\n"
	"Size:                328 kB\n"
	"VmFlags: rd ex mr mw me sd \n"
	"7f0000000000-7f0000001000 rw-s 00000000 00:01 2057     /dev/zero (deleted)\n"
	"Size:                  4 kB\n"
	"VmFlags: rd wr sh mr mw me ms gd lo sd\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
	"7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 ";

static void maps_are_walked(void **state)
{
	cleanup_free char *text = strdup(maps_text);
	struct proc_vma v;
	char *cursor = text;

	assert_int_equal(proc_next_vma(&cursor, &v), 1);
	assert_int_equal(v.start, 0x400000);
	assert_int_equal(v.end, 0x452000);
	assert_int_equal(v.offset, 0x1000);
	assert_int_equal(v.protection, PROT_READ | PROT_EXEC);
	assert_int_equal(v.device, makedev(8, 2));
	assert_int_equal(v.inode, 173521);
	assert_false(v.shared || v.deleted);
	assert_string_equal(v.path, "/usr/bin/a file with (deleted) blanks");
	assert_true(proc_vma_flag(&v, "rd") && proc_vma_flag(&v, "sd"));
	assert_false(proc_vma_flag(&v, "gd") || proc_vma_flag(&v, "d "));

	assert_int_equal(proc_next_vma(&cursor, &v), 1);
	assert_true(v.shared && v.deleted);
	assert_string_equal(v.path, "/dev/zero");
	assert_true(proc_vma_flag(&v, "lo") && proc_vma_flag(&v, "sd"));

	assert_int_equal(proc_next_vma(&cursor, &v), 1);
	assert_int_equal(v.start, 0xffffffffff600000);
	assert_int_equal(v.protection, PROT_EXEC);
	assert_string_equal(v.path, "[vsyscall]");

	assert_int_equal(proc_next_vma(&cursor, &v), 1);
	assert_string_equal(v.path, "");
	assert_int_equal(proc_next_vma(&cursor, &v), 0);
}

static void maps_garbage_is_refused(void **state)
{
	static const char *const texts[] = {"Size: 4 kB\n", "7f00-7f01", "7f01-7f00 r--p 0 0:0 0\n",
		"0-1 rp 0 0:0 0\n", "0-0 r--p 0 0:0 0\n", "-1 r--p 0 0:0 0\n", "\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_free char *text = strdup(texts[i]);
		struct proc_vma v;
		char *cursor = text;

		assert_int_equal(proc_next_vma(&cursor, &v), -EPROTO);
	}
}

static void many_flags_do_not_overflow(void **state)
{
	char text[1200] = "1000-2000 rw-p 00000000 00:00 0 \nVmFlags:", *cursor = text;
	struct proc_vma v;

	for (int i = 0; i < 300; i++)
		strcat(text, " aa");
	assert_int_equal(proc_next_vma(&cursor, &v), 1);
	assert_true(proc_vma_flag(&v, "aa"));
	assert_true(strlen(v.flags) < sizeof v.flags);
}

static void fields_are_found_at_line_starts(void **state)
{
	static const char text[] =
		"pos:\t17\nflags:\t0102\nlock:\t1: POSIX flags: 9\nempty:\nlast: x";

	assert_memory_equal(proc_field(text, "pos"), "17\n", 3);
	assert_memory_equal(proc_field(text, "flags"), "0102\n", 5);
	assert_memory_equal(proc_field(text, "empty"), "\n", 1);
	assert_string_equal(proc_field(text, "last"), "x");
	assert_null(proc_field(text, "lag"));
	assert_null(proc_field(text, "po"));
	assert_null(proc_field("", "pos"));
	assert_null(proc_field("pos", "pos"));
}

/* The readers, on the one process whose answers are known. */
static void own_process_is_read(void **state)
{
	cleanup(proc_status_done) struct proc_status status = {0};
	cleanup_free pid_t *tasks = NULL;
	cleanup_free int *fds = NULL;
	struct proc_stat stat;
	int n;

	assert_int_equal(proc_stat(getpid(), &stat), 0);
	assert_int_equal(stat.ppid, getppid());
	assert_int_equal(stat.state, 'R');
	assert_int_equal(proc_status(getpid(), &status), 0);
	assert_int_equal(status.uid[1], geteuid());
	assert_int_equal(proc_tasks(getpid(), &tasks), 1);
	assert_int_equal(tasks[0], getpid());
	n = proc_fds(getpid(), &fds);
	assert_true(n >= 3);
	for (int i = 1; i < n; i++)
		assert_true(fds[i - 1] < fds[i]);
	assert_int_equal(proc_stat(0x3fffffff, &stat), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_is_read),
		cmocka_unit_test(stat_of_an_old_kernel_ends_early),
		cmocka_unit_test(stat_garbage_is_refused),
		cmocka_unit_test(long_name_is_cut),
		cmocka_unit_test(status_is_read),
		cmocka_unit_test(status_without_ids_is_refused),
		cmocka_unit_test(maps_are_walked),
		cmocka_unit_test(maps_garbage_is_refused),
		cmocka_unit_test(many_flags_do_not_overflow),
		cmocka_unit_test(fields_are_found_at_line_starts),
		cmocka_unit_test(own_process_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

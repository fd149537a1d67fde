/* Why a run ended: every rule, mixes of facts, records of crashes, recovery. */
#include "diag/collect.h"
#include "diag/crash.h"
#include "diag/diag.h"
#include "diag/history.h"
#include "diag/recover.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define GIB (1024 * MIB)
#define NOW (1700000000 * NS_PER_SEC)

static struct diag_facts exited(int code, const char *text)
{
	struct diag_facts f = {.how = DIAG_EXIT, .exit_code = code, .ended_ns = NOW};

	diag_set_stderr(&f, text, strlen(text));
	return f;
}

static struct diag_facts killed(int sig)
{
	return (struct diag_facts){.how = DIAG_SIGNAL, .signal = sig, .ended_ns = NOW};
}

static struct diagnosis last;

/* Every diagnosis has evidence, and but for success a remedy. */
static void expect(const struct diag_facts *f, enum diag_cause cause)
{
	diag_evaluate(f, &last);
	if (last.cause != cause)
		fail_msg("%s instead of %s (%s)", diag_cause_name(last.cause),
			diag_cause_name(cause), last.evidence[0]);
	assert_int_equal(last.recoverable, diag_cause_recoverable(cause));
	if (f->how != DIAG_SIGNAL || cause != DIAG_UNKNOWN)
		assert_true(last.n_evidence > 0);
	if (cause != DIAG_DONE)
		assert_true(last.remedy[0]);
}

static bool says(const char *text)
{
	for (size_t i = 0; i < last.n_evidence; i++)
		if (strstr(last.evidence[i], text))
			return true;
	return strstr(last.remedy, text);
}

static void expect_says(const struct diag_facts *f, enum diag_cause cause, const char *text)
{
	expect(f, cause);
	if (!says(text))
		fail_msg(
			"\"%s\" is neither evidence nor remedy; first: %s", text, last.evidence[0]);
}

static void add_request(struct diag_facts *f, int sig, pid_t pid, uid_t uid, bool terminal)
{
	diag_add_signal(f, &(struct diag_signal){sig, pid, uid, terminal, NOW - NS_PER_SEC});
}

static void add_disk(struct diag_facts *f, uint64_t free_bytes, uint64_t free_inodes)
{
	f->disks[f->n_disks++] = (struct diag_disk){
		"job directory", "/data/job", free_bytes, 100 * GIB, free_inodes, 1000000};
}

/* ---- the rules ------------------------------------------------------------------------ */

static void test_names(void **state)
{
	static const char *const contract[] = {"done", "exit-nonzero", "allocation-failed",
		"oom-killed", "memory-limit", "time-limit", "cpu-limit", "file-size-limit",
		"disk-full", "crash", "abort", "preempted", "cancelled-by-user", "node-lost",
		"missing-library-or-file", "cpu-feature", "hung", "unknown"};

	assert_int_equal(DIAG_CAUSE_COUNT, ARRAY_LEN(contract));
	for (size_t i = 0; i < ARRAY_LEN(contract); i++)
		assert_string_equal(diag_cause_name((enum diag_cause)i), contract[i]);
	assert_int_equal(diag_cause_of("disk-full"), DIAG_DISK_FULL);
	assert_int_equal(diag_cause_of("nonsense"), DIAG_UNKNOWN);
	assert_int_equal(diag_cause_of(NULL), DIAG_UNKNOWN);
}

static void test_exits(void **state)
{
	struct diag_facts f = exited(0, "");

	expect_says(&f, DIAG_DONE, "exited with 0");
	f.stderr_tail[0] = 0;
	f = exited(0, "MemoryError\nNo space left on device\n");
	expect(&f, DIAG_DONE);
	f = exited(3, "first\nsecond\nbad input in line 7\n");
	expect_says(&f, DIAG_EXIT_NONZERO, "bad input in line 7");
	f = exited(200, "");
	expect(&f, DIAG_EXIT_NONZERO);
	f = exited(255, "");
	expect(&f, DIAG_EXIT_NONZERO);
	f = killed(SIGPIPE);
	expect_says(&f, DIAG_EXIT_NONZERO, "reader of its output");
	f = killed(SIGUSR1);
	expect(&f, DIAG_UNKNOWN);
	f = (struct diag_facts){.how = DIAG_RUNNING};
	expect_says(&f, DIAG_UNKNOWN, "is running");
}

static void test_stopped(void **state)
{
	static const struct {
		enum diag_stop stop;
		enum diag_cause cause;
	} rows[] = {
		{DIAG_STOP_REQUEST, DIAG_CANCELLED},
		{DIAG_STOP_USER, DIAG_CANCELLED},
		{DIAG_STOP_NONE, DIAG_CANCELLED},
		{DIAG_STOP_TIME_LIMIT, DIAG_TIME_LIMIT},
		{DIAG_STOP_CPU_LIMIT, DIAG_CPU_LIMIT},
		{DIAG_STOP_MEMORY_LIMIT, DIAG_MEMORY_LIMIT},
		{DIAG_STOP_ALLOCATION, DIAG_ALLOCATION_FAILED},
		{DIAG_STOP_SCHEDULER, DIAG_PREEMPTED},
		{DIAG_STOP_HANG, DIAG_HUNG},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct diag_facts f = {
			.how = DIAG_STOPPED, .stop = rows[i].stop, .image = 7, .exit_code = 75};

		expect_says(&f, rows[i].cause, "image 7");
		assert_int_equal(diag_stop_of(diag_stop_name(rows[i].stop)), rows[i].stop);
	}
}

static void test_stopped_allocation(void **state)
{
	struct diag_facts f = {
		.how = DIAG_STOPPED, .stop = DIAG_STOP_ALLOCATION, .wanted_bytes = 3 * GIB};

	f.limit[DIAG_LIMIT_AS] = (struct diag_limit){true, 2 * GIB, 2 * GIB};
	expect_says(&f, DIAG_ALLOCATION_FAILED, "3.0 GiB");
	assert_true(says("ulimit -v) is 2.0 GiB"));
}

static void test_lost(void **state)
{
	struct diag_facts f = {.how = DIAG_LOST,
		.host = "n1",
		.boot_id = "a",
		.seen_host = "n1",
		.seen_boot_id = "a",
		.image = 4};

	expect_says(&f, DIAG_PREEMPTED, "image 4");
	strcpy(f.seen_boot_id, "b");
	expect_says(&f, DIAG_NODE_LOST, "started anew");
	strcpy(f.seen_host, "n2");
	expect_says(&f, DIAG_NODE_LOST, "seen from n2");
	f.time_end_ns = NOW;
	f.ended_ns = NOW - 20 * NS_PER_SEC; /* last sign of life */
	expect(&f, DIAG_TIME_LIMIT);
	f.memory.oom_kills_after = 1;
	expect(&f, DIAG_OOM_KILLED);
}

static void test_limits(void **state)
{
	struct diag_facts f = killed(SIGXCPU);

	expect(&f, DIAG_CPU_LIMIT);
	f = killed(SIGKILL);
	f.limit[DIAG_LIMIT_CPU] = (struct diag_limit){true, 60, 60};
	f.cpu_ns = 60 * NS_PER_SEC;
	expect_says(&f, DIAG_CPU_LIMIT, "ulimit -t");
	f.cpu_ns = 20 * NS_PER_SEC;
	expect(&f, DIAG_PREEMPTED);
	f.limit[DIAG_LIMIT_CPU].hard = DIAG_UNLIMITED;
	f.cpu_ns = 3600 * NS_PER_SEC;
	expect(&f, DIAG_PREEMPTED);
	f = killed(SIGXFSZ);
	expect_says(&f, DIAG_FILE_SIZE_LIMIT, "ulimit -f");
	f = exited(1, "dd: error writing 'x': File too large\n");
	expect_says(&f, DIAG_FILE_SIZE_LIMIT, "dd: error writing");
	f = exited(128 + SIGXFSZ, "");
	expect(&f, DIAG_FILE_SIZE_LIMIT);
}

static void test_oom(void **state)
{
	struct diag_facts f = killed(SIGKILL);

	expect_says(&f, DIAG_PREEMPTED, "memory was not short");
	f.memory.oom_kills_before = 3;
	f.memory.oom_kills_after = 3;
	expect(&f, DIAG_PREEMPTED);
	f.memory.oom_kills_after = 4;
	expect_says(&f, DIAG_OOM_KILLED, "3 killed before, 4 after");
	f = exited(137, "");
	expect_says(&f, DIAG_PREEMPTED, "whose child was killed by SIGKILL");
	strcpy(f.kernel_oom, "Out of memory: Killed process 12 (a.out)");
	expect_says(&f, DIAG_OOM_KILLED, "Killed process 12");
	f = exited(1, "make: *** [all] Error 1\n"); /* cc1 was killed, gcc said so */
	f.memory.oom_kills_after = 1;
	expect(&f, DIAG_OOM_KILLED);
}

static void test_oom_by_memory(void **state)
{
	struct diag_facts f = killed(SIGKILL);

	f.memory.total = 64 * GIB;
	f.memory.available = GIB;
	expect_says(&f, DIAG_OOM_KILLED, "nobody is known to have sent it");
	f.memory.swap_total = 8 * GIB;
	f.memory.swap_free = 7 * GIB;
	expect(&f, DIAG_PREEMPTED);
	f.memory.cgroup_limit = 4 * GIB;
	f.memory.cgroup_current = 4 * GIB - MIB;
	expect(&f, DIAG_OOM_KILLED);
	/* Slurm asks before it kills: that is not for lack of memory. */
	add_request(&f, SIGTERM, 900, 0, false);
	expect(&f, DIAG_PREEMPTED);
}

static void test_time_limit(void **state)
{
	struct diag_facts f = killed(SIGTERM);

	strcpy(f.scheduler, "slurm");
	f.time_end_ns = NOW + 30 * NS_PER_SEC;
	expect_says(&f, DIAG_TIME_LIMIT, "before the end of its time limit of slurm");
	f.signal = SIGKILL;
	f.time_end_ns = NOW - 30 * NS_PER_SEC;
	expect(&f, DIAG_TIME_LIMIT);
	f.time_end_ns = NOW + 7200 * NS_PER_SEC;
	expect(&f, DIAG_PREEMPTED);
	f = killed(SIGSEGV);
	f.time_end_ns = NOW;
	expect(&f, DIAG_CRASH);
}

static void test_requests(void **state)
{
	struct diag_facts f = killed(SIGINT);

	expect_says(&f, DIAG_CANCELLED, "not through Cragon");
	add_request(&f, SIGINT, 0, 0, true);
	expect_says(&f, DIAG_CANCELLED, "from the terminal");
	f = killed(SIGTERM);
	add_request(&f, SIGTERM, 4711, 1000, false);
	expect_says(&f, DIAG_CANCELLED, "process 4711 of user 1000");
	f = killed(SIGHUP);
	expect(&f, DIAG_CANCELLED);
	f = exited(143, "");
	expect(&f, DIAG_CANCELLED);
	/* It handled the signal and ended with a code of its own. */
	f = exited(1, "interrupted\n");
	add_request(&f, SIGTERM, 4711, 1000, false);
	expect(&f, DIAG_CANCELLED);
	f.signals[0].time_ns = NOW - 3600 * NS_PER_SEC;
	expect(&f, DIAG_EXIT_NONZERO);
	f = exited(0, "");
	add_request(&f, SIGTERM, 4711, 1000, false);
	expect(&f, DIAG_DONE);
}

static void test_requests_of_system(void **state)
{
	struct diag_facts f = killed(SIGTERM);

	add_request(&f, SIGTERM, 1, 0, false);
	expect_says(&f, DIAG_PREEMPTED, "shuts the machine down");
	f = killed(SIGTERM);
	strcpy(f.scheduler, "slurm");
	expect_says(&f, DIAG_PREEMPTED, "under slurm");
	add_request(&f, SIGTERM, 900, 0, false);
	expect(&f, DIAG_PREEMPTED);
	add_request(&f, SIGTERM, 4711, 1000, false); /* kill, by hand */
	expect(&f, DIAG_CANCELLED);
}

static void test_allocation(void **state)
{
	static const char *const texts[] = {
		"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  "
		"std::bad_alloc\n",
		"Traceback (most recent call last):\n  File \"x.py\", line 1\nMemoryError\n",
		"numpy.core._exceptions._ArrayMemoryError: Unable to allocate 80.0 GiB for an "
		"array\n",
		"sort: cannot mmap: Cannot allocate memory\n",
		"Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat "
		"A.b\n",
		"fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw\n",
		"Error in allocation: Allocation would exceed memory limit\nError termination.\n",
		"Error: cannot allocate vector of size 7.5 Gb\nExecution halted\n",
		"memory allocation of 80000000000 bytes failed\n",
		"xmalloc: out of memory\n",
	};
	struct diag_facts f;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		f = exited(1, texts[i]);
		expect_says(&f, DIAG_ALLOCATION_FAILED, "standard error: ");
		f = killed(SIGABRT);
		diag_set_stderr(&f, texts[i], strlen(texts[i]));
		expect(&f, DIAG_ALLOCATION_FAILED);
	}
	f = exited(1, texts[4]);
	expect_says(&f, DIAG_ALLOCATION_FAILED, "-Xmx");
}

static void test_allocation_calls(void **state)
{
	struct diag_call call = {"malloc", 2 * GIB, ENOMEM, false, NOW - NS_PER_SEC};
	struct diag_facts f = exited(1, "giving up\n");

	diag_add_call(&f, &call);
	expect_says(&f, DIAG_ALLOCATION_FAILED, "malloc of 2.0 GiB failed");
	f = exited(1, "cp: error writing 'b': No space left on device\n");
	diag_add_call(&f, &call);
	expect(&f, DIAG_DISK_FULL);
	/* What malloc returned was used without a look. */
	f = killed(SIGSEGV);
	diag_add_call(&f, &call);
	f.crash = (struct diag_crash){
		.signal = SIGSEGV, .code = SEGV_MAPERR, .access = 'w', .place = PLACE_NULL};
	expect_says(&f, DIAG_ALLOCATION_FAILED, "writing address 0x0 (a null pointer)");
	f.crash.place = PLACE_WILD;
	f.crash.address = 0xdeadbeef;
	expect(&f, DIAG_CRASH);
	/* Long ago, and dealt with. */
	f = exited(1, "bad input\n");
	call.time_ns = NOW - 600 * NS_PER_SEC;
	diag_add_call(&f, &call);
	expect(&f, DIAG_EXIT_NONZERO);
	f = exited(0, "");
	call.time_ns = NOW;
	diag_add_call(&f, &call);
	expect(&f, DIAG_DONE);
}

static void test_calls_are_bounded(void **state)
{
	struct diag_facts f = exited(1, "");

	for (uint64_t i = 0; i < 10; i++) {
		diag_add_call(&f, &(struct diag_call){"malloc", i, ENOMEM, false, NOW});
		diag_add_signal(&f, &(struct diag_signal){SIGUSR2, (pid_t)i, 0, false, NOW});
	}
	assert_int_equal(f.n_calls, DIAG_CALLS_MAX);
	assert_int_equal(f.calls[DIAG_CALLS_MAX - 1].bytes, 9);
	assert_int_equal(f.failed_calls, 10);
	assert_int_equal(f.n_signals, DIAG_SIGNALS_MAX);
	assert_int_equal(f.signals[0].pid, 6);
}

static void test_disk(void **state)
{
	struct diag_facts f = exited(1, "cp: error writing 'b': No space left on device\n");

	expect(&f, DIAG_DISK_FULL);
	f = exited(1, "tar: x: Cannot write: Disk quota exceeded\n");
	expect_says(&f, DIAG_DISK_FULL, "quota");
	f = exited(2, "giving up\n");
	add_disk(&f, 0, 1000);
	expect_says(&f, DIAG_DISK_FULL, "/data/job");
	f = exited(2, "giving up\n");
	add_disk(&f, 50 * GIB, 0);
	expect_says(&f, DIAG_DISK_FULL, "inodes");
	f = exited(2, "giving up\n");
	add_disk(&f, 50 * GIB, 1000);
	expect(&f, DIAG_EXIT_NONZERO);
	f = exited(1, "./a.out: error while loading shared libraries: libx.so: cannot open shared "
		      "object file: No such file or directory\n");
	add_disk(&f, 0, 1000);
	expect(&f, DIAG_MISSING);
	f = killed(SIGBUS);
	add_disk(&f, 0, 1000);
	expect(&f, DIAG_DISK_FULL);
	f.crash = (struct diag_crash){.signal = SIGBUS, .code = 2, .target_beyond = 5};
	expect_says(&f, DIAG_CRASH, "beyond the end");
}

static void test_missing(void **state)
{
	static const char *const texts[] = {
		"./a: error while loading shared libraries: libgsl.so.27: cannot open shared "
		"object file: "
		"No such file or directory\n",
		"ModuleNotFoundError: No module named 'scipy'\n",
		"bash: line 1: solve: command not found\n",
		"sh: 1: solve: not found\n",
		"./a.out: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found "
		"(required by "
		"./a.out)\n",
		"cat: input.dat: No such file or directory\n",
		"Error in library(lme4) : there is no package called 'lme4'\n",
	};
	struct diag_facts f;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		f = exited(1, texts[i]);
		expect_says(&f, DIAG_MISSING, "standard error: ");
	}
	f = exited(127, "");
	expect_says(&f, DIAG_MISSING, "127");
	/* Said long before the end, and survived. */
	f = exited(
		1, "cat: a: No such file or directory\n1\n2\n3\n4\n5\nresidual is not a number\n");
	expect(&f, DIAG_EXIT_NONZERO);
}

static void test_kernel_log(void **state)
{
	struct diag_facts f = killed(SIGKILL);

	strcpy(f.program, "a.out");
	f.pid = 12;
	kernel_log_record(&f, 5 * NS_PER_SEC,
		"3,1,6000000,-;Out of memory: Killed process 99 (other) total-vm:1kB\n SUB=x\n");
	kernel_log_record(
		&f, 5 * NS_PER_SEC, "3,1,4000000,-;Out of memory: Killed process 12 (a.out)");
	kernel_log_record(&f, 5 * NS_PER_SEC, "garbage");
	kernel_log_record(&f, 5 * NS_PER_SEC, "3,1,x,-;Killed process");
	assert_string_equal(f.kernel_oom, "");
	kernel_log_record(&f, 5 * NS_PER_SEC,
		"3,1,6000000,-;Memory cgroup out of memory: Killed process 12 (b) total-vm:1kB\n "
		"SUB=x\n");
	assert_string_equal(
		f.kernel_oom, "Memory cgroup out of memory: Killed process 12 (b) total-vm:1kB");
	expect(&f, DIAG_OOM_KILLED);
	kernel_log_record(
		&f, 0, "6,2,7,-;a.out[77]: segfault at 0 ip 40 sp 7f error 4 in a.out[4+1]\n");
	assert_non_null(strstr(f.kernel_fault, "segfault at 0"));
	f.signal = SIGSEGV;
	expect_says(&f, DIAG_CRASH, "kernel: a.out[77]");
	strcpy(f.kernel_fault,
		"a.out[7]: segfault at 7ffe000ff8 ip 401670 sp 7ffe001000 error 6 in a.out[1]");
	expect_says(&f, DIAG_CRASH, "writing address 0x7ffe000ff8 (right below the stack");
	strcpy(f.kernel_fault,
		"a.out[7]: segfault at 0 ip 401670 sp 7ffe001000 error 4 in a.out[1]");
	expect_says(&f, DIAG_CRASH, "reading address 0x0 (a null pointer)");
	f.kernel_fault[0] = 0;
	kernel_log_record(&f, 0, "6,2,7,-;traps: b.out[78] trap divide error\n");
	assert_string_equal(f.kernel_fault, "");
}

/* A process of the job that died, and the job went on. */
static void test_other_crash(void **state)
{
	struct diag_facts f = exited(1, "a worker failed\n");

	f.crash = (struct diag_crash){.signal = SIGSEGV,
		.code = 1,
		.pid = 7,
		.place = PLACE_NULL,
		.access = 'r',
		.time_ns = NOW - NS_PER_SEC};
	expect_says(&f, DIAG_EXIT_NONZERO, "process 7 of the job had died of SIGSEGV");
	assert_true(says("a null pointer"));
	f.crash.time_ns = NOW - 3600 * NS_PER_SEC;
	expect(&f, DIAG_EXIT_NONZERO);
	assert_false(says("had died"));
	f = exited(0, "");
	f.crash.signal = SIGSEGV;
	expect(&f, DIAG_DONE);
	f = killed(SIGILL);
	f.crash = (struct diag_crash){.signal = SIGSEGV, .feature = "AVX2"};
	expect(&f, DIAG_CRASH);
}

static void test_abort(void **state)
{
	struct diag_facts f = killed(SIGABRT);
	const char *text = "a.out: x.c:9: main: Assertion `n > 0' failed.\nAborted\n";

	expect(&f, DIAG_ABORT);
	diag_set_stderr(&f, text, strlen(text));
	expect_says(&f, DIAG_ABORT, "Assertion `n > 0' failed");
	f = killed(SIGABRT);
	f.crash = (struct diag_crash){.signal = SIGABRT, .message = "free(): invalid pointer"};
	expect_says(&f, DIAG_ABORT, "free(): invalid pointer");
	f = exited(134, text);
	expect(&f, DIAG_ABORT);
}

static void test_cpu_feature(void **state)
{
	struct diag_facts f = killed(SIGILL);

	expect(&f, DIAG_CRASH);
	f.crash = (struct diag_crash){.signal = SIGILL,
		.code = ILL_ILLOPN,
		.bytes = {0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1},
		.n_bytes = 6,
		.feature = "AVX-512",
		.feature_lacking = true};
	expect_says(&f, DIAG_CPU_FEATURE, "62 f1 7c 48 58 c1");
	assert_true(says("AVX-512, which this processor does not have"));
	assert_true(says("Zen 4"));
	f.crash.feature[0] = 0;
	expect(&f, DIAG_CRASH);
	f = exited(127, "Fatal glibc error: CPU does not support x86-64-v3\n");
	expect(&f, DIAG_CPU_FEATURE);
}

static void test_crashes(void **state)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
	struct diag_facts f;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		f = killed(signals[i]);
		expect(&f, DIAG_CRASH);
		f = exited(128 + signals[i], "");
		expect_says(&f, DIAG_CRASH, "child was killed");
	}
	f = killed(SIGSEGV);
	strcpy(f.kernel_fault, "a.out[12]: segfault at 0 ip 401136 error 4 in a.out[401000+1000]");
	expect_says(&f, DIAG_CRASH, "segfault at 0");
	f = killed(SIGFPE);
	f.crash = (struct diag_crash){.signal = SIGFPE,
		.code = FPE_INTDIV,
		.module = "/x/a.out",
		.offset = 0x1136,
		.function = "mean",
		.line = "stats.c:12"};
	expect_says(&f, DIAG_CRASH, "integer division by zero");
	assert_true(says("in mean stats.c:12, /x/a.out+0x1136"));
}

/* ---- records of crashes ------------------------------------------------------------- */

#define MAPS                                                         \
	"00400000-00401000 r--p 00000000 08:01 77 /x/a.out\n"        \
	"00401000-00402000 r-xp 00001000 08:01 77 /x/a.out\n"        \
	"00403000-00404000 rw-p 00003000 08:01 77 /x/a.out\n"        \
	"7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"         \
	"7f0000001000-7f0000801000 rw-p 00000000 00:00 0 \n"         \
	"7f1000000000-7f1000001000 rw-s 00000000 08:01 78 /x/data\n" \
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n"

static void parse(const char *head, struct diag_crash *ret)
{
	struct crash_file module, target;
	char text[4096];

	snprintf(text, sizeof text, "%sip 0x401136\npid 5\n\n" MAPS, head);
	assert_int_equal(crash_parse(text, ret, &module, &target), 0);
}

static void parse_fault(
	const char *address, const char *sp, const char *error, struct diag_crash *ret)
{
	char head[300];

	snprintf(head, sizeof head, "signal 11\ncode 1\naddress %s\nsp %s\nerror %s\ntrap 0xe\n",
		address, sp, error);
	parse(head, ret);
}

static void test_record(void **state)
{
	struct diag_crash c;

	parse("signal 11\ncode 1\naddress 0x0\nsp 0x7ffc00020f00\nerror 0x6\ntrap 0xe\ntime "
	      "1700000000\ncode-bytes 8b 00 c3\n",
		&c);
	assert_int_equal(c.place, PLACE_NULL);
	assert_int_equal(c.access, 'w');
	assert_string_equal(c.module, "/x/a.out");
	assert_int_equal(c.offset, 0x1136);
	assert_int_equal(c.time_ns, NOW);
	assert_int_equal(c.pid, 5);
	assert_int_equal(c.n_bytes, 3);
	assert_int_equal(c.bytes[0], 0x8b);
}

static void test_record_places(void **state)
{
	struct diag_crash c;

	parse_fault("0xdead00000", "0x7ffc00020f00", "0x4", &c);
	assert_int_equal(c.place, PLACE_WILD);
	assert_int_equal(c.access, 'r');
	parse_fault("0x7ffbfffffff8", "0x7ffc00000000", "0x6", &c);
	assert_int_equal(c.place, PLACE_STACK);
	/* A thread's: in the guard page. */
	parse_fault("0x7f0000000ff8", "0x7f0000001000", "0x6", &c);
	assert_int_equal(c.place, PLACE_STACK);
	/* A big array below the stack pointer of the main thread, far away: wild. */
	parse_fault("0x7ffb00000000", "0x7ffc00020f00", "0x6", &c);
	assert_int_equal(c.place, PLACE_WILD);
	parse_fault("0x401800", "0x7ffc00020f00", "0x7", &c);
	assert_int_equal(c.place, PLACE_MAPPED);
	assert_string_equal(c.target, "/x/a.out");
	assert_string_equal(c.target_mode, "r-x");
	parse_fault("0x403010", "0x7ffc00020f00", "0x15", &c);
	assert_int_equal(c.access, 'x');
	parse("signal 11\ncode 128\naddress 0x0\n", &c);
	assert_int_equal(c.place, PLACE_NOT_CANONICAL);
	parse("signal 8\ncode 1\naddress 0x401136\n", &c);
	assert_int_equal(c.place, PLACE_UNKNOWN);
	parse("signal 11\ncode 0\nsender 9\n", &c);
	assert_int_equal(c.place, PLACE_UNKNOWN);
	assert_int_equal(c.sender, 9);
}

static void test_record_garbage(void **state)
{
	static const char *const texts[] = {"", "\n", "\n\n\n", "signal", "signal x\n",
		"signal 999\n\n", "hello world\n\n12-zz\n", "signal 0\n"};
	struct crash_file module, target;
	struct diag_crash c;
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		strcpy(text, texts[i]);
		assert_int_equal(crash_parse(text, &c, &module, &target), -EPROTO);
	}
	strcpy(text, "signal 11\ncode-bytes zz\n\ngarbage\nmore");
	assert_int_equal(crash_parse(text, &c, &module, &target), 0);
	strcpy(text, "signal 6\nabort-message a\x01\xff"
		     "b\n");
	assert_int_equal(crash_parse(text, &c, &module, &target), 0);
	assert_string_equal(c.message, "a??b");
}

static void test_instructions(void **state)
{
	static const struct {
		const char *feature;
		uint8_t code[16];
	} rows[] = {
		{"AVX-512", {0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1}},
		{"AMX", {0xc4, 0xe2, 0x78, 0x49, 0xc0}},
		{"SHA", {0x0f, 0x38, 0xcb, 0xc1}},
		{"MOVBE", {0x48, 0x0f, 0x38, 0xf0, 0x07}},
		{"", {0x0f, 0x0b}},
		{"", {0x90, 0x90, 0x90, 0x90}},
	};
	bool lacking;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(
			insn_feature(rows[i].code, sizeof rows[i].code, &lacking), rows[i].feature);
	/* Which of these depends on the processor; all are VEX. */
	assert_true(*insn_feature((const uint8_t *)"\xc5\xfd\xfe\xc1", 4, &lacking));
	assert_true(*insn_feature((const uint8_t *)"\xc4\xe2\xfb\xf6\xc1", 5, &lacking));
	assert_string_equal(insn_feature((const uint8_t *)"\x0f", 1, &lacking), "");
	assert_string_equal(insn_feature((const uint8_t *)"\x66\x66", 2, &lacking), "");
	assert_string_equal(insn_feature(NULL, 0, &lacking), "");
	assert_true(insn_is_trap((const uint8_t *)"\x0f\x0b", 2));
}

__attribute__((noinline)) static int somewhere(int n)
{
	return printf("# %d\n", n);
}

/* The place of a function of this very program. */
static void test_symbol(void **state)
{
	cleanup_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
		       none = memfd_create("x", 0);
	cleanup_buf struct buf maps = {0};
	uintptr_t at = (uintptr_t)somewhere + 4;
	unsigned long start, end, offset = 0;
	char function[64] = "", line[256] = "";

	assert_true(somewhere(1) > 0);
	assert_int_equal(io_slurp_at(AT_FDCWD, "/proc/self/maps", &maps, 16 * MIB), 0);
	for (char *text = maps.data, *l; (l = strsep(&text, "\n"));)
		if (sscanf(l, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && at >= start &&
			at < end)
			break;
	symbol_find(fd, at - start + offset, function, sizeof function, line, sizeof line);
	assert_string_equal(function, "somewhere");
	assert_non_null(strstr(line, "test_diag.c:"));
	*function = *line = 0;
	symbol_find(none, 0, function, sizeof function, line, sizeof line);
	assert_string_equal(function, "");
}

/* ---- JSON ----------------------------------------------------------------------------- */

static void fill(struct diag_facts *f)
{
	*f = exited(9, "a\nb\xc3\xa9\n");
	f->stop = DIAG_STOP_HANG;
	f->image = 5;
	f->cpu_ns = 77;
	strcpy(f->host, "n1");
	f->limit[DIAG_LIMIT_FSIZE] = (struct diag_limit){true, 0, DIAG_UNLIMITED};
	f->memory.job_peak = 123;
	add_request(f, SIGTERM, 12, 1000, true);
	diag_add_call(f, &(struct diag_call){"mmap", 4096, ENOMEM, true, NOW});
	add_disk(f, 0, 3);
	f->crash = (struct diag_crash){.signal = SIGSEGV,
		.code = 1,
		.address = 0xffffffffff600000,
		.access = 'r',
		.place = PLACE_STACK,
		.bytes = {1, 2, 255},
		.n_bytes = 3,
		.function = "f"};
}

static void test_facts_json(void **state)
{
	struct diag_facts *f = calloc(1, sizeof *f), *g = calloc(1, sizeof *g);
	char *a, *b;
	json_t *o;

	fill(f);
	o = diag_facts_to_json(f);
	a = json_dumps(o, 0);
	diag_facts_from_json(o, g);
	json_decref(o);
	assert_memory_equal(&f->crash, &g->crash, sizeof f->crash);
	assert_memory_equal(f->limit, g->limit, sizeof f->limit);
	assert_int_equal(g->signals[0].pid, 12);
	assert_int_equal(g->disks[0].free_inodes, 3);
	assert_string_equal(g->stderr_tail, "a\nb\xc3\xa9\n");
	o = diag_facts_to_json(g);
	b = json_dumps(o, 0);
	assert_string_equal(a, b);
	json_decref(o);
	free(a);
	free(b);
	free(f);
	free(g);
}

static void test_facts_json_garbage(void **state)
{
	static const char *const texts[] = {"null", "[]", "{}", "3",
		"{\"how\": 3, \"exit_code\": \"x\", \"limits\": [1], \"calls\": {\"a\": 1}, "
		"\"memory\": [], \"crash\": 7, \"stderr_tail\": {}}",
		"{\"how\": \"nonsense\", \"exit_code\": 99999999999, \"calls\": [1, 2, 3, 4, 5, 6, "
		"7], "
		"\"limits\": {\"as\": [-1, 2], \"cpu\": [1]}, \"crash\": {\"bytes\": "
		"\"00112233445566778899aabbccddeeff0011\", \"address\": \"0xzz\", \"access\": "
		"\"\"}}"};
	struct diag_facts *f = malloc(sizeof *f);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *o = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_non_null(o);
		diag_facts_from_json(o, f);
		assert_int_equal(f->how, DIAG_RUNNING);
		assert_int_equal(f->exit_code, 0);
		assert_false(f->limit[DIAG_LIMIT_AS].known || f->limit[DIAG_LIMIT_CPU].known);
		assert_true(f->n_calls <= DIAG_CALLS_MAX);
		diag_evaluate(f, &last);
		json_decref(o);
	}
	diag_facts_from_json(NULL, f);
	free(f);
}

static void test_diagnosis_json(void **state)
{
	struct diag_facts f = exited(1, "x\x1b[31m\xff No space left on device\n");
	cleanup_buf struct buf b = {0};
	struct diagnosis d = {0};
	json_t *o;

	diag_evaluate(&f, &last);
	o = diag_to_json(&last);
	assert_int_equal(json_array_size(json_object_get(o, "evidence")), last.n_evidence);
	assert_int_equal(diag_from_json(o, &d), 0);
	assert_memory_equal(&d, &last, sizeof d);
	json_decref(o);
	assert_int_equal(diag_from_json(NULL, &d), -EPROTO);
	diag_print(&d, &b);
	assert_non_null(strstr(b.data, "cause:    disk-full"));
	assert_null(strchr(b.data, 27));
}

/* Only the last 4 KiB, from the beginning of a line on. */
static void test_stderr(void **state)
{
	static char text[20000];
	struct diag_facts f;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 10 == 9 ? '\n' : 'x';
	f = (struct diag_facts){0};
	diag_set_stderr(&f, text, sizeof text);
	assert_true(strlen(f.stderr_tail) > 4000);
	assert_int_equal(f.stderr_tail[0], 'x');
	assert_int_equal(strchr(f.stderr_tail, '\n') - f.stderr_tail, 9);
	diag_set_stderr(&f, "", 0);
}

/* ---- attempts without facts ------------------------------------------------------------- */

static void put_file(int dirfd, const char *name, const char *text)
{
	assert_int_equal(io_publish_at(dirfd, name, text, strlen(text)), 0);
}

static json_t *lost_attempt(const char *host, const char *boot)
{
	return json_pack("{s:s, s:n, s:s, s:s, s:i, s:[i, i]}", "started",
		"2026-11-23T18:52:15.344120+00:00", "ended", "host", host, "boot_id", boot, "pid",
		999999999, "checkpoints", 3, 4);
}

static void test_history(void **state)
{
	char path[] = "/tmp/cragon-diag.XXXXXX", command[64];
	struct diag_facts *here = calloc(1, sizeof *here);
	cleanup_fd int dir = -1;
	json_t *a;

	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	collect_machine(here);
	a = lost_attempt(here->seen_host, here->seen_boot_id);
	history_diagnose(a, dir, path, false, &last);
	assert_int_equal(last.cause, DIAG_PREEMPTED);
	assert_true(says("image 4"));
	history_diagnose(a, dir, path, true, &last);
	assert_int_equal(last.cause, DIAG_UNKNOWN);
	/* What the last sample said of memory. */
	put_file(dir, "system_metrics.csv",
		"time,attempt,memory_total_bytes,memory_available_bytes,job_rss_bytes\r\n"
		"2026-11-23T18:52:16+00:00,1,64000000000,50000000000,9\r\n"
		"2026-11-23T18:52:17+00:00,1,64000000000,100000000,63000000000\r\n"
		"2026-11-23T18:52:18+0");
	history_diagnose(a, dir, path, false, &last);
	assert_int_equal(last.cause, DIAG_OOM_KILLED);
	json_decref(a);
	a = lost_attempt("elsewhere", "x");
	put_file(dir, "system_metrics.csv", "\n\n,,,\n");
	history_diagnose(a, dir, path, false, &last);
	assert_int_equal(last.cause, DIAG_NODE_LOST);
	/* What was stored then counts. */
	json_object_set_new(a, "diagnosis",
		json_pack("{s:s, s:b, s:[], s:s}", "cause", "hung", "recoverable", 0, "evidence",
			"remedy", "x"));
	history_diagnose(a, dir, path, false, &last);
	assert_int_equal(last.cause, DIAG_HUNG);
	json_decref(a);
	history_diagnose(NULL, dir, path, false, &last);
	snprintf(command, sizeof command, "rm -rf %s", path);
	assert_int_equal(system(command), 0);
	free(here);
}

/* ---- recovery -------------------------------------------------------------------------- */

static const uint64_t images[] = {9, 8, 7};

static struct recover_state ended(enum diag_cause cause)
{
	return (struct recover_state){
		.cause = cause,
		.recoverable = diag_cause_recoverable(cause),
		.retries_left = 3,
		.images = images,
		.n_images = 3,
		.from_image = 7,
	};
}

static void decide(const struct recover_state *s, enum recover_action action, uint64_t image)
{
	struct recover_choice c;

	recover_decide(s, &c);
	if (c.action != action || c.image != image)
		fail_msg("%d, image %lu: %s", c.action, (unsigned long)c.image, c.text);
	assert_true(c.text[0]);
}

static void test_recover(void **state)
{
	struct recover_state s = ended(DIAG_PREEMPTED);

	decide(&s, RECOVER_RESUME, 9);
	s.from_image = 9;
	decide(&s, RECOVER_STOP, 0);
	s.elsewhere = true;
	decide(&s, RECOVER_RESUME, 9);
	s.retries_left = 0;
	decide(&s, RECOVER_STOP, 0);
	s = ended(DIAG_PREEMPTED);
	s.n_images = 0;
	decide(&s, RECOVER_GIVE_UP, 0);
	s = ended(DIAG_NODE_LOST);
	decide(&s, RECOVER_RESUME, 9);
}

static void test_recover_needs(void **state)
{
	static const enum diag_cause memory[] = {
		DIAG_ALLOCATION_FAILED, DIAG_OOM_KILLED, DIAG_MEMORY_LIMIT};
	struct recover_state s;

	for (size_t i = 0; i < ARRAY_LEN(memory); i++) {
		s = ended(memory[i]);
		s.space_back = s.more_time = true;
		decide(&s, RECOVER_STOP, 0);
		s.more_memory = true;
		decide(&s, RECOVER_RESUME, 9);
	}
	s = ended(DIAG_TIME_LIMIT);
	decide(&s, RECOVER_STOP, 0);
	s.more_time = true;
	decide(&s, RECOVER_RESUME, 9);
	s = ended(DIAG_DISK_FULL);
	decide(&s, RECOVER_STOP, 0);
	s.space_back = true;
	decide(&s, RECOVER_RESUME, 9);
}

static void test_recover_not(void **state)
{
	for (int i = 0; i < DIAG_CAUSE_COUNT; i++) {
		struct recover_state s = ended((enum diag_cause)i);

		s.more_memory = s.more_time = s.space_back = true;
		decide(&s, s.recoverable ? RECOVER_RESUME : RECOVER_GIVE_UP, s.recoverable ? 9 : 0);
		s.stopped = true;
		if (!s.recoverable)
			decide(&s, RECOVER_STOP, 0);
	}
}

static void test_recover_same_place(void **state)
{
	struct diag_crash a = {.signal = SIGSEGV, .module = "/x/a", .offset = 5}, b = a;
	struct recover_state s = ended(DIAG_PREEMPTED);

	assert_true(recover_same_place(&a, &b));
	b.offset = 6;
	assert_false(recover_same_place(&a, &b));
	assert_false(recover_same_place(&(struct diag_crash){0}, &(struct diag_crash){0}));
	s.same_place = true;
	decide(&s, RECOVER_RESUME, 8);
	s.went_back = true;
	decide(&s, RECOVER_STOP, 0);
	s.went_back = false;
	s.n_images = 1;
	decide(&s, RECOVER_STOP, 0);
	s = ended(DIAG_HUNG);
	s.stopped = true;
	decide(&s, RECOVER_STOP, 0);
	s.retry_hung = true;
	decide(&s, RECOVER_RESUME, 8);
	s.n_images = 1;
	decide(&s, RECOVER_RESUME, 9);
	s.from_image = 9;
	decide(&s, RECOVER_STOP, 0);
	s.n_images = 0;
	decide(&s, RECOVER_GIVE_UP, 0);
}

static void test_forecast(void **state)
{
	struct forecast f;
	json_t *o;

	assert_int_equal(forecast_memory(0, 1, 1, 0, 0, &f), -ENODATA);
	assert_int_equal(forecast_memory(1000 * MIB, 0, NS_PER_SEC, 0, 0, &f), 0);
	assert_int_equal(f.next_bytes, 1280 * MIB); /* 1200, in steps of 256 from 1 GiB on */
	assert_int_equal(forecast_memory(1000 * MIB, MIB, 500 * NS_PER_SEC, 0, 0, &f), 0);
	assert_int_equal(f.next_bytes, 2048 * MIB); /* (1000 + 500) × 1.2 = 1800 */
	assert_int_equal(forecast_memory(100 * MIB, MIB, 500 * NS_PER_SEC, NS_PER_SEC, 0, &f), 0);
	assert_int_equal(f.next_bytes, 128 * MIB);
	assert_int_equal(forecast_memory(100 * MIB, GIB, 7200 * NS_PER_SEC, 0, 0, &f), 0);
	assert_int_equal(f.next_bytes, 256 * MIB);
	assert_int_equal(forecast_memory(100 * MIB, 0, NS_PER_SEC, 0, 900 * MIB, &f), 0);
	assert_int_equal(f.next_bytes, 1280 * MIB);
	assert_int_equal(forecast_memory(UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, UINT64_MAX, &f), 0);
	o = forecast_to_json(&f);
	assert_true(json_integer_value(json_object_get(o, "next_bytes")) > 0);
	assert_true(json_is_string(json_object_get(o, "text")));
	json_decref(o);
}

static void test_forecast_of(void **state)
{
	struct diag_facts f = killed(SIGKILL);
	struct forecast r;

	f.memory = (struct diag_memory){
		.job_peak = 41 * MIB, .cgroup_limit = 128 * MIB, .total = 64 * GIB};
	assert_int_equal(forecast_of(&f, DIAG_CRASH, &r), -ENODATA);
	assert_int_equal(forecast_of(&f, DIAG_OOM_KILLED, &r), 0);
	assert_int_equal(r.next_bytes, 192 * MIB);
	/* The heap of a JVM: no limit of ours. */
	assert_int_equal(forecast_of(&f, DIAG_ALLOCATION_FAILED, &r), -ENODATA);
	f.limit[DIAG_LIMIT_AS] = (struct diag_limit){true, 2 * GIB, DIAG_UNLIMITED};
	diag_add_call(&f, &(struct diag_call){"malloc", 3 * GIB, ENOMEM, false, NOW});
	assert_int_equal(forecast_of(&f, DIAG_ALLOCATION_FAILED, &r), 0);
	assert_int_equal(r.next_bytes, 6 * GIB);
	assert_int_equal(r.peak_bytes, 41 * MIB);
	assert_non_null(strstr(r.text, "ulimit"));
	f.limit[DIAG_LIMIT_AS].soft = DIAG_UNLIMITED;
	assert_int_equal(forecast_of(&f, DIAG_ALLOCATION_FAILED, &r), 0);
	assert_int_equal(r.next_bytes, 3840 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_stopped_allocation),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_oom_by_memory),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_requests_of_system),
		cmocka_unit_test(test_allocation),
		cmocka_unit_test(test_allocation_calls),
		cmocka_unit_test(test_calls_are_bounded),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_kernel_log),
		cmocka_unit_test(test_other_crash),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_cpu_feature),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_places),
		cmocka_unit_test(test_record_garbage),
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_symbol),
		cmocka_unit_test(test_facts_json),
		cmocka_unit_test(test_facts_json_garbage),
		cmocka_unit_test(test_diagnosis_json),
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_recover_needs),
		cmocka_unit_test(test_recover_not),
		cmocka_unit_test(test_recover_same_place),
		cmocka_unit_test(test_forecast),
		cmocka_unit_test(test_forecast_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

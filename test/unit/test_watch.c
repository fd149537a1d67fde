/* When memory or patience runs out: the arithmetic of job/watch.c. */
#include "util.h"

#include "job/watch.h"

#define S NS_PER_SEC
#define GIB (1024 * MIB)

static struct memory_sample cgroup_at(uint64_t seconds, uint64_t used)
{
	return (struct memory_sample){
		.time_ns = seconds * S, .cgroup = {used, 4 * GIB}, .machine = {8 * GIB, 64 * GIB}};
}

static void test_no_limit(void **state)
{
	struct memory_watch w = {0};
	struct memory_sample s = {.time_ns = S};
	struct memory_verdict v = memory_watch_look(&w, &s);

	assert_false(v.stop);
	assert_int_equal(v.bound, BOUND_NONE);
	assert_true(v.look_again_ns == UINT64_MAX);
}

/* A steady job close below its limit is left alone, and not looked at more often. */
static void test_steady(void **state)
{
	struct memory_watch w = {0};

	for (uint64_t t = 1; t < 1000; t++) {
		struct memory_sample s = cgroup_at(t, 3700 * MIB);
		struct memory_verdict v = memory_watch_look(&w, &s);

		assert_false(v.stop);
		assert_int_equal(v.bound, BOUND_CGROUP);
		assert_true(v.look_again_ns == UINT64_MAX);
	}
}

/* Growing at any rate, looked at as often as asked for: stopped before the
 * limit, and not long before. */
static void test_growth(void **state)
{
	static const uint64_t rates[] = {1 * MIB, 50 * MIB, 300 * MIB, 900 * MIB};

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct memory_watch w = {0};
		uint64_t t = S, used = 0;
		struct memory_verdict v;

		for (;;) {
			struct memory_sample s = cgroup_at(0, used);

			s.time_ns = t;
			v = memory_watch_look(&w, &s);
			if (v.stop)
				break;
			assert_true(used < 4 * GIB);
			assert_true(v.look_again_ns >= WATCH_FASTEST_NS);
			v.look_again_ns = MIN(v.look_again_ns, S);
			t += v.look_again_ns;
			used += (uint64_t)((double)rates[i] * (double)v.look_again_ns / (double)S);
		}
		assert_int_equal(v.bound, BOUND_CGROUP);
		assert_true(used <= 4 * GIB - memory_watch_reserve(4 * GIB) / 2);
		assert_true(used >= 3 * GIB);
	}
}

static void test_memory_max(void **state)
{
	struct memory_watch w = {0};
	struct memory_sample s = cgroup_at(1, GIB);
	struct memory_verdict v;

	s.job = (struct memory_room){90 * MIB, 100 * MIB};
	v = memory_watch_look(&w, &s);
	assert_false(v.stop);
	s.time_ns += S;
	s.job.used_bytes = 99 * MIB; /* 9 MiB a second, 1 left */
	v = memory_watch_look(&w, &s);
	assert_int_equal(v.bound, BOUND_MEMORY_MAX);
	assert_false(v.stop);
	assert_true(v.look_again_ns < S / 10);
	assert_int_equal(v.growth_bytes_per_s / MIB, 9);
	s.time_ns += S / 20;
	s.job.used_bytes = 100 * MIB;
	assert_true(memory_watch_look(&w, &s).stop);
}

static void test_reserve(void **state)
{
	assert_int_equal(memory_watch_reserve(40 * MIB), 10 * MIB);
	assert_int_equal(memory_watch_reserve(200 * MIB), 16 * MIB);
	assert_int_equal(memory_watch_reserve(4 * GIB), 128 * MIB);
	assert_int_equal(memory_watch_reserve(1024 * GIB), 256 * MIB);
}

static void test_hang(void **state)
{
	struct hang_watch h = {0};

	assert_int_equal(hang_watch_look(&h, 1 * S, 0, 0), 0);
	assert_int_equal(hang_watch_look(&h, 11 * S, 0, 0), 10 * S);
	/* A tick of CPU time in a minute is a timer, not work. */
	assert_int_equal(hang_watch_look(&h, 61 * S, S / 100, 0), 60 * S);
	assert_int_equal(hang_watch_look(&h, 62 * S, S, 0), 0);
	assert_int_equal(hang_watch_look(&h, 70 * S, S, 0), 8 * S);
	assert_int_equal(hang_watch_look(&h, 71 * S, S, 4096), 0);
	hang_watch_pardon(&h, 5 * S, 2);
	assert_int_equal(hang_watch_look(&h, 81 * S, S + S / 100, 4096), 5 * S);
	assert_int_equal(hang_watch_look(&h, 82 * S, S + S / 10, 4096), 0);
	/* Children that ended may take their CPU time along. */
	assert_int_equal(hang_watch_look(&h, 90 * S, S / 2, 4096), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_memory_max),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

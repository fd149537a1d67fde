/* When checkpoints are due: the arithmetic of job/policy.c and the meaning of signals. */
#include "util.h"

#include "job/policy.h"
#include "job/signals.h"

#define S NS_PER_SEC

static uint64_t at(const struct policy *p, enum policy_step expected)
{
	uint64_t when = 0;

	assert_int_equal(policy_next(p, &when), expected);
	return when;
}

static void test_off(void **state)
{
	struct policy p = {.mode = INTERVAL_OFF, .started_ns = 5 * S};

	assert_true(policy_interval(&p) == POLICY_NEVER);
	assert_true(at(&p, POLICY_NOTHING) == POLICY_NEVER);
}

static void test_fixed(void **state)
{
	struct policy p = {.mode = INTERVAL_FIXED, .interval_ns = 10 * S, .started_ns = 100 * S};

	assert_true(at(&p, POLICY_PERIODIC) == 110 * S);
	/* Counted from the end of the last one, so that a slow disk leaves time to work. */
	p.last_end_ns = 125 * S;
	assert_true(at(&p, POLICY_PERIODIC) == 135 * S);
}

static void test_auto(void **state)
{
	struct policy p = {.mode = INTERVAL_AUTO, .started_ns = 1 * S};

	assert_true(at(&p, POLICY_PERIODIC) == 61 * S);
	p.pause_ns = 1000; /* next to nothing: every ten seconds at least */
	assert_true(policy_interval(&p) == 10 * S);
	p.pause_ns = 3 * S; /* sqrt(2 C M) is 1347 s */
	assert_in_range(policy_interval(&p) / S, 1300, 1400);
	p.pause_ns = 1000 * S;
	assert_true(policy_interval(&p) == 3600 * S);
	p.pause_ns = UINT64_MAX;
	assert_true(policy_interval(&p) == 3600 * S);
}

static void test_limit_only(void **state)
{
	struct policy p = {.mode = INTERVAL_OFF, .started_ns = 100 * S, .max_time_ns = 3600 * S};

	/* Nothing measured: 2 x 18 s, and for 1 GiB what it takes at 100 MiB a second. */
	assert_true(at(&p, POLICY_LAST) == 3700 * S - 36 * S);
	p.rss_bytes = 1000 * MIB;
	assert_true(at(&p, POLICY_LAST) == 3700 * S - 56 * S);
	p.duration_ns = 5 * S;
	assert_true(at(&p, POLICY_LAST) == 3700 * S - 28 * S);
	/* Twice the memory of that time. */
	p.memory_bytes = 500 * MIB;
	assert_true(at(&p, POLICY_LAST) == 3700 * S - 38 * S);
}

static void test_limit_shorter_than_reserve(void **state)
{
	struct policy p = {.mode = INTERVAL_OFF,
		.started_ns = 100 * S,
		.max_time_ns = 10 * S,
		.duration_ns = 60 * S};

	assert_true(at(&p, POLICY_LAST) == 105 * S);
	p.duration_ns = UINT64_MAX;
	assert_true(at(&p, POLICY_LAST) == 105 * S);
}

static void test_limit_always_before_the_end(void **state)
{
	for (uint64_t limit = 1; limit < 1000000 * S; limit = limit * 3 + 1)
		for (uint64_t duration = 0; duration < 10000 * S; duration = duration * 5 + 1) {
			struct policy p = {.mode = INTERVAL_OFF,
				.started_ns = 7 * S,
				.max_time_ns = limit,
				.duration_ns = duration};
			uint64_t when = at(&p, POLICY_LAST);

			assert_in_range(when, 7 * S, 7 * S + limit);
			if (limit > 4 * duration + 60 * S)
				assert_true(when + duration < 7 * S + limit);
		}
}

static void test_periodic_close_to_the_last(void **state)
{
	struct policy p = {.mode = INTERVAL_FIXED,
		.interval_ns = 100 * S,
		.started_ns = 0,
		.max_time_ns = 1000 * S,
		.duration_ns = 20 * S,
		.last_end_ns = 500 * S};

	assert_true(at(&p, POLICY_PERIODIC) == 600 * S);
	p.last_end_ns = 820 * S; /* 920 + 40 reaches into the reserve of 2 x 20 + 5 */
	assert_true(at(&p, POLICY_LAST) == 955 * S);
}

static void test_busy_is_tried_soon(void **state)
{
	struct policy p = {.mode = INTERVAL_FIXED,
		.interval_ns = 600 * S,
		.last_end_ns = 1000 * S,
		.failure = WHY_BUSY};

	assert_true(at(&p, POLICY_PERIODIC) == 1030 * S);
	p.interval_ns = S / 2;
	assert_true(at(&p, POLICY_PERIODIC) == 1000 * S + S / 2);
	p.failure = WHY_NO_SPACE;
	p.interval_ns = 600 * S;
	assert_true(at(&p, POLICY_PERIODIC) == 1600 * S);
}

static void test_last_is_repeated_until_the_limit(void **state)
{
	struct policy p = {.mode = INTERVAL_FIXED,
		.interval_ns = 100 * S,
		.max_time_ns = 1000 * S,
		.last_end_ns = 995 * S,
		.failure = WHY_UNSUPPORTED};

	assert_true(at(&p, POLICY_LAST) == 996 * S);
	/* Past the limit the job still runs: the periodic ones go on. */
	p.last_end_ns = 1001 * S;
	assert_true(at(&p, POLICY_PERIODIC) == 1101 * S);
}

static enum signal_act act(int sig, int code)
{
	struct signalfd_siginfo info = {.ssi_signo = (uint32_t)sig, .ssi_code = code};

	return signal_act_of(&info, SIGUSR1);
}

static void test_signals(void **state)
{
	assert_int_equal(act(SIGTERM, SI_USER), SIGNAL_FORWARD);
	assert_int_equal(act(SIGHUP, SI_QUEUE), SIGNAL_FORWARD);
	assert_int_equal(act(SIGTERM, SI_TKILL), SIGNAL_FORWARD);
	assert_int_equal(act(SIGRTMIN + 3, SI_QUEUE), SIGNAL_FORWARD);
	assert_int_equal(act(SIGINT, SI_KERNEL), SIGNAL_DROP);
	assert_int_equal(act(SIGQUIT, SI_KERNEL), SIGNAL_DROP);
	assert_int_equal(act(SIGWINCH, SI_USER), SIGNAL_DROP);
	assert_int_equal(act(SIGXCPU, SI_KERNEL), SIGNAL_DROP);
	assert_int_equal(act(SIGUSR1, SI_USER), SIGNAL_CHECKPOINT);
	assert_int_equal(act(SIGUSR2, SI_USER), SIGNAL_FORWARD);
	assert_int_equal(act(SIGTSTP, SI_KERNEL), SIGNAL_SUSPEND);
	assert_int_equal(act(SIGCONT, SI_USER), SIGNAL_CONTINUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_auto),
		cmocka_unit_test(test_limit_only),
		cmocka_unit_test(test_limit_shorter_than_reserve),
		cmocka_unit_test(test_limit_always_before_the_end),
		cmocka_unit_test(test_periodic_close_to_the_last),
		cmocka_unit_test(test_busy_is_tried_soon),
		cmocka_unit_test(test_last_is_repeated_until_the_limit),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

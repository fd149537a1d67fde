/*
 * The interval of -i auto against the best there is: random traces of failures,
 * exponential and Weibull (shape 0.7: failures come in bursts), the same trace for
 * every interval. The policy's total time must be within 5 % of the best fixed
 * interval's, which is searched on a fine grid.
 */
#include "util.h"

#include "job/policy.h"

#include <math.h>

#define S NS_PER_SEC
#define FAILURES 400 /* per trace, on average, at the best interval */
#define GRID 60

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Seconds to the next failure; the mean is `mtbf`. */
static double draw(uint64_t *state, double mtbf, double shape)
{
	double u = ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0;

	return mtbf / tgamma(1 + 1 / shape) * pow(-log(u), 1 / shape);
}

struct world {
	double cost, restart, mtbf, shape, work; /* seconds */
	uint64_t seed;
};

/* How long the work takes with a checkpoint after every `interval` of it. */
static double simulate(const struct world *w, double interval)
{
	uint64_t state = w->seed;
	double now = 0, saved = 0, failure = draw(&state, w->mtbf, w->shape);

	while (saved < w->work) {
		double part = MIN(interval, w->work - saved), end = now + part + w->cost;

		if (end <= failure) {
			now = end;
			saved += part;
			continue;
		}
		now = failure + w->restart;
		failure = now + draw(&state, w->mtbf, w->shape);
	}
	return now;
}

static double best(const struct world *w, double from, double to)
{
	double least = INFINITY;

	for (int i = 0; i < GRID; i++)
		least = fmin(least, simulate(w, from * pow(to / from, (double)i / (GRID - 1))));
	return least;
}

static double ratio(double cost, double mtbf, double shape, double scale)
{
	struct policy p = {.mode = INTERVAL_AUTO,
		.pause_ns = (uint64_t)(cost * (double)S),
		.duration_ns = (uint64_t)(cost * (double)S),
		.mtbf_ns = (uint64_t)(mtbf * (double)S)};
	double chosen = (double)policy_interval(&p) / (double)S * scale;
	struct world w = {cost, cost, mtbf, shape, FAILURES * mtbf, 42};

	return simulate(&w, chosen) / best(&w, chosen / 30, chosen * 30);
}

static void test_within_five_percent(void **state)
{
	static const double costs[] = {0.2, 2, 15}, mtbfs[] = {1800, 4 * 3600, 86400, 302400},
			    shapes[] = {1.0, 0.7};

	for (size_t c = 0; c < ARRAY_LEN(costs); c++)
		for (size_t m = 0; m < ARRAY_LEN(mtbfs); m++)
			for (size_t k = 0; k < ARRAY_LEN(shapes); k++) {
				double r = ratio(costs[c], mtbfs[m], shapes[k], 1);

				print_message("C %.1f s, M %.0f s, shape %.1f: %.4f of the best\n",
					costs[c], mtbfs[m], shapes[k], r);
				assert_true(r < 1.05);
			}
}

/* The yardstick measures: intervals that are far off are seen to be. */
static void test_wrong_intervals_show(void **state)
{
	assert_true(ratio(15, 4 * 3600, 1.0, 5) > 1.05);
	assert_true(ratio(15, 4 * 3600, 1.0, 0.2) > 1.05);
	assert_true(ratio(2, 1800, 0.7, 8) > 1.05);
}

static void test_history(void **state)
{
	struct policy p = {.mode = INTERVAL_AUTO, .pause_ns = 2 * S, .duration_ns = 2 * S};
	uint64_t before = policy_interval(&p);

	assert_true(policy_mtbf(&p) == POLICY_PRIOR_MTBF_NS);
	p.run_ns = 86400 * S;
	assert_true(policy_interval(&p) > before);
	/* A failure a day soon outweighs what was assumed. */
	p.failures = 30;
	p.run_ns = 30 * 86400 * S;
	assert_true(policy_mtbf(&p) < 30 * 3600 * S);
	assert_true(policy_interval(&p) < before);
	p.mtbf_ns = 3600 * S;
	assert_true(policy_mtbf(&p) == 3600 * S);
}

static void test_reason(void **state)
{
	struct policy p = {.mode = INTERVAL_AUTO, .pause_ns = 2 * S, .duration_ns = 2 * S};
	cleanup_buf struct buf b = {0};

	policy_reason(&p, &b);
	assert_string_equal(b.data,
		"a checkpoint costs 2.0 s, a failure is expected every 3d 12h (no history yet)");
	buf_clear(&b);
	p.failures = 2;
	p.run_ns = 7200 * S;
	p.pause_ns = p.duration_ns = 300 * S;
	p.mtbf_ns = 600 * S;
	policy_reason(&p, &b);
	assert_non_null(strstr(b.data, "--mtbf"));
	assert_non_null(strstr(b.data, "a tenth"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within_five_percent),
		cmocka_unit_test(test_wrong_intervals_show),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

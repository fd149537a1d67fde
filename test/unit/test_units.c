/* Durations, sizes and numbers as people write and read them. */
#include "util.h"

#include "base/units.h"

#include <errno.h>

#define S NS_PER_SEC

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0", 0},
		{"90", 90 * S},
		{"1.5", 3 * S / 2},
		{"0.000000001", 1},
		{"0.0000000019", 1}, /* digits after the ninth are dropped */
		{"90s", 90 * S},
		{"10m", 600 * S},
		{"2h", 7200 * S},
		{"1d", 86400 * S},
		{"1.5h", 5400 * S},
		{"0.1d", 8640 * S},
		{"2:03", 123 * S},
		{"90:00", 5400 * S}, /* the leading part may exceed its unit */
		{"1:02:03", 3723 * S},
		{"100:00:00", 360000 * S},
		{"1-2", (86400 + 7200) * S},
		{"1-02:03", (86400 + 7380) * S},
		{"1-02:03:04", (86400 + 7384) * S},
		{"0-00:00:01", S},
		{"18446744073.709551615", UINT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t ns = 1;

		if (duration_parse(good[i].text, &ns) != 0 || ns != good[i].ns)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)ns);
	}
}

static void not_durations(void **state)
{
	static const char *const bad[] = {"", " ", "s", "-1", "+1", "1 ", " 1", "1 m", "1.", ".5",
		"1.s", "1e3", "10x", "10ms", "10sm", "1m30s", ":", "1:", ":1", "1:60", "1:60:00",
		"1:2:3:4", "1:2.5", "1-", "-", "1-24", "1-1:60", "1-1:1:60", "1-1:1:1:1", "1--1",
		"1:1-1", "1-1-1", "0x10", "inf", "nan", "1,5", "\n", "90\n"};
	static const char *const huge[] = {"18446744073.709551616", "18446744074",
		"99999999999999999999999", "213504d", "18446744073709551615d",
		"18446744073709551615-00:00:00", "5124096:00:00"};
	uint64_t ns = 42;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (duration_parse(bad[i], &ns) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(huge); i++)
		if (duration_parse(huge[i], &ns) != -ERANGE)
			fail_msg("'%s' did not overflow", huge[i]);
	assert_int_equal(ns, 42); /* untouched on failure */
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"4096", 4096},
		{"1K", 1024},
		{"1k", 1024},
		{"1KiB", 1024},
		{"512M", 512 * MIB},
		{"4G", 4096 * MIB},
		{"1T", MIB * MIB},
		{"1.5G", 1536 * MIB},
		{"1P", 1024 * MIB * MIB},
		{"16383P", 16383 * 1024 * MIB * MIB},
		{"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {"", "M", "-1", "1.5", "1MB", "1B", "1Ki", "1 M", "1X",
		"1MM", "4GiBs", "1e6", "1.M"};
	uint64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (size_parse(good[i].text, &bytes) != 0 || bytes != good[i].bytes)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)bytes);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (size_parse(bad[i], &bytes) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
	assert_int_equal(size_parse("16384P", &bytes), -ERANGE);
	assert_int_equal(size_parse("18446744073709551616", &bytes), -ERANGE);
}

static void numbers(void **state)
{
	uint64_t n = 0;

	assert_int_equal(number_parse("7", 1, 9, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(number_parse("0", 1, 9, &n), -ERANGE);
	assert_int_equal(number_parse("10", 1, 9, &n), -ERANGE);
	assert_int_equal(number_parse("99999999999999999999", 1, 9, &n), -ERANGE);
	assert_int_equal(number_parse("", 1, 9, &n), -EINVAL);
	assert_int_equal(number_parse("7x", 1, 9, &n), -EINVAL);
	assert_int_equal(number_parse("-7", 1, 9, &n), -EINVAL);
	assert_int_equal(n, 7);
}

static void for_people(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} times[] = {{0, "0 s"}, {1, "0.00 ms"}, {1234567, "1.23 ms"}, {12 * NS_PER_MSEC, "12 ms"},
		{S - 1, "999 ms"}, {S, "1.0 s"}, {59 * S + 999999999, "59.9 s"}, {60 * S, "1m 00s"},
		{312 * S, "5m 12s"}, {3600 * S, "1h 00m"}, {86400 * S, "1d 00h"},
		{UINT64_MAX, "213503d 23h"}};
	static const struct {
		uint64_t bytes;
		const char *text;
	} amounts[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {1536, "1.5 KiB"},
		{MIB - 1, "1023.9 KiB"}, {20 * MIB, "20.0 MiB"}, {UINT64_MAX, "15.9 EiB"}};
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		duration_format(times[i].ns, text);
		assert_string_equal(text, times[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
		size_format(amounts[i].bytes, text);
		assert_string_equal(text, amounts[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(not_durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

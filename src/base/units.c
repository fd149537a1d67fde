/*
 * Durations and sizes: see units.h. All arithmetic is in integers with overflow
 * checks; a fraction is kept to nine digits, later ones are read and dropped.
 */
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define FRACTION_ONE 1000000000ull /* a fraction counts billionths */

struct decimal {
	uint64_t whole;
	uint64_t fraction;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Moves *p behind the digits. At least one digit is needed. */
static int take_whole(const char **p, uint64_t *ret)
{
	uint64_t value = 0;

	if (!is_digit(**p))
		return -EINVAL;
	for (; is_digit(**p); (*p)++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
			return -ERANGE;
	*ret = value;
	return 0;
}

static int take_decimal(const char **p, struct decimal *ret)
{
	uint64_t place = FRACTION_ONE / 10;
	int r = take_whole(p, &ret->whole);

	ret->fraction = 0;
	if (r < 0 || **p != '.')
		return r;
	(*p)++;
	if (!is_digit(**p))
		return -EINVAL;
	for (; is_digit(**p); (*p)++, place /= 10)
		ret->fraction += (uint64_t)(**p - '0') * place;
	return 0;
}

/* d times `unit`, rounded down. */
static int scale(const struct decimal *d, uint64_t unit, uint64_t *ret)
{
	unsigned __int128 sum = (unsigned __int128)d->whole * unit +
				(unsigned __int128)d->fraction * unit / FRACTION_ONE;

	if (sum > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)sum;
	return 0;
}

/* Adds value * unit_s seconds to *ns. */
static int add_seconds(uint64_t *ns, uint64_t value, uint64_t unit_s)
{
	struct decimal d = {.whole = value};
	uint64_t more;
	int r = scale(&d, unit_s * NS_PER_SEC, &more);

	if (r < 0)
		return r;
	return __builtin_add_overflow(*ns, more, ns) ? -ERANGE : 0;
}

/*
 * MM:SS, HH:MM:SS and, behind "D-", HH, HH:MM, HH:MM:SS. Only the leading part
 * may exceed its unit ("90:00" is an hour and a half).
 */
static int clock_parse(const char *text, uint64_t *ret_ns)
{
	static const uint64_t units[] = {3600, 60, 1};
	static const uint64_t limits[] = {24, 60, 60};
	uint64_t ns = 0, value;
	const char *p = text;
	bool days = strchr(text, '-') != NULL;
	size_t colons = 0, at;
	int r;

	for (const char *c = text; *c; c++)
		colons += *c == ':';
	if (colons > 2)
		return -EINVAL;
	if (days) {
		r = take_whole(&p, &value);
		if (r < 0)
			return r;
		if (*p++ != '-')
			return -EINVAL;
		r = add_seconds(&ns, value, 86400);
		if (r < 0)
			return r;
	}
	at = days ? 0 : 2 - colons;
	for (size_t i = 0; i <= colons; i++, at++) {
		r = take_whole(&p, &value);
		if (r < 0)
			return r;
		if ((days || i) && value >= limits[at])
			return -EINVAL;
		r = add_seconds(&ns, value, units[at]);
		if (r < 0)
			return r;
		if (i < colons && *p++ != ':')
			return -EINVAL;
	}
	if (*p)
		return -EINVAL;
	*ret_ns = ns;
	return 0;
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *suffix;
		uint64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	struct decimal d;
	const char *p = text;
	int r;

	if (strpbrk(text, ":-"))
		return clock_parse(text, ret_ns);
	r = take_decimal(&p, &d);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (!strcmp(p, units[i].suffix))
			return scale(&d, units[i].seconds * NS_PER_SEC, ret_ns);
	return -EINVAL;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGTP";
	struct decimal d;
	const char *p = text, *letter;
	char upper;
	int r = take_decimal(&p, &d);

	if (r < 0)
		return r;
	if (!*p)
		return d.fraction ? -EINVAL : scale(&d, 1, ret_bytes);
	upper = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	letter = strchr(letters, upper);
	if (!letter || (p[1] && strcmp(p + 1, "iB") != 0))
		return -EINVAL;
	return scale(&d, 1ull << (10 * (letter - letters + 1)), ret_bytes);
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *p = text;
	uint64_t value;
	int r = take_whole(&p, &value);

	if (*p && r != -ERANGE)
		return -EINVAL;
	if (r < 0)
		return r;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* Digits are cut, not rounded, so that 59.96 s is never shown as "60.0 s". */
void duration_format(uint64_t ns, char out[static 32])
{
	uint64_t s = ns / NS_PER_SEC;

	if (ns == 0)
		snprintf(out, 32, "0 s");
	else if (ns < 10 * NS_PER_MSEC)
		snprintf(out, 32, "%llu.%02llu ms", ns / NS_PER_MSEC, ns % NS_PER_MSEC / 10000);
	else if (s == 0)
		snprintf(out, 32, "%llu ms", ns / NS_PER_MSEC);
	else if (s < 60)
		snprintf(out, 32, "%" PRIu64 ".%llu s", s, ns % NS_PER_SEC / (NS_PER_SEC / 10));
	else if (s < 3600)
		snprintf(out, 32, "%" PRIu64 "m %02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, 32, "%" PRIu64 "h %02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(out, 32, "%" PRIu64 "d %02" PRIu64 "h", s / 86400, s / 3600 % 24);
}

void size_format(uint64_t bytes, char out[static 32])
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t unit = 0;
	uint64_t whole = bytes, rest = 0;

	for (; whole >= 1024; unit++, whole /= 1024)
		rest = whole % 1024;
	if (unit == 0)
		snprintf(out, 32, "%" PRIu64 " B", bytes);
	else
		snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", whole, rest * 10 / 1024,
			names[unit]);
}

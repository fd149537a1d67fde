/* Numbers, times, JSON: see scan.h. */
#include "report/scan.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exponents are rare: the library does it. */
static const char *with_exponent(const char *from, const char *end, double *ret)
{
	char copy[64], *stop;
	size_t len = MIN((size_t)(end - from), sizeof copy - 1);

	memcpy(copy, from, len);
	copy[len] = 0;
	*ret = strtod(copy, &stop);
	return stop == copy ? NULL : from + (stop - copy);
}

const char *scan_number(const char *p, const char *end, double *ret)
{
	const char *from = p;
	bool negative = p < end && *p == '-';
	double value = 0, scale = 1;

	p += negative;
	if (p == end || !digit(*p))
		return NULL;
	for (; p < end && digit(*p); p++)
		value = value * 10 + (*p - '0');
	if (p < end && *p == '.')
		for (p++; p < end && digit(*p); p++) {
			value = value * 10 + (*p - '0');
			scale *= 10;
		}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p = with_exponent(from, end, ret);
		return p && isfinite(*ret) ? p : NULL;
	}
	*ret = negative ? -value / scale : value / scale;
	return isfinite(*ret) ? p : NULL;
}

/* ---- time ------------------------------------------------------------------------ */

/* Days since 1970-01-01 of the Gregorian calendar; March is the first month, so
 * that the leap day is the last day of a year. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* `n` digits, then the character `after` (0: whatever). */
static bool fixed(const char **p, const char *end, int n, char after, int *ret)
{
	int value = 0;

	if (end - *p < n + (after != 0))
		return false;
	for (; n; n--, (*p)++) {
		if (!digit(**p))
			return false;
		value = value * 10 + (**p - '0');
	}
	if (after && *(*p)++ != after)
		return false;
	*ret = value;
	return true;
}

static bool zone(const char *p, const char *end, int64_t *ret_seconds)
{
	int hours, minutes, sign;

	*ret_seconds = 0;
	if (end - p == 1 && (*p == 'Z' || *p == 'z'))
		return true;
	if (p == end || (*p != '+' && *p != '-'))
		return false;
	sign = *p++ == '-' ? -1 : 1;
	if (!fixed(&p, end, 2, ':', &hours) || !fixed(&p, end, 2, 0, &minutes) || p != end)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

uint64_t scan_time(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	int year, month, day, hour, minute, second;
	uint64_t ns = 0, unit = NS_PER_SEC / 10;
	int64_t seconds, offset;
	double epoch;

	if (!fixed(&p, end, 4, '-', &year)) {
		p = scan_number(text, end, &epoch);
		return p == end && p && epoch > 0 && epoch < 1e10 ? (uint64_t)(epoch * 1e9) : 0;
	}
	if (!fixed(&p, end, 2, '-', &month) || !fixed(&p, end, 2, 'T', &day) ||
		!fixed(&p, end, 2, ':', &hour) || !fixed(&p, end, 2, ':', &minute) ||
		!fixed(&p, end, 2, 0, &second))
		return 0;
	if (p < end && *p == '.')
		for (p++; p < end && digit(*p); p++, unit /= 10)
			ns += (uint64_t)(*p - '0') * unit;
	if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 ||
		second > 60 || !zone(p, end, &offset))
		return 0;
	seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	return seconds > 0 && seconds < 10000000000 ? (uint64_t)seconds * NS_PER_SEC + ns : 0;
}

/* ---- JSON -------------------------------------------------------------------------- */

static void space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

bool scan_take(struct scan *s, char c)
{
	space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

bool scan_string(struct scan *s, struct scan_text *ret)
{
	if (!scan_take(s, '"'))
		return false;
	*ret = (struct scan_text){.data = s->p};
	for (; s->p < s->end && *s->p != '"'; s->p++)
		if (*s->p == '\\') {
			ret->escaped = true;
			if (++s->p == s->end)
				return false;
		}
	if (s->p == s->end)
		return false;
	ret->len = (size_t)(s->p++ - ret->data);
	return true;
}

bool scan_value(struct scan *s, double *ret)
{
	const char *p;

	space(s);
	if (s->end - s->p >= 4 && !memcmp(s->p, "null", 4)) {
		s->p += 4;
		*ret = NAN;
		return true;
	}
	p = scan_number(s->p, s->end, ret);
	if (!p)
		return false;
	s->p = p;
	return true;
}

/* Of a number, true, false or null. Letters, which make up most of it, come first. */
static bool ends_word(char c)
{
	return !(c > '[' && c != ']' && c < '{') && !(c >= '-' && c <= '9') && c != '+' && c != 'E';
}

bool scan_skip(struct scan *s)
{
	struct scan_text text;
	int depth = 0;

	do {
		space(s);
		if (s->p == s->end || !*s->p)
			return false;
		switch (*s->p) {
		case '"':
			if (!scan_string(s, &text))
				return false;
			break;
		case '{':
		case '[':
			if (++depth > 16)
				return false;
			s->p++;
			break;
		case '}':
		case ']':
			if (--depth < 0)
				return false;
			s->p++;
			break;
		case ',':
		case ':':
			if (!depth)
				return false;
			s->p++;
			break;
		default:
			if (ends_word(*s->p))
				return false;
			while (s->p < s->end && !ends_word(*s->p))
				s->p++;
		}
	} while (depth);
	return true;
}

bool scan_key(struct scan *s, bool *first, struct scan_text *ret, bool *ok)
{
	*ok = false;
	if (*first) {
		*first = false;
		if (!scan_take(s, '{'))
			return false;
		if (scan_take(s, '}')) {
			*ok = true;
			return false;
		}
	} else if (!scan_take(s, ',')) {
		*ok = scan_take(s, '}');
		return false;
	}
	*ok = scan_string(s, ret) && scan_take(s, ':');
	return *ok;
}

void scan_unescape(const struct scan_text *t, char *out, size_t cap)
{
	json_t *decoded = NULL;
	const char *from = t->data;
	size_t len = t->len;

	if (t->escaped) /* the quotes are around it */
		decoded =
			json_loadb(t->data - 1, t->len + 2, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (decoded) {
		from = json_string_value(decoded);
		len = json_string_length(decoded);
	}
	len = MIN(len, cap - 1);
	memcpy(out, from, len);
	out[len] = 0;
	json_decref(decoded);
}

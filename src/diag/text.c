/* Bounded text: see text.h. */
#include "diag/text.h"

#include <string.h>

/* Bytes of the UTF-8 character at `s`, 0 when it is none. Overlong forms and
 * surrogates are none (RFC 3629); jansson refuses them too. */
static size_t character(const unsigned char *s, size_t left)
{
	uint32_t value;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
		return 0;
	value = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && value < 0x800) || (n == 4 && (value < 0x10000 || value > 0x10ffff)) ||
		(value >= 0xd800 && value < 0xe000))
		return 0;
	return n;
}

static bool printable(unsigned char c)
{
	return c == '\n' || c == '\t' || (c >= ' ' && c != 127);
}

void text_copy(char *to, size_t cap, const char *from, size_t len)
{
	size_t n = 0, left = strnlen(from, len), step;

	while (left) {
		step = character((const unsigned char *)from, left);
		if (n + MAX(step, 1u) >= cap)
			break;
		if (step == 0 || (step == 1 && !printable((unsigned char)*from))) {
			to[n++] = '?';
			step = 1;
		} else {
			memcpy(to + n, from, step);
			n += step;
		}
		from += step;
		left -= step;
	}
	to[n] = 0;
}

int text_find(const char *text, const char *const *needles)
{
	for (int i = 0; needles[i]; i++)
		if (strstr(text, needles[i]))
			return i;
	return -1;
}

void text_line_at(const char *text, const char *at, char *to, size_t cap)
{
	while (at > text && at[-1] != '\n')
		at--;
	at += strspn(at, " \t");
	text_copy(to, cap, at, strcspn(at, "\n"));
}

const char *text_last_lines(const char *text, unsigned lines)
{
	const char *at = text + strlen(text);

	while (at > text) {
		if (at[-1] == '\n' && *at && *at != '\n' && lines-- == 1)
			return at;
		at--;
	}
	return text;
}

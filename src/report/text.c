/* Escaping: see text.h. */
#include "report/text.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_POINT 0xfffd

/* One code point at `s`; *ret_len bytes are used up. REPLACEMENT_POINT for what is
 * not UTF-8 (overlong forms, surrogates and what is beyond U+10FFFF included). */
static uint32_t decode(const unsigned char *s, size_t len, size_t *ret_len)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t point;

	*ret_len = 1;
	if (n == 1)
		return s[0];
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
		return REPLACEMENT_POINT;
	point = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return REPLACEMENT_POINT;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < smallest[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return REPLACEMENT_POINT;
	*ret_len = n;
	return point;
}

static bool unseen(uint32_t point)
{
	return (point < ' ' && point != '\n' && point != '\t') || (point >= 0x7f && point < 0xa0) ||
	       (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
	       point == 0x200e || point == 0x200f || point == 0xfeff;
}

static const char *html_entity(uint32_t point)
{
	switch (point) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text_n(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t point = decode((const unsigned char *)text + i, len - i, &n);
		const char *entity = html_entity(point);

		if (entity)
			buf_str(b, entity);
		else if (point == REPLACEMENT_POINT || unseen(point))
			buf_str(b, REPLACEMENT);
		else
			buf_add(b, text + i, n);
	}
}

void html_text(struct buf *b, const char *text)
{
	if (text)
		html_text_n(b, text, strlen(text));
}

void json_text_in_script(struct buf *b, const char *text)
{
	size_t len = strlen(text);

	buf_str(b, "\"");
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t point = decode((const unsigned char *)text + i, len - i, &n);

		if (point == REPLACEMENT_POINT || unseen(point))
			buf_str(b, REPLACEMENT);
		else if (html_entity(point) || point < ' ' || point == '\\' || point == 0x2028 ||
			 point == 0x2029)
			buf_printf(b, "\\u%04x", (unsigned)point);
		else
			buf_add(b, text + i, n);
	}
	buf_str(b, "\"");
}

void json_number(struct buf *b, double value)
{
	if (!isfinite(value))
		buf_str(b, "null");
	else if (value == 0)
		buf_str(b, "0");
	else
		buf_printf(b, "%.5g", value);
}

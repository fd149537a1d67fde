/*
 * struct image_info as JSON and back. A table gives each key its place in the
 * structure, for both directions.
 *
 * JSON holds UTF-8 only: bytes of a command or a path that are not become
 * U+FFFD here (meta.pb has the exact ones).
 */
#include "image/info_json.h"

#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum type { NUMBER, TEXT, WORDS, TIME };

static const struct field {
	const char *key;
	enum type type;
	bool required;
	size_t offset;
} fields[] = {
#define FIELD(key, type, required, member)                               \
	{                                                                \
		key, type, required, offsetof(struct image_info, member) \
	}
	FIELD("number", NUMBER, true, number),
	FIELD("parent", NUMBER, false, parent),
	FIELD("command", WORDS, true, command),
	FIELD("directory", TEXT, false, directory),
	FIELD("hostname", TEXT, false, hostname),
	FIELD("user", TEXT, false, user),
	FIELD("checkpoint_timestamp", TIME, true, timestamp_ns),
	FIELD("processes", NUMBER, false, processes),
	FIELD("threads", NUMBER, false, threads),
	FIELD("memory_bytes", NUMBER, false, memory_bytes),
	FIELD("stored_bytes", NUMBER, false, stored_bytes),
	FIELD("pause_ns", NUMBER, false, pause_ns),
	FIELD("duration_ns", NUMBER, false, duration_ns),
	FIELD("snapshot", TEXT, false, snapshot),
	FIELD("compression", TEXT, false, compression),
	FIELD("reason", TEXT, false, reason),
	FIELD("kernel", TEXT, false, kernel),
	FIELD("cpu_features", TEXT, false, cpu_features),
	FIELD("engine", TEXT, false, engine),
	FIELD("format_version", TEXT, true, format_version),
	FIELD("checksum", TEXT, true, checksum),
#undef FIELD
};

void image_info_done(struct image_info *info)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char *at = (char *)info + fields[i].offset;

		if (fields[i].type == TEXT)
			free_p(at);
	}
	for (char **word = info->command; word && *word; word++)
		free(*word);
	free(info->command);
	*info = (struct image_info){0};
}

/* Length of the UTF-8 sequence at s, 0 when it is none. Jansson refuses
 * surrogates, overlong forms and what lies beyond U+10FFFF, and so do we. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80			 ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : (s[0] & 0xf0) == 0xe0	 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static json_t *json_text(const char *text)
{
	cleanup_buf struct buf clean = {0};
	const unsigned char *s = (const unsigned char *)(text ? text : "");

	while (*s) {
		size_t n = utf8_length(s);

		if (n)
			buf_add(&clean, s, n);
		else
			buf_str(&clean, "\xef\xbf\xbd");
		s += n ? n : 1;
	}
	if (buf_error(&clean) < 0)
		return NULL;
	return json_stringn(clean.data ? clean.data : "", clean.len);
}

static json_t *json_words(char *const *words)
{
	json_t *array = json_array();

	for (; array && words && *words; words++)
		if (json_array_append_new(array, json_text(*words)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *field_to_json(const struct field *f, const struct image_info *info)
{
	const char *at = (const char *)info + f->offset;
	char time[40];

	switch (f->type) {
	case NUMBER:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case TEXT:
		return json_text(*(char *const *)at);
	case WORDS:
		return json_words(*(char **const *)at);
	case TIME:
		format_time(*(const uint64_t *)at, time);
		return json_string(time);
	}
	return NULL;
}

json_t *info_to_json(const struct image_info *info)
{
	cleanup_json json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (json_object_set_new(object, fields[i].key, field_to_json(&fields[i], info)) < 0)
			return NULL;
	return json_incref(object);
}

int image_info_json(const struct image_info *info, struct buf *out)
{
	cleanup_json json_t *object = info_to_json(info);
	cleanup_free char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;

	return text ? buf_str(out, text) : -ENOMEM;
}

int info_replace_text(char **text, const char *with)
{
	char *copy = strdup(with);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int time_from_text(const char *s, uint64_t *ret_ns)
{
	struct tm tm = {0};
	int micros, hours, minutes, n = 0;
	char sign;
	long long seconds;

	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d.%6d%c%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &micros, &sign, &hours,
		    &minutes, &n) != 10 ||
		s[n] || (sign != '+' && sign != '-') || micros < 0 || hours < 0 || minutes < 0)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = (long long)timegm(&tm);
	seconds -= (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
	/* 2554 is where 64 bits of nanoseconds end. */
	if (seconds < 0 || (unsigned long long)seconds >= UINT64_MAX / NS_PER_SEC)
		return -EINVAL;
	*ret_ns = (uint64_t)seconds * NS_PER_SEC + (uint64_t)micros * 1000;
	return 0;
}

static int words_from_json(const json_t *array, char ***ret)
{
	size_t n = json_array_size(array);
	char **words;

	if (!json_is_array(array))
		return -EINVAL;
	words = calloc(n + 1, sizeof *words);
	*ret = words;
	for (size_t i = 0; words && i < n; i++) {
		const char *word = json_string_value(json_array_get(array, i));

		if (!word)
			return -EINVAL;
		words[i] = strdup(word);
		if (!words[i])
			return -ENOMEM;
	}
	return words ? 0 : -ENOMEM;
}

static int field_from_json(const struct field *f, const json_t *value, struct image_info *info)
{
	char *at = (char *)info + f->offset;

	switch (f->type) {
	case NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return -EINVAL;
		*(uint64_t *)at = (uint64_t)json_integer_value(value);
		return 0;
	case TEXT:
		if (!json_is_string(value))
			return -EINVAL;
		return info_replace_text((char **)at, json_string_value(value));
	case WORDS:
		return words_from_json(value, (char ***)at);
	case TIME:
		if (!json_is_string(value))
			return -EINVAL;
		return time_from_text(json_string_value(value), (uint64_t *)at);
	}
	return -EINVAL;
}

int info_from_json(const json_t *object, struct image_info *info, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];
		const json_t *value = json_object_get(object, f->key);
		int r;

		/* An absent text becomes "": nobody meets NULL in an image that was read. */
		if (value)
			r = field_from_json(f, value, info);
		else if (f->required)
			r = -EINVAL;
		else
			r = f->type == TEXT
				    ? info_replace_text((char **)((char *)info + f->offset), "")
				    : 0;
		if (r == -ENOMEM)
			return err_sys(e, r, "cannot read " IMAGE_INFO_NAME);
		if (r < 0)
			return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
				IMAGE_INFO_NAME " is damaged: its \"%s\" is missing or odd",
				f->key);
	}
	return 0;
}

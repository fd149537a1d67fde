/*
 * The settings in job.json that a restart inherits: one row each. What is read
 * back is bounded: an edited or damaged value gives way to the default.
 */
#include "job/journal.h"

#include <stddef.h>
#include <string.h>

static json_t *seconds(uint64_t ns)
{
	return ns ? json_real((double)ns / (double)NS_PER_SEC) : json_null();
}

static bool read_seconds(const json_t *v, uint64_t *ret_ns)
{
	double s = json_number_value(v);

	if (!json_is_number(v) || !(s > 0) || s > 1e9)
		return false;
	*ret_ns = (uint64_t)(s * (double)NS_PER_SEC + 0.5);
	return true;
}

/* ---- settings that are one field ----------------------------------------------- */

enum field_type { FIELD_SECONDS, FIELD_BYTES, FIELD_UNSIGNED, FIELD_INT, FIELD_BOOL, FIELD_NAME };

struct field {
	const char *name;
	unsigned setting;
	enum field_type type;
	size_t offset;
	int64_t low, high;	  /* FIELD_UNSIGNED, FIELD_INT */
	const char *const *names; /* FIELD_NAME: of an enum's values, NULL-terminated */
};

static const char *const namespaces_names[] = {"auto", "none", NULL},
			 *const memory_names[] = {"hold", "fail", NULL},
			 *const files_names[] = {"keep", "copy", "none", NULL};

#define AT(member) offsetof(struct settings, member)
static const struct field fields[] = {
	{"max_time", SETTING_MAX_TIME, FIELD_SECONDS, AT(max_time_ns), 0, 0, NULL},
	{"keep", SETTING_KEEP, FIELD_UNSIGNED, AT(keep), 1, 1000000, NULL},
	{"keep_hourly", SETTING_KEEP_HOURLY, FIELD_UNSIGNED, AT(keep_hourly), 0, 1000000, NULL},
	{"keep_daily", SETTING_KEEP_DAILY, FIELD_UNSIGNED, AT(keep_daily), 0, 1000000, NULL},
	{"quota_bytes", SETTING_QUOTA, FIELD_BYTES, AT(quota_bytes), 0, 0, NULL},
	{"retry", SETTING_RETRY, FIELD_UNSIGNED, AT(retry), 0, 1000000, NULL},
	{"on_memory", SETTING_ON_MEMORY, FIELD_NAME, AT(on_memory), 0, 0, memory_names},
	{"memory_max_bytes", SETTING_MEMORY_MAX, FIELD_BYTES, AT(memory_max_bytes), 0, 0, NULL},
	{"metrics", SETTING_METRICS, FIELD_SECONDS, AT(metrics_ns), 0, 0, NULL},
	{"mtbf", SETTING_MTBF, FIELD_SECONDS, AT(mtbf_ns), 0, 0, NULL},
	{"hang", SETTING_HANG, FIELD_SECONDS, AT(hang_ns), 0, 0, NULL},
	{"files", SETTING_FILES, FIELD_NAME, AT(files), 0, 0, files_names},
	{"stop_code", SETTING_STOP_CODE, FIELD_INT, AT(stop_code), 0, 255, NULL},
	{"signal_checkpoint", SETTING_SIGNAL, FIELD_INT, AT(signal_checkpoint), 1, 64, NULL},
	{"namespaces", SETTING_NAMESPACES, FIELD_NAME, AT(namespaces), 0, 0, namespaces_names},
	{"wait_all", SETTING_WAIT_ALL, FIELD_BOOL, AT(wait_all), 0, 0, NULL},
};

static json_t *put_field(const struct field *f, const struct settings *s)
{
	const void *at = (const char *)s + f->offset;

	switch (f->type) {
	case FIELD_SECONDS:
		return seconds(*(const uint64_t *)at);
	case FIELD_BYTES:
		return *(const uint64_t *)at ? json_integer((json_int_t) * (const uint64_t *)at)
					     : json_null();
	case FIELD_UNSIGNED:
		return json_integer(*(const unsigned *)at);
	case FIELD_INT:
		return json_integer(*(const int *)at);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	case FIELD_NAME:
		return json_string(f->names[*(const unsigned *)at]);
	}
	return json_null();
}

static void get_number(const struct field *f, const json_t *v, void *at)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < f->low || n > f->high)
		return;
	if (f->type == FIELD_INT)
		*(int *)at = (int)n;
	else
		*(unsigned *)at = (unsigned)n;
}

static void get_name(const struct field *f, const char *text, unsigned *at)
{
	for (unsigned i = 0; text && f->names[i]; i++)
		if (!strcmp(text, f->names[i]))
			*at = i;
}

static void get_field(const struct field *f, const json_t *v, struct settings *s)
{
	void *at = (char *)s + f->offset;

	switch (f->type) {
	case FIELD_SECONDS:
		if (json_is_null(v))
			*(uint64_t *)at = 0;
		else
			read_seconds(v, at);
		break;
	case FIELD_BYTES:
		if (json_is_integer(v) && json_integer_value(v) > 0)
			*(uint64_t *)at = (uint64_t)json_integer_value(v);
		break;
	case FIELD_UNSIGNED:
	case FIELD_INT:
		get_number(f, v, at);
		break;
	case FIELD_BOOL:
		*(bool *)at = json_is_true(v);
		break;
	case FIELD_NAME:
		get_name(f, json_string_value(v), at);
		break;
	}
}

/* ---- the others ------------------------------------------------------------------ */

static json_t *put_interval(const struct settings *s)
{
	switch (s->interval_mode) {
	case INTERVAL_FIXED:
		return seconds(s->interval_ns);
	case INTERVAL_OFF:
		return json_string("off");
	case INTERVAL_AUTO:
		break;
	}
	return json_string("auto");
}

static void get_interval(const json_t *v, struct settings *s)
{
	if (read_seconds(v, &s->interval_ns))
		s->interval_mode = INTERVAL_FIXED;
	else if (json_is_string(v))
		s->interval_mode =
			strcmp(json_string_value(v), "off") ? INTERVAL_AUTO : INTERVAL_OFF;
}

static json_t *put_compress(const struct settings *s)
{
	if (s->raw)
		return json_string("none");
	return s->zstd_level ? json_sprintf("zstd:%d", s->zstd_level) : json_string("zstd");
}

static void get_compress(const char *text, struct settings *s)
{
	int level = 0;

	if (!text)
		return;
	if (!strcmp(text, "none")) {
		s->raw = true;
	} else if (!strcmp(text, "zstd")) {
		s->raw = false;
		s->zstd_level = 0;
	} else if (sscanf(text, "zstd:%d", &level) == 1 && level >= -7 && level <= 22) {
		s->raw = false;
		s->zstd_level = level;
	}
}

static json_t *put_plugins(const struct settings *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->n_plugins; i++)
		json_array_append_new(list, json_string(s->plugins[i]));
	return list;
}

/* The strings stay the journal's, which outlives the settings. */
static void get_plugins(const json_t *list, struct settings *s)
{
	const json_t *v;
	size_t i;

	s->n_plugins = 0;
	json_array_foreach(list, i, v) if (json_is_string(v) && s->n_plugins < SETTINGS_PLUGINS_MAX)
		s->plugins[s->n_plugins++] = json_string_value(v);
}

void journal_put_settings(struct journal *j, const struct settings *s)
{
	json_t *o = json_object_get(j->root, "settings");

	json_object_set_new(o, "interval", put_interval(s));
	json_object_set_new(o, "compress", put_compress(s));
	/* Strings that came from there stay: `s` may name them. */
	if (s->given & SETTING_PLUGIN || !json_object_get(o, "plugins"))
		json_object_set_new(o, "plugins", put_plugins(s));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		json_object_set_new(o, fields[i].name, put_field(&fields[i], s));
}

void journal_get_settings(const struct journal *j, struct settings *s)
{
	const json_t *o = json_object_get(j->root, "settings");

	if (!(s->given & SETTING_INTERVAL))
		get_interval(json_object_get(o, "interval"), s);
	if (!(s->given & SETTING_COMPRESS))
		get_compress(json_string_value(json_object_get(o, "compress")), s);
	if (!(s->given & SETTING_PLUGIN))
		get_plugins(json_object_get(o, "plugins"), s);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const json_t *v = json_object_get(o, fields[i].name);

		if (!(s->given & fields[i].setting) && v)
			get_field(&fields[i], v, s);
	}
}

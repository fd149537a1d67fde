/*
 * The settings in job.json that a restart inherits. What is read back is
 * bounded: an edited or damaged value gives way to the default.
 */
#include "job/journal.h"

#include <string.h>

static json_t *seconds(uint64_t ns)
{
	return json_real((double)ns / (double)NS_PER_SEC);
}

void journal_put_settings(struct journal *j, const struct settings *s)
{
	json_t *o = json_object();
	char compress[24] = "zstd";

	if (s->raw)
		strcpy(compress, "none");
	else if (s->zstd_level)
		snprintf(compress, sizeof compress, "zstd:%d", s->zstd_level);
	json_object_set_new(o, "interval",
		s->interval_mode == INTERVAL_FIXED ? seconds(s->interval_ns)
		: s->interval_mode == INTERVAL_OFF ? json_string("off")
						   : json_string("auto"));
	json_object_set_new(o, "max_time", s->max_time_ns ? seconds(s->max_time_ns) : json_null());
	json_object_set_new(o, "keep", json_integer(s->keep));
	json_object_set_new(o, "compress", json_string(compress));
	json_object_set_new(o, "stop_code", json_integer(s->stop_code));
	json_object_set_new(o, "signal_checkpoint", json_integer(s->signal_checkpoint));
	json_object_set_new(
		o, "namespaces", json_string(s->namespaces == NAMESPACES_NONE ? "none" : "auto"));
	json_object_set_new(o, "wait_all", json_boolean(s->wait_all));
	json_object_set_new(j->root, "settings", o);
}

static bool read_seconds(const json_t *v, uint64_t *ret_ns)
{
	double s = json_number_value(v);

	if (!json_is_number(v) || !(s > 0) || s > 1e9)
		return false;
	*ret_ns = (uint64_t)(s * (double)NS_PER_SEC + 0.5);
	return true;
}

static void get_interval(const json_t *v, struct settings *s)
{
	if (read_seconds(v, &s->interval_ns))
		s->interval_mode = INTERVAL_FIXED;
	else if (json_is_string(v))
		s->interval_mode =
			strcmp(json_string_value(v), "off") ? INTERVAL_AUTO : INTERVAL_OFF;
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

static int bounded(const json_t *o, const char *key, int low, int high, int otherwise)
{
	const json_t *value = json_object_get(o, key);
	json_int_t v = json_is_integer(value) ? json_integer_value(value) : otherwise;

	return v < low || v > high ? otherwise : (int)v;
}

void journal_get_settings(const struct journal *j, struct settings *s)
{
	const json_t *o = json_object_get(j->root, "settings");
	const char *namespaces;

	if (!(s->given & SETTING_INTERVAL))
		get_interval(json_object_get(o, "interval"), s);
	if (!(s->given & SETTING_MAX_TIME))
		read_seconds(json_object_get(o, "max_time"), &s->max_time_ns);
	if (!(s->given & SETTING_KEEP))
		s->keep = (unsigned)bounded(o, "keep", 1, 1000000, (int)s->keep);
	if (!(s->given & SETTING_COMPRESS))
		get_compress(json_string_value(json_object_get(o, "compress")), s);
	if (!(s->given & SETTING_STOP_CODE))
		s->stop_code = bounded(o, "stop_code", 0, 255, s->stop_code);
	if (!(s->given & SETTING_SIGNAL))
		s->signal_checkpoint = bounded(o, "signal_checkpoint", 1, 64, s->signal_checkpoint);
	namespaces = json_string_value(json_object_get(o, "namespaces"));
	if (!(s->given & SETTING_NAMESPACES) && namespaces && !strcmp(namespaces, "none"))
		s->namespaces = NAMESPACES_NONE;
	if (!(s->given & SETTING_WAIT_ALL))
		s->wait_all = json_is_true(json_object_get(o, "wait_all"));
}

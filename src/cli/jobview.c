/*
 * A job as JSON: see jobview.h. Keys never change their meaning; what is not
 * known or does not apply is null, never absent. Times are RFC 3339.
 */
#include "cli/jobview.h"
#include "cli/print.h"
#include "base/io.h"

static json_t *json_time(uint64_t real_ns)
{
	char text[40];

	if (!real_ns)
		return json_null();
	format_time(real_ns, text);
	return json_string(text);
}

static json_t *json_count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *json_or_null(uint64_t n)
{
	return n ? json_count(n) : json_null();
}

static json_t *json_command(char *const *words)
{
	json_t *array = json_array();

	for (size_t i = 0; words && words[i]; i++)
		json_array_append_new(array, json_text(words[i]));
	return array;
}

uint64_t elapsed_ns(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

uint64_t jobview_at_risk_ns(const struct job_view *v, uint64_t now_ns)
{
	if (v->state != JOB_RUNNING)
		return 0;
	return elapsed_ns(now_ns, v->last_image ? v->last_image_ns : v->started_ns);
}

json_t *jobview_json(const struct job_view *v)
{
	bool pause = v->last_image != 0;

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:o, s:o, s:o, s:o}",
		"id", json_text(v->id), "directory", json_text(v->directory), "command",
		json_command(v->command), "state", job_state_name(v->state), "pid",
		json_or_null((uint64_t)v->pid), "hostname", json_text(v->hostname), "attempts",
		v->attempts, "exit_code",
		v->exit_code < 0 ? json_null() : json_integer(v->exit_code), "started",
		json_time(v->started_ns), "last_image", json_or_null(v->last_image),
		"last_image_time", json_time(v->last_image_ns), "next_checkpoint",
		json_time(v->next_checkpoint_ns), "interval_ns", json_or_null(v->interval_ns),
		"interval_reason", json_text(v->interval_reason), "images", json_count(v->images),
		"image_bytes", json_count(v->image_bytes), "last_pause_ns",
		pause ? json_count(v->last_pause_ns) : json_null(), "last_duration_ns",
		pause ? json_count(v->last_duration_ns) : json_null(), "last_memory_bytes",
		pause ? json_count(v->last_memory_bytes) : json_null(), "last_stored_bytes",
		pause ? json_count(v->last_stored_bytes) : json_null());
}

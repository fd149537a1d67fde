/* job.json: see journal.h. */
#include "job/journal.h"
#include "base/io.h"
#include "job/checkpoint.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define JOURNAL_MAX (16 * MIB)
#define JOURNAL_FORMAT 1
#define AVOID_MAX 100
#define CHECKPOINTS_MAX 2000 /* of one attempt, as notes */

static const char *const how_names[] = {
	[HOW_RUNNING] = "running",
	[HOW_EXIT] = "exit",
	[HOW_SIGNAL] = "signal",
	[HOW_STOPPED] = "stopped",
	[HOW_LOST] = "lost",
};

void journal_done(struct journal *j)
{
	json_decref(j->root);
	j->root = NULL;
}

void strings_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

uint64_t parse_time(const char *text)
{
	struct tm tm = {0};
	int micro, hours, minutes;
	char sign;
	time_t seconds;

	if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6d%c%2d:%2d", &tm.tm_year, &tm.tm_mon,
			     &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &micro, &sign,
			     &hours, &minutes) != 10)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	seconds = timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	if (seconds < 0 || micro < 0)
		return 0;
	return (uint64_t)seconds * NS_PER_SEC + (uint64_t)micro * 1000;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static int64_t number_of(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static json_t *json_time(uint64_t real_ns)
{
	char text[40];

	format_time(real_ns, text);
	return json_string(text);
}

/* File names and arguments are bytes; JSON is UTF-8. What is not is kept with
 * its bytes escaped, which makes it unequal to the original: such a job can be
 * resumed by directory, only --resume does not recognise its command. */
static json_t *json_bytes(const char *s)
{
	json_t *v = json_string(s);
	cleanup_buf struct buf escaped = {0};

	if (v)
		return v;
	for (; *s; s++)
		if ((unsigned char)*s < 0x80)
			buf_printf(&escaped, "%c", *s);
		else
			buf_printf(&escaped, "\\x%02x", (unsigned char)*s);
	return buf_error(&escaped) ? NULL : json_string(escaped.data ? escaped.data : "");
}

static json_t *json_strings(char *const *list)
{
	json_t *array = json_array();

	for (; array && *list; list++)
		json_array_append_new(array, json_bytes(*list));
	return array;
}

int journal_new(struct journal *ret, const char *id, char *const *command, const char *directory,
	const char *environment, uint64_t first_image)
{
	ret->root = json_pack("{s:i, s:s, s:o, s:o, s:s, s:o, s:I, s:{}, s:[]}", "format",
		JOURNAL_FORMAT, "id", id, "command", json_strings(command), "directory",
		json_bytes(directory), "environment_digest", environment, "created",
		json_time(now_real_ns()), "first_image", (json_int_t)first_image, "settings",
		"attempts");
	return ret->root ? 0 : -ENOMEM;
}

static bool journal_shape(const json_t *root)
{
	const json_t *command = json_object_get(root, "command"), *word;
	size_t i;

	if (!json_is_object(root) || !*text_of(root, "id") || !*text_of(root, "directory") ||
		!json_is_array(command) || !json_array_size(command) ||
		!json_is_object(json_object_get(root, "settings")) ||
		!json_is_array(json_object_get(root, "attempts")))
		return false;
	json_array_foreach(command, i, word) if (!json_is_string(word)) return false;
	return true;
}

int journal_load(struct journal *ret, int dirfd, struct err *e)
{
	cleanup_buf struct buf text = {0};
	json_error_t where;
	json_t *root;
	int r = io_slurp_at(dirfd, JOURNAL_NAME, &text, JOURNAL_MAX);

	if (r == -ENOENT)
		return err_set(e, r, WHY_NO_JOB, "no " JOURNAL_NAME " there: not a job directory");
	if (r < 0)
		return err_sys(e, r, "cannot read " JOURNAL_NAME);
	root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return err_set(e, -EBADMSG, WHY_NO_JOB, JOURNAL_NAME " is damaged (line %d: %s)",
			where.line, where.text);
	if (number_of(root, "format", 0) > JOURNAL_FORMAT) {
		json_decref(root);
		return err_set(e, -EPROTO, WHY_NO_JOB,
			JOURNAL_NAME " was written by a newer cragon: use that one");
	}
	if (!journal_shape(root)) {
		json_decref(root);
		return err_set(e, -EBADMSG, WHY_NO_JOB, JOURNAL_NAME " does not describe a job");
	}
	ret->root = root;
	return 0;
}

int journal_save(const struct journal *j, int dirfd)
{
	cleanup_free char *text = json_dumps(j->root, JSON_INDENT(2));
	size_t n = text ? strlen(text) : 0;

	if (!text)
		return -ENOMEM;
	text[n] = '\n'; /* in place of the NUL, which is not written */
	return io_publish_at(dirfd, JOURNAL_NAME, text, n + 1);
}

const char *journal_id(const struct journal *j)
{
	return text_of(j->root, "id");
}

const char *journal_directory(const struct journal *j)
{
	return text_of(j->root, "directory");
}

uint64_t journal_first_image(const struct journal *j)
{
	int64_t n = number_of(j->root, "first_image", 1);

	return n > 0 ? (uint64_t)n : 1;
}

char **journal_command(const struct journal *j)
{
	const json_t *command = json_object_get(j->root, "command"), *word;
	char **list = calloc(json_array_size(command) + 1, sizeof *list);
	size_t i;

	if (!list)
		return NULL;
	json_array_foreach(command, i, word)
	{
		list[i] = strdup(json_string_value(word));
		if (!list[i]) {
			strings_free(list);
			return NULL;
		}
	}
	return list;
}

bool journal_same_command(const struct journal *j, char *const *command, const char *directory)
{
	json_t *asked = json_strings(command);
	bool same = json_equal(asked, json_object_get(j->root, "command")) &&
		    !strcmp(directory, journal_directory(j));

	json_decref(asked);
	return same;
}

/* ---- attempts ------------------------------------------------------------ */

static json_t *last_attempt(const struct journal *j)
{
	const json_t *all = json_object_get(j->root, "attempts");
	size_t n = json_array_size(all);

	return n ? json_array_get(all, n - 1) : NULL;
}

/* An attempt that has no end was cut off: whoever begins the next one says so. */
static void close_lost(struct journal *j)
{
	json_t *a = last_attempt(j);

	if (a && !json_is_string(json_object_get(a, "ended")) && !json_object_get(a, "how"))
		json_object_set_new(a, "how", json_string(how_names[HOW_LOST]));
}

int journal_begin(
	struct journal *j, const struct identity *who, uint64_t from_image, int checkpoint_signal)
{
	json_t *a;

	close_lost(j);
	a = json_pack("{s:o, s:n, s:s, s:s, s:i, s:I, s:o, s:i, s:[], s:n}", "started",
		json_time(now_real_ns()), "ended", "host", who->host, "boot_id", who->boot_id,
		"pid", (int)who->pid, "pid_start", (json_int_t)who->pid_start, "from_image",
		from_image ? json_integer((json_int_t)from_image) : json_null(),
		"checkpoint_signal", checkpoint_signal, "checkpoints", "next_checkpoint");
	if (!a)
		return -ENOMEM;
	return json_array_append_new(json_object_get(j->root, "attempts"), a) < 0 ? -ENOMEM : 0;
}

void journal_checkpoint(struct journal *j, const struct checkpoint_result *c, const char *reason)
{
	json_t *list = json_object_get(last_attempt(j), "checkpoints");

	/* job.json is written whole each time. */
	if (json_array_size(list) >= CHECKPOINTS_MAX)
		for (size_t i = CHECKPOINTS_MAX / 2; i-- > 0;)
			if (i % 2)
				json_array_remove(list, i);
	json_array_append_new(
		list, json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:s}", "number",
			      (json_int_t)c->number, "time", json_time(now_real_ns()), "pause_ns",
			      (json_int_t)c->pause_ns, "duration_ns", (json_int_t)c->duration_ns,
			      "memory_bytes", (json_int_t)c->memory_bytes, "stored_bytes",
			      (json_int_t)c->stored_bytes, "reason", reason));
}

void journal_next(struct journal *j, uint64_t real_ns)
{
	json_object_set_new(
		last_attempt(j), "next_checkpoint", real_ns ? json_time(real_ns) : json_null());
}

void journal_avoid(struct journal *j, uint64_t image)
{
	json_t *list = json_object_get(j->root, "avoid");

	if (journal_avoids(j, image))
		return;
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(j->root, "avoid", list);
	}
	if (json_array_size(list) >= AVOID_MAX)
		json_array_remove(list, 0);
	json_array_append_new(list, json_integer((json_int_t)image));
}

bool journal_avoids(const struct journal *j, uint64_t image)
{
	const json_t *list = json_object_get(j->root, "avoid"), *v;
	size_t i;

	json_array_foreach(list, i, v) if (json_integer_value(v) == (json_int_t)image) return true;
	return false;
}

void journal_interval(struct journal *j, uint64_t ns, const char *reason)
{
	json_t *a = last_attempt(j);

	json_object_set_new(a, "interval",
		ns == UINT64_MAX ? json_null() : json_real((double)ns / (double)NS_PER_SEC));
	json_object_set_new(a, "interval_reason", json_string(reason ? reason : ""));
}

/* An attempt that was cut off ran at least until its last note. */
static uint64_t run_time(const json_t *attempt)
{
	uint64_t began = parse_time(text_of(attempt, "started")),
		 ended = parse_time(text_of(attempt, "ended"));

	if (!ended)
		ended = parse_time(text_of(attempt, "next_checkpoint"));
	return began && ended > began ? ended - began : 0;
}

void journal_history(const struct journal *j, unsigned *ret_failures, uint64_t *ret_run_ns)
{
	const json_t *all = json_object_get(j->root, "attempts"), *a;
	size_t i;

	*ret_failures = 0;
	*ret_run_ns = 0;
	json_array_foreach(all, i, a)
	{
		const char *how = text_of(a, "how");

		*ret_run_ns += run_time(a);
		if (!strcmp(how, how_names[HOW_LOST]) || !strcmp(how, how_names[HOW_SIGNAL]))
			++*ret_failures;
	}
}

void journal_command_ended(struct journal *j, int exit_code, int signal)
{
	json_object_set_new(last_attempt(j), "command_ended",
		json_pack("{s:i, s:i}", "exit_code", exit_code, "signal", signal));
}

int journal_command_end(const struct journal *j, int *ret_exit_code, int *ret_signal)
{
	const json_t *all = json_object_get(j->root, "attempts"), *end;

	for (size_t i = json_array_size(all); i > 0; i--) {
		end = json_object_get(json_array_get(all, i - 1), "command_ended");
		if (!json_is_object(end))
			continue;
		*ret_exit_code = (int)number_of(end, "exit_code", 0);
		*ret_signal = (int)number_of(end, "signal", 0);
		return 0;
	}
	return -ENOENT;
}

void journal_end(struct journal *j, enum journal_how how, int exit_code, int signal)
{
	json_t *a = last_attempt(j);

	json_object_set_new(a, "ended", json_time(now_real_ns()));
	json_object_set_new(a, "how", json_string(how_names[how]));
	json_object_set_new(a, "exit_code", json_integer(exit_code));
	json_object_set_new(a, "signal", signal ? json_integer(signal) : json_null());
	json_object_set_new(a, "next_checkpoint", json_null());
}

void journal_note(struct journal *j, const char *key, json_t *value)
{
	json_object_set_new(last_attempt(j), key, value);
}

uint64_t journal_last_end_ns(const struct journal *j)
{
	return parse_time(text_of(last_attempt(j), "ended"));
}

int journal_attempts(const struct journal *j)
{
	return (int)json_array_size(json_object_get(j->root, "attempts"));
}

static enum journal_how how_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(how_names); i++)
		if (!strcmp(text, how_names[i]))
			return (enum journal_how)i;
	return HOW_RUNNING;
}

int journal_last(const struct journal *j, struct journal_attempt *ret)
{
	const json_t *a = last_attempt(j);

	if (!json_is_object(a))
		return -ENOENT;
	*ret = (struct journal_attempt){
		.host = text_of(a, "host"),
		.boot_id = text_of(a, "boot_id"),
		.pid = (pid_t)number_of(a, "pid", 0),
		.pid_start = (uint64_t)number_of(a, "pid_start", 0),
		.started_ns = parse_time(text_of(a, "started")),
		.next_checkpoint_ns = parse_time(text_of(a, "next_checkpoint")),
		.interval_ns =
			(uint64_t)(MAX(json_number_value(json_object_get(a, "interval")), 0.0) *
				   (double)NS_PER_SEC),
		.interval_reason = text_of(a, "interval_reason"),
		.how = how_of(text_of(a, "how")),
		.resumable = json_is_true(json_object_get(a, "resumable")),
		.exit_code = (int)number_of(a, "exit_code", -1),
		.signal = (int)number_of(a, "signal", 0),
		.checkpoint_signal = (int)number_of(a, "checkpoint_signal", 0),
	};
	return 0;
}

uint64_t journal_first_start_ns(const struct journal *j)
{
	return parse_time(
		text_of(json_array_get(json_object_get(j->root, "attempts"), 0), "started"));
}

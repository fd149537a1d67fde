/* cragon diagnose: why the last attempt of a job ended, and what to do. */
#include "cli/options.h"
#include "cli/print.h"
#include "diag/history.h"
#include "job/jobdir.h"
#include "job/workdir.h"

#include <errno.h>

struct diagnosed { /* a job directory, read */
	struct job_view view;
	struct workdir dir;
	struct journal journal;
};

static void diagnosed_done(struct diagnosed *d)
{
	job_view_done(&d->view);
	workdir_done(&d->dir);
	journal_done(&d->journal);
}

static int diagnosed_open(const char *name, struct diagnosed *d, struct err *e)
{
	int r = job_find(name, &d->view, e);

	if (r == 0)
		r = workdir_open(&d->dir, d->view.directory, e);
	return r < 0 ? r : journal_load(&d->journal, d->dir.fd, e);
}

static const json_t *attempts_of(const struct diagnosed *d)
{
	return json_object_get(d->journal.root, "attempts");
}

static void diagnose(const struct diagnosed *d, size_t i, struct diagnosis *ret)
{
	size_t n = json_array_size(attempts_of(d));
	bool running = i + 1 == n && d->view.state == JOB_RUNNING;

	history_diagnose(
		json_array_get(attempts_of(d), i), d->dir.fd, d->view.directory, running, ret);
}

/* ---- answers -------------------------------------------------------------------------- */

static json_t *attempt_json(const struct diagnosed *d, size_t i)
{
	const json_t *attempt = json_array_get(attempts_of(d), i);
	struct diagnosis result;
	json_t *o;

	diagnose(d, i, &result);
	o = diag_to_json(&result);
	if (!o)
		return NULL;
	json_object_set_new(o, "id", json_text(d->view.id));
	json_object_set_new(o, "directory", json_text(d->view.directory));
	json_object_set_new(o, "attempt", json_integer((json_int_t)i + 1));
	json_object_set(o, "started", json_object_get(attempt, "started"));
	json_object_set(o, "ended", json_object_get(attempt, "ended"));
	json_object_set_new(o, "forecast",
		i + 1 == json_array_size(attempts_of(d)) &&
				json_object_get(d->journal.root, "forecast")
			? json_incref(json_object_get(d->journal.root, "forecast"))
			: json_null());
	return o;
}

static int answer_json(const struct diagnosed *d, bool all)
{
	size_t n = json_array_size(attempts_of(d));
	json_t *array;

	if (!all)
		return cli_print_json(attempt_json(d, n - 1));
	array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, attempt_json(d, i));
	return cli_print_json(array);
}

static enum diag_cause text_attempt(const struct diagnosed *d, size_t i, struct buf *b)
{
	const json_t *attempt = json_array_get(attempts_of(d), i);
	const char *started = json_string_value(json_object_get(attempt, "started")),
		   *host = json_string_value(json_object_get(attempt, "host"));
	struct diagnosis result;

	buf_printf(b, "attempt %zu, started ", i + 1);
	text_add(b, started ? started : "at an unknown time");
	buf_str(b, " on ");
	text_add(b, host ? host : "an unknown host");
	buf_str(b, "\n");
	diagnose(d, i, &result);
	diag_print(&result, b);
	return result.cause;
}

static bool lacked_memory(enum diag_cause cause)
{
	return cause == DIAG_ALLOCATION_FAILED || cause == DIAG_OOM_KILLED ||
	       cause == DIAG_MEMORY_LIMIT;
}

static int answer_text(const struct diagnosed *d, bool all)
{
	const json_t *forecast = json_object_get(d->journal.root, "forecast");
	const char *text = json_string_value(json_object_get(forecast, "text"));
	size_t n = json_array_size(attempts_of(d));
	cleanup_buf struct buf b = {0};
	enum diag_cause cause = DIAG_UNKNOWN;

	for (size_t i = all ? 0 : n - 1; i < n; i++) {
		cause = text_attempt(d, i, &b);
		if (i + 1 < n)
			buf_str(&b, "\n");
	}
	if (text && lacked_memory(cause)) {
		buf_str(&b, "memory:   ");
		text_add(&b, text);
		buf_str(&b, "\n");
	}
	return cli_print(&b);
}

static int diagnose_exec(struct invocation *inv)
{
	cleanup(diagnosed_done) struct diagnosed d = {.dir = WORKDIR_NONE};
	struct err e = {0};

	if (diagnosed_open(inv->argv[0], &d, &e) < 0)
		return cli_fail(&e);
	if (!json_array_size(attempts_of(&d))) {
		err_set(&e, -ENOENT, WHY_NO_JOB, "%s: job.json knows of no attempt",
			d.view.directory);
		return cli_fail(&e);
	}
	return inv->settings.json ? answer_json(&d, inv->all) : answer_text(&d, inv->all);
}

const struct command cmd_diagnose = {
	.name = "diagnose",
	.operands = "[JOB]",
	.summary = "say why a run ended, and what to do",
	.text = "The cause is one of a fixed list; with it come the evidence that was found, one "
		"line of what to do, and whether Cragon resumes the job by itself after it. JOB is "
		"a "
		"job directory of any age or an id from 'cragon list'; left out, it is the only "
		"running job or the newest one under the current directory.",
	.options = diagnose_options,
	.max_operands = 1,
	.exec = diagnose_exec,
};

/* cragon list: the user's jobs, newest first, one line each. */
#include "cli/jobview.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/table.h"
#include "base/io.h"
#include "base/units.h"

struct jobs {
	struct job_view *views;
	size_t n;
};

static void jobs_done(struct jobs *j)
{
	for (size_t i = 0; i < j->n; i++)
		job_view_done(&j->views[i]);
	free(j->views);
}

static void list_duration(struct table *t, uint64_t ns)
{
	char text[32];

	duration_format(ns, text);
	table_cell(t, text);
}

static void list_row(struct table *t, const struct job_view *v, uint64_t now)
{
	cleanup_buf struct buf command = {0};

	table_cell(t, v->id);
	table_cell(t, job_state_name(v->state));
	if (v->pid)
		table_printf(t, "%d", (int)v->pid);
	else
		table_cell(t, "-");
	table_printf(t, "%llu", (unsigned long long)v->images);
	if (v->last_image)
		list_duration(t, elapsed_ns(now, v->last_image_ns));
	else
		table_cell(t, "-");
	if (v->state == JOB_RUNNING)
		list_duration(t, jobview_at_risk_ns(v, now));
	else
		table_cell(t, "-");
	table_cell(t, v->directory);
	text_command(&command, v->command);
	table_cell(t, command.data ? command.data : "");
}

static int list_text(const struct jobs *jobs)
{
	static const char *const heading[] = {
		"ID", "STATE", "PID", "IMAGES", "AGE", "AT RISK", "DIRECTORY", "COMMAND", NULL};
	cleanup_table struct table t = {.columns = "llrrrrll"};
	cleanup_buf struct buf b = {0};
	uint64_t now = now_real_ns();

	table_cells(&t, heading);
	for (size_t i = 0; i < jobs->n; i++)
		list_row(&t, &jobs->views[i], now);
	table_print(&t, 0, &b);
	return cli_print(&b);
}

static int list_exec(struct invocation *inv)
{
	cleanup(jobs_done) struct jobs jobs = {0};
	struct err e = {0};
	json_t *array;

	if (job_list(&jobs.views, &jobs.n, &e) < 0)
		return cli_fail(&e);
	if (!inv->settings.json)
		return list_text(&jobs);
	array = json_array();
	for (size_t i = 0; i < jobs.n; i++)
		json_array_append_new(array, jobview_json(&jobs.views[i]));
	return cli_print_json(array);
}

const struct command cmd_list = {
	.name = "list",
	.operands = "",
	.summary = "list this user's jobs",
	.text = "One line for each job, the newest first: its id, whether it is running, stopped, "
		"done or lost, the process id of its cragon, how many images it has, the age of "
		"the newest one, and how much work would be lost if it ended now.",
	.options = listing_options,
	.exec = list_exec,
};

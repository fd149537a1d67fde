/* cragon status: one job in detail. */
#include "cli/jobview.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/table.h"
#include "base/io.h"
#include "base/units.h"

#include <inttypes.h>

static void pair(struct table *t, const char *name, const char *value)
{
	table_cell(t, name);
	table_cell(t, value);
}

static void state_row(struct table *t, const struct job_view *v)
{
	table_cell(t, "state");
	if (v->pid)
		table_printf(t, "%s, cragon has pid %d on %s", job_state_name(v->state),
			(int)v->pid, v->hostname ? v->hostname : "?");
	else if (v->exit_code >= 0)
		table_printf(t, "%s, exit code %d", job_state_name(v->state), v->exit_code);
	else
		table_cell(t, job_state_name(v->state));
}

static void image_rows(struct table *t, const struct job_view *v, uint64_t now)
{
	char age[32], when[40], pause[32], memory[32], stored[32];

	table_cell(t, "last image");
	if (!v->last_image) {
		table_cell(t, "none");
		return;
	}
	format_time(v->last_image_ns, when);
	duration_format(elapsed_ns(now, v->last_image_ns), age);
	table_printf(t, "number %" PRIu64 " of %s, %s ago", v->last_image, when, age);
	duration_format(v->last_pause_ns, pause);
	duration_format(v->last_duration_ns, age);
	table_cell(t, "");
	table_printf(t, "the job was held for %s; the checkpoint took %s", pause, age);
	size_format(v->last_memory_bytes, memory);
	size_format(v->last_stored_bytes, stored);
	table_cell(t, "");
	table_printf(t, "%s of memory, %s stored", memory, stored);
	size_format(v->image_bytes, stored);
	table_cell(t, "images");
	table_printf(t, "%" PRIu64 ", %s in all", v->images, stored);
}

static void running_rows(struct table *t, const struct job_view *v, uint64_t now)
{
	char text[32];

	table_cell(t, "next checkpoint");
	if (!v->next_checkpoint_ns) {
		table_cell(t, "none planned");
	} else {
		duration_format(elapsed_ns(v->next_checkpoint_ns, now), text);
		table_printf(t, "in %s", text);
	}
	if (v->interval_reason && *v->interval_reason) {
		duration_format(v->interval_ns, text);
		table_cell(t, "interval");
		table_printf(t, "%s: %s", v->interval_ns ? text : "none", v->interval_reason);
	}
	duration_format(jobview_at_risk_ns(v, now), text);
	pair(t, "at risk", text);
}

static int status_text(const struct job_view *v)
{
	cleanup_table struct table t = {.columns = "ll"};
	cleanup_buf struct buf command = {0}, b = {0};
	uint64_t now = now_real_ns();
	char when[40];

	text_command(&command, v->command);
	pair(&t, "job", v->id);
	pair(&t, "directory", v->directory);
	pair(&t, "command", command.data ? command.data : "");
	state_row(&t, v);
	if (v->started_ns) {
		format_time(v->started_ns, when);
		pair(&t, "started", when);
	}
	table_cell(&t, "attempts");
	table_printf(&t, "%d", v->attempts);
	image_rows(&t, v, now);
	if (v->state == JOB_RUNNING)
		running_rows(&t, v, now);
	table_print(&t, 0, &b);
	return cli_print(&b);
}

static int status_exec(struct invocation *inv)
{
	cleanup(job_view_done) struct job_view view = {0};
	struct err e = {0};

	if (job_find(inv->argv[0], &view, &e) < 0)
		return cli_fail(&e);
	return inv->settings.json ? cli_print_json(jobview_json(&view)) : status_text(&view);
}

const struct command cmd_status = {
	.name = "status",
	.operands = "[JOB]",
	.summary = "show one job in detail",
	.text = "JOB is a job directory or an id from 'cragon list'; left out, it is the only "
		"running job or the newest one under the current directory.",
	.options = listing_options,
	.max_operands = 1,
	.exec = status_exec,
};

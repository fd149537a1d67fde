/*
 * cragon check: can this machine, and this program, be checkpointed? Every row
 * is found by trying.
 */
#include "cli/check_rows.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/table.h"
#include "job/trial.h"

#include <errno.h>

static const char trial_remedy[] =
	"doc/support.md lists what can be checkpointed; --no-namespace may help";

static void on_step(void *ctx, const char *step, bool ok, const char *text)
{
	check_add(ctx, step, ok ? CHECK_OK : CHECK_FAILED, text, *step == 's' ? "" : trial_remedy);
}

static int print_rows_json(const struct check *c)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < c->n; i++)
		json_array_append_new(list,
			json_pack("{s:o, s:s, s:o, s:o}", "name", json_text(c->row[i].name),
				"state", check_state_name(c->row[i].state), "means",
				json_text(c->row[i].means), "remedy",
				c->row[i].remedy[0] ? json_text(c->row[i].remedy) : json_null()));
	return cli_print_json(list);
}

static int print_rows(const struct check *c)
{
	cleanup_table struct table t = {.columns = "lll"};
	cleanup_buf struct buf out = {0};

	for (size_t i = 0; i < c->n; i++) {
		const struct check_row *row = &c->row[i];

		table_cell(&t, check_state_name(row->state));
		table_cell(&t, row->name);
		table_cell(&t, row->means);
		if (!row->remedy[0])
			continue;
		table_cell(&t, "");
		table_cell(&t, "");
		table_printf(&t, "-> %s", row->remedy);
	}
	table_print(&t, 0, &out);
	return cli_print(&out);
}

static bool anything_missing(const struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->row[i].state >= CHECK_MISSING)
			return true;
	return false;
}

static int check_exec(struct invocation *inv)
{
	cleanup_free struct check *c = calloc(1, sizeof *c);
	struct err e = {0};
	int r = 1;

	if (!c) {
		err_sys(&e, -ENOMEM, "check");
		return cli_fail(&e);
	}
	check_machine(c);
	if (inv->argc)
		r = trial_run(&inv->settings, inv->argv, inv->settings.terminal > LOG_WARN, on_step,
			c, &e);
	if (r < 0)
		return cli_fail(&e);
	r = inv->settings.json ? print_rows_json(c) : print_rows(c);
	return r ? r : anything_missing(c);
}

const struct command cmd_check = {
	.name = "check",
	.operands = "[COMMAND [ARG...]]",
	.summary = "tell whether this machine, and COMMAND, can be checkpointed",
	.text = "One row for each thing Cragon needs of the machine: ok, limited (Cragon works, "
		"with the restriction named) or missing (no checkpoint is possible), with what "
		"can be done about it.\n\n"
		"With COMMAND it is tried for real: started, checkpointed after a second, ended, "
		"resumed, ended after another second. What COMMAND does to files is real, too. "
		"Its output is shown with -v.\n\n"
		"The exit code is 0 when nothing is missing and every step worked, else 1.",
	.options = check_options,
	.max_operands = -1,
	.stop_at_operand = true,
	.exec = check_exec,
};

/* cragon prune: applies a job's retention policy now. */
#include "cli/options.h"
#include "cli/print.h"
#include "job/jobdir.h"
#include "job/journal.h"
#include "job/workdir.h"

#include <inttypes.h>

struct pruned {
	struct buf text;
	json_t *json;
	bool dry;
};

static void pruned_done(struct pruned *p)
{
	buf_done(&p->text);
	json_decref(p->json);
}

static void image_gone(void *ctx, uint64_t number, const char *name)
{
	struct pruned *p = ctx;

	buf_str(&p->text, p->dry ? "would delete " : "deleted ");
	text_add(&p->text, name);
	buf_str(&p->text, "\n");
	json_array_append_new(p->json, json_integer((json_int_t)number));
}

/* What the job was last run with; the command line may say otherwise. */
static int get_policy(const char *directory, struct settings *s, struct err *e)
{
	cleanup(workdir_done) struct workdir dir = WORKDIR_NONE;
	cleanup(journal_done) struct journal journal = {0};
	int r = workdir_open(&dir, directory, e);

	if (r == 0)
		r = journal_load(&journal, dir.fd, e);
	if (r == 0)
		journal_get_settings(&journal, s);
	return r;
}

static int stays(const char *directory, size_t *ret, struct err *e)
{
	struct store_entry *entries = NULL;
	int r = store_list(directory, &entries, ret, NULL, e);

	store_entries_free(entries, *ret);
	return r;
}

static int prune_exec(struct invocation *inv)
{
	cleanup(job_view_done) struct job_view view = {0};
	cleanup(pruned_done) struct pruned p = {.json = json_array(), .dry = inv->dry_run};
	struct store_policy policy;
	struct err e = {0};
	size_t left = 0;
	int r;

	if (job_find(inv->argv[0], &view, &e) < 0 ||
		get_policy(view.directory, &inv->settings, &e) < 0)
		return cli_fail(&e);
	policy = settings_retention(&inv->settings);
	r = store_prune(view.directory, &policy, inv->dry_run, image_gone, &p, &e);
	if (r < 0 || stays(view.directory, &left, &e) < 0)
		return cli_fail(&e);
	if (inv->dry_run)
		left -= MIN(left, json_array_size(p.json));
	if (inv->settings.json)
		return cli_print_json(
			json_pack("{s:O, s:I}", "deleted", p.json, "kept", (json_int_t)left));
	buf_printf(&p.text, "%zu image%s kept\n", left, left == 1 ? "" : "s");
	return cli_print(&p.text);
}

const struct command cmd_prune = {
	.name = "prune",
	.operands = "[JOB]",
	.summary = "delete the images that the retention policy does not keep",
	.text = "Without options the policy is the one that the job was last run with. The newest "
		"image is never deleted, whatever the quota says.",
	.options = prune_options,
	.max_operands = 1,
	.exec = prune_exec,
};

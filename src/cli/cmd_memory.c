/* cragon memory: raises, or lowers, the limits of a running job's memory. */
#include "cli/options.h"
#include "cli/print.h"
#include "base/units.h"
#include "job/control.h"
#include "job/jobdir.h"

#include <errno.h>

static int memory_exec(struct invocation *inv)
{
	cleanup(job_view_done) struct job_view view = {0};
	const char *job = inv->argc > 1 ? inv->argv[0] : NULL, *size = inv->argv[inv->argc - 1];
	cleanup_buf struct buf out = {0};
	json_t *request, *answer = NULL;
	struct err e = {0};
	uint64_t bytes = 0;
	int r;

	if (size_parse(size, &bytes) < 0 || !bytes) {
		err_set(&e, -EINVAL, WHY_USAGE, "'%s' is not a size of memory: write " SIZE_FORMS,
			size);
		return cli_fail(&e);
	}
	if (job_find(job, &view, &e) < 0)
		return cli_fail(&e);
	request = json_pack("{s:s, s:I}", "op", "memory", "bytes", (json_int_t)bytes);
	r = control_ask(view.directory, request, &answer, &e);
	json_decref(request);
	if (r < 0)
		return cli_fail(&e);
	if (!json_is_true(json_object_get(answer, "ok")))
		err_set(&e, -EIO, WHY_SYSTEM, "%s",
			json_string_value(json_object_get(answer, "text"))
				? json_string_value(json_object_get(answer, "text"))
				: "cragon's answer cannot be understood");
	else
		text_add(&out, json_string_value(json_object_get(answer, "text")));
	json_decref(answer);
	if (e.code)
		return cli_fail(&e);
	buf_str(&out, "\n");
	return cli_print(&out);
}

const struct command cmd_memory = {
	.name = "memory",
	.operands = "[JOB] SIZE",
	.summary = "set the memory limits of a running job",
	.text = "Sets the soft limits of address space and data (ulimit -v, -d) of all processes "
		"of "
		"the job to SIZE, as far as their hard limits allow, and --memory-max where it was "
		"given.",
	.options = plain_options,
	.min_operands = 1,
	.max_operands = 2,
	.exec = memory_exec,
};

/* cragon report: the job's story as one HTML page. */
#include "cli/options.h"
#include "cli/print.h"
#include "job/jobdir.h"
#include "report/report.h"

#include <string.h>
#include <sys/stat.h>

static int print_page(const char *directory)
{
	cleanup_buf struct buf page = {0};
	struct err e = {0};

	if (report_build(directory, &page, &e) < 0)
		return cli_fail(&e);
	return cli_print(&page);
}

static int write_page(const char *directory, const char *path)
{
	cleanup_buf struct buf line = {0};
	struct err e = {0};

	if (report_write(directory, path, &e) < 0)
		return cli_fail(&e);
	if (path)
		text_add(&line, path);
	else
		text_add(&line, directory), buf_str(&line, "/" REPORT_NAME);
	buf_str(&line, "\n");
	return cli_print(&line);
}

static int report_exec(struct invocation *inv)
{
	cleanup(job_view_done) struct job_view job = {0};
	const char *directory = inv->argc ? inv->argv[0] : NULL;
	struct err e = {0};
	struct stat st;

	/* A directory is taken as it is: a report can be made of a damaged job.json. */
	if (!directory || stat(directory, &st) < 0 || !S_ISDIR(st.st_mode)) {
		if (job_find(directory, &job, &e) < 0)
			return cli_fail(&e);
		directory = job.directory;
	}
	if (inv->output && !strcmp(inv->output, "-"))
		return print_page(directory);
	return write_page(directory, inv->output);
}

const struct command cmd_report = {
	.name = "report",
	.operands = "[JOB]",
	.summary = "write a page about a job: attempts, causes, memory, CPU, images",
	.text = "Writes one HTML file that needs nothing else, works offline, and can be sent to "
		"somebody; prints where it is. It shows each attempt and why it ended, checkpoints "
		"and "
		"pauses, what was saved and what it cost, memory and CPU of each process, failed "
		"allocations, and what the next try needs. JOB is a job directory or an id from "
		"\"cragon list\"; left out, it is the only running job or the newest under this "
		"directory. The job may still be running.",
	.options = report_options,
	.max_operands = 1,
	.exec = report_exec,
};

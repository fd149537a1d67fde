/* The top of the page: what the job is, how it went, why it ended, what it cost. */
#include "report/page.h"
#include "report/text.h"

#include <string.h>

static const struct report_attempt *last_attempt(const struct report *r)
{
	return r->n_attempts ? &r->attempts[r->n_attempts - 1] : NULL;
}

/* As a shell would read it back, so that the user can. */
static void add_word(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./=:,@%+";

	if (*word && !word[strspn(word, plain)]) {
		buf_str(b, word);
		return;
	}
	buf_str(b, "'");
	for (const char *c = word; *c; c++)
		if (*c == '\'')
			buf_str(b, "'\\''");
		else
			buf_add(b, c, 1);
	buf_str(b, "'");
}

static void add_command(struct buf *html, const struct report *r)
{
	const json_t *command = json_object_get(r->root, "command"), *word;
	cleanup_buf struct buf b = {0};
	size_t i;

	json_array_foreach(command, i, word)
	{
		if (b.len)
			buf_str(&b, " ");
		add_word(&b, json_is_string(word) ? json_string_value(word) : "?");
	}
	html_text_n(html, b.len ? b.data : "a job whose command is not known",
		b.len ? b.len : strlen("a job whose command is not known"));
}

static void verdict(struct buf *b, const struct report *r)
{
	const struct report_attempt *last = last_attempt(r);
	uint64_t lasted = 0;

	if (!last) {
		buf_str(b, "<p class=\"verdict held\"><strong>Not started</strong> No attempt to "
			   "run it "
			   "has been written down.</p>\n");
		return;
	}
	lasted = last->ended_ns > last->started_ns ? last->ended_ns - last->started_ns : 0;
	buf_printf(b, "<p class=\"verdict %s\"><strong>", page_how(last));
	switch (last->how) {
	case REPORT_RUNNING:
		buf_str(b, "Running</strong> for ");
		page_duration(b, lasted);
		break;
	case REPORT_EXIT:
		if (last->exit_code == 0)
			buf_str(b, "Finished</strong> with exit code 0");
		else if (last->exit_code > 0)
			buf_printf(b, "Failed</strong> with exit code %d", last->exit_code);
		else
			buf_str(b, "Exited</strong>");
		break;
	case REPORT_SIGNAL:
		buf_str(b, "Failed</strong> ");
		page_outcome(b, last);
		break;
	case REPORT_STOPPED:
		buf_str(b, "Stopped</strong> with an image to resume from");
		break;
	case REPORT_LOST:
		buf_str(b, "Lost</strong> without a word: Cragon was killed, or its machine went "
			   "down");
		break;
	}
	if (r->n_attempts > 1)
		buf_printf(b, ", in attempt %zu", r->n_attempts);
	if (*last->host) {
		buf_str(b, ", on ");
		html_text(b, last->host);
	}
	buf_str(b, ".</p>\n");
}

static void fact(struct buf *b, const char *name)
{
	buf_printf(b, "<div><dt>%s</dt><dd>", name);
}

void page_header(struct buf *b, const struct report *r)
{
	const char *id = json_text_of(r->root, "id"),
		   *directory = json_text_of(r->root, "directory");

	buf_str(b, "<header>\n<p class=\"kind\">Cragon report</p>\n<h1><code>");
	add_command(b, r);
	buf_str(b, "</code></h1>\n");
	verdict(b, r);
	buf_str(b, "<dl class=\"facts\">");
	if (*id) {
		fact(b, "Job");
		html_text(b, id);
		buf_str(b, "</dd></div>");
	}
	fact(b, "Started");
	page_time(b, report_begin(r));
	buf_str(b, "</dd></div>");
	if (last_attempt(r) && last_attempt(r)->how != REPORT_RUNNING) {
		fact(b, "Ended");
		page_time(b, report_end(r));
		buf_str(b, last_attempt(r)->end_estimated ? " (last sign of life)</dd></div>"
							  : "</dd></div>");
	}
	if (*directory) {
		fact(b, "Directory");
		html_text(b, directory);
		buf_str(b, "</dd></div>");
	}
	buf_str(b, "</dl>\n</header>\n");
}

/* ---- diagnosis --------------------------------------------------------------------- */

static const char *cause_in_words(const char *cause)
{
	static const struct {
		const char *cause, *words;
	} rows[] = {{"done", "The program is done"},
		{"exit-nonzero", "The program ended with an error of its own"},
		{"allocation-failed", "Memory was refused"},
		{"oom-killed", "Killed because memory ran out"},
		{"memory-limit", "Close to the memory limit"},
		{"time-limit", "The time limit came"}, {"cpu-limit", "The limit of CPU time came"},
		{"file-size-limit", "A file reached the size limit"},
		{"disk-full", "The disk was full"}, {"crash", "The program crashed"},
		{"abort", "The program aborted"}, {"preempted", "Preempted by the scheduler"},
		{"cancelled-by-user", "Cancelled by the user"},
		{"node-lost", "The machine was lost"},
		{"missing-library-or-file", "A library or file is missing"},
		{"cpu-feature", "The CPU lacks an instruction"},
		{"hung", "The program made no progress"}, {"unknown", "The cause is not known"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(cause, rows[i].cause))
			return rows[i].words;
	return cause;
}

void page_diagnosis(struct buf *b, const struct report *r)
{
	const struct report_attempt *a = last_attempt(r);
	const json_t *line;
	size_t i;

	/* While it runs, why the attempt before ended is what there is to know. */
	if (a && a->how == REPORT_RUNNING)
		a = r->n_attempts > 1 ? a - 1 : NULL;
	if (!a || !*a->cause || !strcmp(a->cause, "done"))
		return;
	buf_printf(b, "<section class=\"diagnosis %s\" aria-labelledby=\"why\">\n<h2 id=\"why\">",
		page_how(a));
	if (a != last_attempt(r))
		buf_str(b, "Why the attempt before ended: ");
	html_text(b, cause_in_words(a->cause));
	buf_str(b, "</h2>\n<p class=\"cause\"><code>");
	html_text(b, a->cause);
	buf_printf(b, "</code>%s</p>\n", a->recoverable ? " Another try can succeed." : "");
	if (json_array_size(a->evidence)) {
		buf_str(b, "<ul class=\"evidence\">");
		json_array_foreach(a->evidence, i, line)
		{
			if (i == 20)
				break;
			if (!json_is_string(line))
				continue;
			buf_str(b, "<li>");
			html_text(b, json_string_value(line));
			buf_str(b, "</li>");
		}
		buf_str(b, "</ul>\n");
	}
	if (*a->remedy) {
		buf_str(b, "<p class=\"remedy\"><strong>What to do</strong> ");
		html_text(b, a->remedy);
		buf_str(b, "</p>\n");
	}
	if (*a->next) {
		buf_str(b, "<p class=\"remedy\"><strong>What comes next</strong> ");
		html_text(b, a->next);
		buf_str(b, "</p>\n");
	}
	buf_str(b, "</section>\n");
}

/* ---- tiles ----------------------------------------------------------------------------- */

static void tile(struct buf *b, const char *name, const struct buf *value, const struct buf *note)
{
	buf_printf(b,
		"<div class=\"tile\"><dt>%s</dt><dd>%s</dd><dd class=\"note\">%s</dd></div>\n",
		name, value->data ? value->data : "0", note->data ? note->data : "");
}

static void tile_counts(struct buf *b, const struct report *r, const struct report_totals *t)
{
	cleanup_buf struct buf value = {0}, note = {0};

	buf_printf(&value, "%zu", r->n_attempts);
	buf_printf(&note, "%llu resumed from an image", (unsigned long long)t->resumes);
	tile(b, "Attempts", &value, &note);
	buf_clear(&value);
	buf_clear(&note);
	page_duration(&value, t->wall_ns);
	page_duration(&note, t->running_ns);
	buf_str(&note, " of it running");
	tile(b, "Wall time", &value, &note);
}

static void tile_times(struct buf *b, const struct report_totals *t)
{
	cleanup_buf struct buf value = {0}, note = {0};

	page_duration(&value, t->saved_ns);
	buf_str(&note,
		t->resumes ? "of work that resumes did not do again" : "nothing had to be resumed");
	tile(b, "Time saved", &value, &note);
	buf_clear(&value);
	buf_clear(&note);
	page_duration(&value, t->pauses_ns + t->repeated_ns);
	page_duration(&note, t->pauses_ns);
	buf_str(&note, " paused, ");
	page_duration(&note, t->repeated_ns);
	buf_str(&note, " of work repeated");
	tile(b, "Time spent", &value, &note);
}

void page_tiles(struct buf *b, const struct report *r)
{
	cleanup_buf struct buf value = {0}, note = {0};
	struct report_totals t;

	report_sum(r, &t);
	buf_str(b, "<dl class=\"tiles\">\n");
	tile_counts(b, r, &t);
	tile_times(b, &t);
	buf_printf(&value, "%llu", (unsigned long long)t.disk_images);
	page_size(&note, (double)t.disk_bytes);
	buf_printf(&note, "; %zu taken in all", r->n_images);
	tile(b, "Images on disk", &value, &note);
	buf_clear(&value);
	buf_clear(&note);
	buf_printf(&value, "%llu", (unsigned long long)r->calls_total);
	buf_str(&note, r->calls_total ? "listed below" : "none was refused");
	tile(b, "Failed allocations", &value, &note);
	buf_str(b, "</dl>\n");
}

/* What `run` and `restart` say at the end: see outcome.h. */
#include "cli/outcome.h"
#include "base/io.h"
#include "cli/print.h"

#include <string.h>

static const char *how_text(enum journal_how how)
{
	switch (how) {
	case HOW_EXIT:
		return "exit";
	case HOW_SIGNAL:
		return "signal";
	case HOW_STOPPED:
		return "stopped";
	case HOW_LOST:
		return "lost";
	case HOW_RUNNING:
		break;
	}
	return "running";
}

int outcome_exit(const struct invocation *inv, const struct launched *l)
{
	const struct outcome *o = &l->outcome;
	cleanup_free char *text = NULL;
	json_t *answer;

	if (!inv->settings.json)
		return o->exit_code;
	answer = json_pack("{s:s, s:o, s:s, s:i, s:o, s:i, s:o}", "id", l->id, "directory",
		json_text(l->directory), "how", how_text(o->how), "exit_code", o->exit_code,
		"signal", o->signal ? json_integer(o->signal) : json_null(), "checkpoints",
		(int)o->checkpoints, "last_image",
		o->last_image ? json_integer((json_int_t)o->last_image) : json_null());
	text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	if (text) {
		text[strlen(text)] = '\n';
		(void)io_write(STDERR_FILENO, text, strchr(text, '\n') - text + 1u);
	}
	return o->exit_code;
}

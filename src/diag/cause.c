/* Causes by name, and a diagnosis as JSON and as text. */
#include "diag/diag.h"
#include "diag/text.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	bool recoverable;
} causes[] = {
#define X(name, text, recoverable) [DIAG_##name] = {text, recoverable},
	DIAG_CAUSES(X)
#undef X
};

static const char *const stops[] = {
#define X(name, text) [DIAG_STOP_##name] = text,
	DIAG_STOPS(X)
#undef X
};

const char *diag_cause_name(enum diag_cause cause)
{
	return (size_t)cause < ARRAY_LEN(causes) ? causes[cause].name : "unknown";
}

bool diag_cause_recoverable(enum diag_cause cause)
{
	return (size_t)cause < ARRAY_LEN(causes) && causes[cause].recoverable;
}

static int cause_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(causes); i++)
		if (!strcmp(name, causes[i].name))
			return (int)i;
	return -ENOENT;
}

enum diag_cause diag_cause_of(const char *name)
{
	int i = cause_find(name);

	return i < 0 ? DIAG_UNKNOWN : (enum diag_cause)i;
}

const char *diag_stop_name(enum diag_stop stop)
{
	return (size_t)stop < ARRAY_LEN(stops) ? stops[stop] : stops[DIAG_STOP_NONE];
}

enum diag_stop diag_stop_of(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(stops); i++)
		if (!strcmp(name, stops[i]))
			return (enum diag_stop)i;
	return DIAG_STOP_NONE;
}

json_t *diag_to_json(const struct diagnosis *d)
{
	json_t *evidence = json_array();

	/* Only text goes in: words of the rules, and what facts were checked for. */
	for (size_t i = 0; i < d->n_evidence; i++)
		json_array_append_new(evidence, json_string(d->evidence[i]));
	return json_pack("{s:s, s:b, s:o, s:s}", "cause", diag_cause_name(d->cause), "recoverable",
		d->recoverable, "evidence", evidence, "remedy", d->remedy);
}

int diag_from_json(const json_t *o, struct diagnosis *ret)
{
	const char *remedy = json_string_value(json_object_get(o, "remedy"));
	int cause = cause_find(json_string_value(json_object_get(o, "cause")));
	const json_t *line;
	size_t i;

	if (cause < 0)
		return -EPROTO;
	*ret = (struct diagnosis){
		.cause = (enum diag_cause)cause,
		.recoverable = json_is_true(json_object_get(o, "recoverable")),
	};
	text_copy(ret->remedy, sizeof ret->remedy, remedy ? remedy : "", DIAG_LINE_MAX);
	json_array_foreach(json_object_get(o, "evidence"), i,
		line) if (json_is_string(line) && ret->n_evidence < DIAG_EVIDENCE_MAX)
		text_copy(ret->evidence[ret->n_evidence++], DIAG_LINE_MAX, json_string_value(line),
			DIAG_LINE_MAX);
	return 0;
}

static void print_line(struct buf *out, const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			buf_printf(out, "\\x%02x", (unsigned char)*c);
		else
			buf_add(out, c, 1);
	buf_str(out, "\n");
}

void diag_print(const struct diagnosis *d, struct buf *out)
{
	buf_printf(out, "cause:    %s%s\n", diag_cause_name(d->cause),
		d->cause == DIAG_DONE ? ""
		: d->recoverable      ? " (another try can succeed)"
				      : " (not resumed by itself)");
	for (size_t i = 0; i < d->n_evidence; i++) {
		buf_str(out, i ? "          " : "evidence: ");
		print_line(out, d->evidence[i]);
	}
	if (d->remedy[0]) {
		buf_str(out, "remedy:   ");
		print_line(out, d->remedy);
	}
}

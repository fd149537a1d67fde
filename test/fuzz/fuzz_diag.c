/*
 * What diagnosis reads from the user's files: records of crashes, facts in
 * job.json, records of the kernel's log. The first byte chooses. Whatever comes
 * in, the judgement has a cause and lines that are text.
 */
#include "fuzz.h"

#include "diag/collect.h"
#include "diag/crash.h"

#include <string.h>

static void judge(const struct diag_facts *f)
{
	static struct diagnosis d;
	json_t *o;

	diag_evaluate(f, &d);
	if (d.cause >= DIAG_CAUSE_COUNT || d.n_evidence > DIAG_EVIDENCE_MAX)
		abort();
	o = diag_to_json(&d);
	if (json_array_size(json_object_get(o, "evidence")) != d.n_evidence)
		abort();
	json_decref(o);
}

static void try_crash(char *text, struct diag_facts *f)
{
	struct crash_file module, target;

	if (crash_parse(text, &f->crash, &module, &target) < 0)
		return;
	f->how = DIAG_SIGNAL;
	f->signal = f->crash.signal;
}

static void try_facts(const char *text, size_t size, struct diag_facts *f)
{
	json_t *o = json_loadb(text, size, JSON_DECODE_ANY, NULL);

	diag_facts_from_json(o, f);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct diag_facts f;
	cleanup_free char *text = size ? malloc(size) : NULL;
	json_t *o;

	if (!text)
		return 0;
	memset(&f, 0, sizeof f);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	switch (data[0] % 4) {
	case 0:
		try_crash(text, &f);
		break;
	case 1:
		try_facts(text, size - 1, &f);
		break;
	case 2:
		strcpy(f.program, "a.out");
		kernel_log_record(&f, 0, text);
		break;
	default:
		f.how = DIAG_EXIT;
		f.exit_code = 1;
		diag_set_stderr(&f, text, size - 1);
	}
	judge(&f);
	o = diag_facts_to_json(&f);
	if (!o)
		abort();
	json_decref(o);
	return 0;
}

/*
 * The parsers of /proc texts on any text; a program chooses its own name, its
 * files' names and what it mounts. The first byte chooses the parser.
 */
#include "fuzz.h"

#include "sys/procfs.h"

#include <string.h>

static void try_vmas(char *text)
{
	char *cursor = text;
	struct proc_vma v;

	while (proc_next_vma(&cursor, &v) > 0) {
		if (v.start >= v.end || strlen(v.flags) >= sizeof v.flags)
			abort();
		(void)proc_vma_flag(&v, "rd");
		(void)strlen(v.path);
	}
}

static void try_status(const char *text)
{
	struct proc_status s = {0};

	if (proc_parse_status(text, &s) == 0)
		proc_status_done(&s);
}

static void try_stat(const char *text)
{
	struct proc_stat s;

	if (proc_parse_stat(text, &s) == 0 && strlen(s.comm) >= sizeof s.comm)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = size ? malloc(size) : NULL;
	const char *value;

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	switch (data[0] % 4) {
	case 0:
		try_stat(text);
		break;
	case 1:
		try_status(text);
		break;
	case 2:
		try_vmas(text);
		break;
	default:
		value = proc_field(text, "eventfd-count");
		if (value && (value < text || value > text + strlen(text)))
			abort();
	}
	return 0;
}

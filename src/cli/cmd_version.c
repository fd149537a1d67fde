/* cragon version: what this executable is. */
#include "cli/options.h"
#include "cli/print.h"

static int version_exec(struct invocation *inv)
{
	cleanup_buf struct buf b = {0};

	if (inv->settings.json)
		return cli_print_json(json_pack("{s:s, s:s, s:i, s:i}", "version", CRAGON_VERSION,
			"architecture", "x86_64", "format_major", IMAGE_FORMAT_MAJOR,
			"format_minor", IMAGE_FORMAT_MINOR));
	buf_printf(&b, "cragon %s (x86_64, image format %d.%d)\n", CRAGON_VERSION,
		IMAGE_FORMAT_MAJOR, IMAGE_FORMAT_MINOR);
	return cli_print(&b);
}

const struct command cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "print the version of cragon and of its image format",
	.options = listing_options,
	.exec = version_exec,
};

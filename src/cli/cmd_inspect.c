/* cragon inspect: what is in an image. */
#include "cli/images.h"
#include "cli/inspect.h"
#include "cli/options.h"
#include "cli/print.h"

static void image_close_p(struct image **image)
{
	image_close(*image);
}

static int inspect_exec(struct invocation *inv)
{
	cleanup_image_paths struct image_paths paths = {0};
	cleanup(image_close_p) struct image *image = NULL;
	bool every_area = inv->settings.terminal >= LOG_INFO;
	cleanup_buf struct buf b = {0};
	struct err e = {0};

	if (images_newest(inv->argv[0], &paths, &e) < 0 ||
		image_open(&image, paths.paths[0], &e) < 0)
		return cli_fail(&e);
	if (inv->settings.json)
		return cli_print_json(inspect_json(image, paths.paths[0], every_area));
	inspect_text(image, paths.paths[0], every_area, &b);
	return cli_print(&b);
}

const struct command cmd_inspect = {
	.name = "inspect",
	.operands = "IMAGE_DIR",
	.summary = "show what is in an image",
	.text = "Prints the process tree, threads, memory areas summed by kind, and open files. A "
		"job directory stands for the newest valid image in it. Only metadata is read; "
		"'cragon verify' checks the content.",
	.options = inspect_options,
	.min_operands = 1,
	.max_operands = 1,
	.exec = inspect_exec,
};

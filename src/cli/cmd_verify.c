/*
 * cragon verify: reads every byte of images and says of each whether it is
 * whole. Damage is an answer: it goes to standard output, with exit code 65.
 */
#include "cli/images.h"
#include "cli/options.h"
#include "cli/print.h"
#include "image/image.h"

struct verdicts {
	bool quiet;
	struct buf text;
	json_t *json;
	bool damaged;
	bool failed; /* no verdict: permission, no memory... */
};

static void verdicts_done(struct verdicts *v)
{
	buf_done(&v->text);
	json_decref(v->json);
}

static bool about_image(enum why why)
{
	return why == WHY_BAD_IMAGE || why == WHY_NEWER_IMAGE || why == WHY_NO_IMAGE;
}

/* `e` is NULL for a valid image. */
static void verdict(struct verdicts *v, const char *path, const struct err *e)
{
	json_t *row = json_pack("{s:o, s:b, s:o}", "image", json_text(path), "valid", e == NULL,
		"error", json_text(e ? e->text : NULL));

	json_array_append_new(v->json, row);
	if (e) {
		v->damaged = v->damaged || about_image(e->why);
		v->failed = v->failed || !about_image(e->why);
		text_add(&v->text, e->text);
		buf_str(&v->text, "\n");
	} else if (!v->quiet) {
		text_add(&v->text, path);
		buf_str(&v->text, ": valid\n");
	}
}

static void verify_operand(struct verdicts *v, const char *operand)
{
	cleanup_image_paths struct image_paths paths = {0};
	struct err e = {0};

	if (images_all(operand, &paths, &e) < 0) {
		verdict(v, operand, &e);
		return;
	}
	for (size_t i = 0; i < paths.n; i++)
		verdict(v, paths.paths[i], image_verify(paths.paths[i], &e) < 0 ? &e : NULL);
}

static int verify_exec(struct invocation *inv)
{
	cleanup(verdicts_done) struct verdicts v = {
		.quiet = inv->settings.terminal == LOG_ERROR, .json = json_array()};
	int r;

	for (int i = 0; i < inv->argc; i++)
		verify_operand(&v, inv->argv[i]);
	r = inv->settings.json ? cli_print_json(json_incref(v.json)) : cli_print(&v.text);
	if (r != 0)
		return r;
	if (v.damaged)
		return EXIT_BAD_IMAGE;
	return v.failed ? EXIT_CRAGON : 0;
}

const struct command cmd_verify = {
	.name = "verify",
	.operands = "IMAGE_DIR...",
	.summary = "check every checksum of images",
	.text = "Reads all of each image and prints one line about it. A job directory stands for "
		"all images in it. Nothing is changed.\n\n"
		"The exit status is 0 if all are valid and 65 if one is damaged.",
	.options = verify_options,
	.min_operands = 1,
	.max_operands = -1,
	.exec = verify_exec,
};

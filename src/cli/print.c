/* Standard output, and text from outside on it: see print.h. */
#include "cli/print.h"
#include "cli/command.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>

int cli_print(const struct buf *b)
{
	struct err e = {0};
	int r = buf_error(b);

	if (r == 0)
		r = io_write(STDOUT_FILENO, b->data, b->len);
	if (r == 0)
		return 0;
	err_sys(&e, r, "cannot write to standard output");
	return cli_fail(&e);
}

static void json_free_p(json_t **value)
{
	json_decref(*value);
}

int cli_print_json(json_t *value)
{
	cleanup(json_free_p) json_t *owned = value;
	cleanup_free char *text = owned ? json_dumps(owned, JSON_INDENT(2)) : NULL;
	cleanup_buf struct buf b = {0};

	if (text) {
		buf_str(&b, text);
		buf_str(&b, "\n");
	} else {
		b.bad = -ENOMEM;
	}
	return cli_print(&b);
}

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 127;
}

void text_add(struct buf *b, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (is_control((unsigned char)*c))
			buf_printf(b, "\\x%02x", (unsigned char)*c);
		else
			buf_add(b, c, 1);
	}
}

static void text_word(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./=:,@%+";

	if (*word && !word[strspn(word, plain)]) {
		buf_str(b, word);
		return;
	}
	buf_str(b, "'");
	for (const char *c = word; *c; c++) {
		if (*c == '\'')
			buf_str(b, "'\\''");
		else
			text_add(b, (char[]){*c, 0});
	}
	buf_str(b, "'");
}

void text_command(struct buf *b, char *const *words)
{
	for (size_t i = 0; words && words[i]; i++) {
		if (i)
			buf_str(b, " ");
		text_word(b, words[i]);
	}
}

json_t *json_text(const char *text)
{
	cleanup_buf struct buf b = {0};
	json_t *value;

	if (!text)
		return json_null();
	value = json_string(text);
	if (value)
		return value;
	/* Not UTF-8 (or no memory, which the second try will meet again). */
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c >= 128)
			buf_printf(&b, "\\x%02x", (unsigned char)*c);
		else
			buf_add(&b, c, 1);
	}
	return buf_error(&b) ? NULL : json_string(b.data);
}

/* The option parser: forms, order of sources, and what it says of mistakes. */
#include "util.h"

#include "cli/options.h"
#include "cli/suggest.h"

#include <errno.h>
#include <signal.h>

#define WORDS_MAX 32

static const struct command run = {.name = "run",
	.operands = "COMMAND [ARG...]",
	.options = run_options,
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true};
static const struct command restart = {.name = "restart",
	.operands = "[IMAGE_DIR]",
	.options = restart_options,
	.max_operands = 1};
static const struct command checkpoint = {.name = "checkpoint",
	.operands = "[JOB]",
	.options = checkpoint_options,
	.max_operands = 1};

struct parsed {
	struct invocation inv;
	struct err e;
	char words[512];
	char *argv[WORDS_MAX + 1];
	int r;
};

/* `line` is split at single spaces; two spaces in a row make an empty word. */
static void parse(struct parsed *p, const struct command *c, const char *line)
{
	int argc = 0;

	*p = (struct parsed){.inv.command = c};
	snprintf(p->words, sizeof p->words, "%s", line);
	for (char *w = p->words, *next; *line && w; w = next) {
		next = strchr(w, ' ');
		if (next)
			*next++ = 0;
		assert_true(argc < WORDS_MAX);
		p->argv[argc++] = w;
	}
	p->r = options_parse(&p->inv, argc, p->argv, &p->e);
}

static struct settings parsed_ok(const struct command *c, const char *line)
{
	struct parsed p;

	parse(&p, c, line);
	if (p.r < 0)
		fail_msg("%s: %s", line, p.e.text);
	return p.inv.settings;
}

/* Fails with usage, and the message has `part` in it. */
static void parsed_bad(const struct command *c, const char *line, const char *part)
{
	struct parsed p;

	parse(&p, c, line);
	assert_int_equal(p.r, -EINVAL);
	assert_int_equal(p.e.why, WHY_USAGE);
	if (!strstr(p.e.text, part))
		fail_msg("'%s' says: %s", line, p.e.text);
}

static void defaults(void **state)
{
	struct settings s = parsed_ok(&run, "prog");

	assert_null(s.directory);
	assert_int_equal(s.interval_mode, INTERVAL_AUTO);
	assert_int_equal(s.max_time_ns, 0);
	assert_int_equal(s.keep, 2);
	assert_false(s.raw || s.resume || s.wait_all || s.json);
	assert_int_equal(s.stop_code, 75);
	assert_int_equal(s.signal_checkpoint, SIGUSR1);
	assert_int_equal(s.namespaces, NAMESPACES_AUTO);
	assert_int_equal(s.terminal, LOG_WARN);
	assert_int_equal(s.given, 0);
}

static void forms(void **state)
{
	static const char *const lines[] = {"-w d prog", "-wd prog", "--working-directory d prog",
		"--working-directory=d prog", "-qwd prog", "-q -w d -- prog"};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct parsed p;

		parse(&p, &run, lines[i]);
		assert_int_equal(p.r, 0);
		assert_string_equal(p.inv.settings.directory, "d");
		assert_int_equal(p.inv.argc, 1);
		assert_string_equal(p.inv.argv[0], "prog");
		assert_null(p.inv.argv[1]);
	}
}

static void every_option(void **state)
{
	struct settings s = parsed_ok(&run,
		"-i 10m -m 1-00:00:00 -k5 --compress zstd:9 --resume --stop-code 0 "
		"--signal-checkpoint SIGUSR2 --no-namespace --wait-all --json -q prog");

	assert_int_equal(s.interval_mode, INTERVAL_FIXED);
	assert_int_equal(s.interval_ns, 600 * NS_PER_SEC);
	assert_int_equal(s.max_time_ns, 86400 * NS_PER_SEC);
	assert_int_equal(s.keep, 5);
	assert_false(s.raw);
	assert_int_equal(s.zstd_level, 9);
	assert_int_equal(s.stop_code, 0);
	assert_int_equal(s.signal_checkpoint, SIGUSR2);
	assert_int_equal(s.namespaces, NAMESPACES_NONE);
	assert_true(s.resume && s.wait_all && s.json);
	assert_int_equal(s.terminal, LOG_ERROR);
	assert_int_equal(s.given, SETTING_INTERVAL | SETTING_MAX_TIME | SETTING_KEEP |
					  SETTING_COMPRESS | SETTING_STOP_CODE | SETTING_SIGNAL |
					  SETTING_NAMESPACES | SETTING_WAIT_ALL);
}

static void values(void **state)
{
	assert_int_equal(parsed_ok(&run, "-i off p").interval_mode, INTERVAL_OFF);
	assert_int_equal(parsed_ok(&run, "-i off -i auto p").interval_mode, INTERVAL_AUTO);
	assert_int_equal(parsed_ok(&run, "-i0.5 p").interval_ns, NS_PER_SEC / 2);
	assert_true(parsed_ok(&run, "--compress=none p").raw);
	assert_false(parsed_ok(&run, "--compress=none --compress=zstd p").raw);
	assert_int_equal(parsed_ok(&run, "--signal-checkpoint 12 p").signal_checkpoint, SIGUSR2);
	assert_int_equal(parsed_ok(&run, "--signal-checkpoint 40 p").signal_checkpoint, 40);
	assert_int_equal(parsed_ok(&run, "-v p").terminal, LOG_INFO);
	assert_int_equal(parsed_ok(&run, "-vv p").terminal, LOG_DEBUG);
	assert_int_equal(parsed_ok(&run, "-vq p").terminal, LOG_ERROR);
}

/* What follows COMMAND is the program's, whatever it looks like. */
static void program_words(void **state)
{
	struct parsed p;

	parse(&p, &run, "-q prog -w x --nonsense -- -q");
	assert_int_equal(p.r, 0);
	assert_int_equal(p.inv.argc, 6);
	assert_string_equal(p.inv.argv[1], "-w");
	assert_string_equal(p.inv.argv[4], "--");
	assert_null(p.inv.settings.directory);
	parse(&p, &run, "-- -q -- x");
	assert_int_equal(p.r, 0);
	assert_string_equal(p.inv.argv[0], "-q");
	assert_string_equal(p.inv.argv[1], "--");
	assert_int_equal(p.inv.settings.terminal, LOG_WARN);
	parse(&p, &run, "- x");
	assert_int_equal(p.r, 0);
	assert_string_equal(p.inv.argv[0], "-");
}

/* Elsewhere options may stand behind operands. */
static void options_behind_operands(void **state)
{
	struct parsed p;

	parse(&p, &checkpoint, "job --stop");
	assert_int_equal(p.r, 0);
	assert_true(p.inv.stop);
	assert_int_equal(p.inv.argc, 1);
	assert_string_equal(p.inv.argv[0], "job");
	parse(&p, &checkpoint, "-- --stop");
	assert_int_equal(p.r, 0);
	assert_false(p.inv.stop);
	assert_string_equal(p.inv.argv[0], "--stop");
	parse(&p, &checkpoint, "");
	assert_int_equal(p.r, 0);
	assert_null(p.inv.argv[0]);
}

static void mistakes(void **state)
{
	parsed_bad(&run, "", "cragon run COMMAND");
	parsed_bad(&run, "-q", "cragon run COMMAND");
	parsed_bad(&run, "--intervall 5 p", "did you mean --interval?");
	parsed_bad(&run, "--max p", "did you mean --max-time?");
	parsed_bad(&run, "--frobnicate p", "cragon help run");
	parsed_bad(&run, "-Z p", "-Z");
	parsed_bad(&run, "-\x1b p", "-?");
	parsed_bad(&run, "-w", "needs a value");
	parsed_bad(&run, "--interval", "--interval D|auto|off");
	parsed_bad(&run, "--resume=yes p", "takes no value");
	parsed_bad(&run, "--working-directory= p", "empty");
	parsed_bad(&run, "-i 5x p", "option --interval: '5x'");
	parsed_bad(&run, "-i 0 p", "off");
	parsed_bad(&run, "-i 99999999999999999999d p", "too long");
	parsed_bad(&run, "-m 0 p", "time limit");
	parsed_bad(&run, "-k 0 p", "from 1");
	parsed_bad(&run, "--compress gzip p", "zstd");
	parsed_bad(&run, "--compress zstd:23 p", "zstd:22");
	parsed_bad(&run, "--compress zstd: p", "zstd:22");
	parsed_bad(&run, "--compress zstdx p", "zstd:N");
	parsed_bad(&run, "--stop-code 256 p", "0 to 255");
	parsed_bad(&run, "--signal-checkpoint KILL p", "USR1");
	parsed_bad(&run, "--signal-checkpoint 9 p", "USR1");
	parsed_bad(&run, "--signal-checkpoint 33 p", "USR1"); /* glibc's own */
	parsed_bad(&restart, "--resume", "no option --resume");
	parsed_bad(&restart, "a b", "'b' is one too many");
}

static void environment(void **state)
{
	struct settings s;

	setenv("CRAGON_INTERVAL", "2h", 1);
	setenv("CRAGON_WAIT_ALL", "1", 1);
	setenv("CRAGON_STOP", "1", 1); /* no variable: too dangerous as a default */
	s = parsed_ok(&run, "p");
	assert_int_equal(s.interval_ns, 7200 * NS_PER_SEC);
	assert_true(s.wait_all);
	assert_int_equal(s.given, 0); /* a default, not the user's word for this run */
	s = parsed_ok(&run, "-i off p");
	assert_int_equal(s.interval_mode, INTERVAL_OFF);
	assert_int_equal(s.given, SETTING_INTERVAL);
	setenv("CRAGON_WAIT_ALL", "no", 1);
	assert_false(parsed_ok(&run, "p").wait_all);
	setenv("CRAGON_WAIT_ALL", "", 1);
	assert_false(parsed_ok(&run, "p").wait_all);
	setenv("CRAGON_WAIT_ALL", "maybe", 1);
	parsed_bad(&run, "p", "environment variable CRAGON_WAIT_ALL: 'maybe'");
	unsetenv("CRAGON_WAIT_ALL");
	setenv("CRAGON_INTERVAL", "soon", 1);
	parsed_bad(&run, "p", "environment variable CRAGON_INTERVAL: 'soon'");
	unsetenv("CRAGON_INTERVAL");
	unsetenv("CRAGON_STOP");
}

/* Rows that help, man page and completion rely on. */
static void rows(void **state)
{
	static const struct option_row *const *const all[] = {run_options, restart_options,
		checkpoint_options, check_options, listing_options, inspect_options, verify_options,
		help_options, plain_options};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (const struct option_row *const *a = all[i]; *a; a++) {
			assert_non_null((*a)->set);
			for (const struct option_row *const *b = a + 1; *b; b++) {
				assert_string_not_equal((*a)->name, (*b)->name);
				assert_false((*a)->letter && (*a)->letter == (*b)->letter);
			}
		}
}

static const char *nearest(const char *typed)
{
	static const char *const words[] = {"run", "restart", "verify", "version", "inspect"};
	struct suggestion s = {.typed = typed};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		suggest_word(&s, words[i]);
	return s.best ? s.best : "";
}

static void suggestions(void **state)
{
	assert_string_equal(nearest("rn"), "run");
	assert_string_equal(nearest("rnu"), "run");
	assert_string_equal(nearest("resart"), "restart");
	assert_string_equal(nearest("verison"), "version");
	assert_string_equal(nearest("insp"), "inspect");
	assert_string_equal(nearest(""), "");
	assert_string_equal(nearest("x"), "");
	assert_string_equal(nearest("frobnicate"), "");
	assert_string_equal(nearest("a-word-that-is-longer-than-any-command-could-be"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(forms),
		cmocka_unit_test(every_option),
		cmocka_unit_test(values),
		cmocka_unit_test(program_words),
		cmocka_unit_test(options_behind_operands),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(environment),
		cmocka_unit_test(rows),
		cmocka_unit_test(suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

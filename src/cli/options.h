/*
 * The options of all commands, as rows, and their parser. A command refers to
 * one of the arrays below; help, man page and completion are made of the same
 * rows.
 */
#ifndef CRAGON_CLI_OPTIONS_H
#define CRAGON_CLI_OPTIONS_H

#include "cli/command.h"

/* NULL-terminated arrays, in the order of help. */
extern const struct option_row *const run_options[];
extern const struct option_row *const restart_options[];
extern const struct option_row *const checkpoint_options[]; /* --stop -q -v */
extern const struct option_row *const check_options[];	    /* --no-namespace --json -v */
extern const struct option_row *const listing_options[];    /* --json */
extern const struct option_row *const diagnose_options[];   /* --all --json */
extern const struct option_row *const inspect_options[];    /* --json -v */
extern const struct option_row *const verify_options[];	    /* --json -q */
extern const struct option_row *const report_options[];	    /* -o */
extern const struct option_row *const help_options[];
extern const struct option_row *const plain_options[]; /* only --help */
extern const struct option_row *const prune_options[];

/* The built-in defaults. */
void settings_default(struct settings *);

/*
 * Fills inv->settings from defaults, environment and command line, in that
 * order, and sets inv->argc and inv->argv to the operands. inv->command is set
 * by the caller; argv[0] is the first word after the command's name. The words
 * of argv are moved: operands come to its front. Returns 0, or -EINVAL with
 * WHY_USAGE.
 */
int options_parse(struct invocation *inv, int argc, char **argv, struct err *);

/* "CRAGON_MAX_TIME" of "max-time". */
void option_variable(const struct option_row *, char out[static 64]);

#endif

/*
 * One const struct per command. The same table yields the parser, the help
 * text, the man page and the shell completions (test/e2e checks the drift).
 * Only cli/ exits or writes to standard output.
 */
#ifndef CRAGON_CLI_COMMAND_H
#define CRAGON_CLI_COMMAND_H

#include "job/settings.h"

/* The parsed command line of one invocation. */
struct invocation {
	const struct command *command;
	struct settings settings;
	bool stop;     /* checkpoint --stop */
	bool all;      /* diagnose --all */
	bool dry_run;  /* prune: only tell */
	bool help;     /* -h: print the command's help instead of running it */
	bool man;      /* help --man */
	bool kinds;    /* help --kinds */
	const char *output;     /* report -o */
	const char *completion; /* help --completion: name of the shell */
	int argc;      /* operands: what follows the options */
	char **argv;   /* NULL-terminated */
};

struct option_row {
	char letter;       /* 0: no short form */
	const char *name;  /* long form without dashes */
	const char *value; /* placeholder of its value, NULL: takes none */
	const char *help;  /* one sentence; NULL keeps the row out of help, man and completion */
	const char *fallback; /* default as text for help, or NULL */
	/* CRAGON_<NAME> in the environment sets it, too; the command line wins. A
	 * row without a value is set by 1, yes, true and left alone by 0, no, false. */
	bool env;
	unsigned setting; /* SETTING_* to note in settings.given, 0: none */
	/* Returns 0 or -EINVAL with a message that says what to type instead. */
	int (*set)(struct invocation *, const char *value, struct err *);
};

struct command {
	const char *name;
	const char *operands; /* "COMMAND [ARG...]" */
	const char *summary;  /* one line */
	const char *text;     /* paragraphs for help and man, may be NULL */
	const struct option_row *const *options; /* NULL-terminated array of rows */
	int min_operands, max_operands;          /* max -1: any */
	bool stop_at_operand; /* the first operand ends the options (run, check) */
	/* Options left out take the value of the first run (those with `setting`). */
	bool inherits;
	int (*exec)(struct invocation *);        /* returns the exit code */
};

enum { EXIT_USAGE = 2, EXIT_BAD_IMAGE = 65, EXIT_STOPPED = 75, EXIT_CRAGON = 125,
	EXIT_NOT_EXECUTABLE = 126, EXIT_NO_COMMAND = 127 };

extern const struct command cmd_run, cmd_restart, cmd_checkpoint, cmd_list, cmd_status, cmd_inspect,
	cmd_verify, cmd_prune, cmd_memory, cmd_check, cmd_diagnose, cmd_report, cmd_version, cmd_help;

/* All commands in the order of help; NULL-terminated (cli/commands.c). */
extern const struct command *const commands[];

/* What main() does: finds the command, parses, runs it. Returns the exit code. */
int cli_main(int argc, char **argv);

/* Prints "cragon: text" on standard error and returns the exit code that fits why. */
int cli_fail(const struct err *);

#endif

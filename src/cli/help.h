/*
 * Texts made from the command table: help on the terminal, the man page and
 * the completion for bash. man/cragon.1 and completions/cragon.bash are their
 * checked-in output; test/e2e/docs.bats compares.
 */
#ifndef CRAGON_CLI_HELP_H
#define CRAGON_CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

void help_overview(struct buf *);
void help_command(struct buf *, const struct command *);
void help_man(struct buf *);
void help_bash(struct buf *);

/* What holds when the option is left out, NULL: nothing to say. */
const char *help_default(const struct command *, const struct option_row *);

/* Finds a command by name, or says which one was meant (cli.c). */
const struct command *command_find(const char *name, struct err *);

#endif

/*
 * job.json: what the job is, which settings a restart inherits, and how each
 * attempt went. Held as a JSON tree, published whole (complete or absent) at
 * every change. What is read back is checked for its types: the file is the
 * user's and may have been edited.
 */
#ifndef CRAGON_JOB_JOURNAL_H
#define CRAGON_JOB_JOURNAL_H

#include "base/err.h"
#include "job/identity.h"
#include "job/settings.h"

#include <jansson.h>

#define JOURNAL_NAME "job.json"

struct journal {
	json_t *root;
};

enum journal_how {
	HOW_RUNNING, /* the attempt has not ended, as far as the file knows */
	HOW_EXIT,    /* COMMAND exited */
	HOW_SIGNAL,  /* COMMAND was killed by a signal */
	HOW_STOPPED, /* ended by Cragon with a resumable image */
	HOW_LOST,    /* Cragon or the job's reaper went without a word */
};

struct journal_attempt { /* the last one, as read back; strings belong to the journal */
	const char *host, *boot_id;
	pid_t pid;
	uint64_t pid_start;
	uint64_t started_ns, next_checkpoint_ns; /* real time, 0 unknown */
	uint64_t interval_ns;			 /* 0: no periodic checkpoints */
	const char *interval_reason;
	enum journal_how how;
	bool resumable; /* it ended, but can go on from an image */
	int exit_code;	/* what cragon returned, -1 while running */
	int signal;	/* HOW_SIGNAL */
	int checkpoint_signal;
};

void journal_done(struct journal *);

/* A job that is about to start. `first_image`: lower numbers in the same
 * directory belong to somebody else. */
int journal_new(struct journal *ret, const char *id, char *const *command, const char *directory,
	const char *environment, uint64_t first_image);
int journal_load(struct journal *ret, int dirfd, struct err *);
int journal_save(const struct journal *, int dirfd);

const char *journal_id(const struct journal *);
const char *journal_directory(const struct journal *);
uint64_t journal_first_image(const struct journal *);
char **journal_command(const struct journal *); /* NULL-terminated copy, free with strings_free() */
bool journal_same_command(const struct journal *, char *const *command, const char *directory);

void journal_put_settings(struct journal *, const struct settings *);
/* Takes over what `given` (SETTING_*) does not name. */
void journal_get_settings(const struct journal *, struct settings *);

int journal_begin(
	struct journal *, const struct identity *, uint64_t from_image, int checkpoint_signal);
/* Notes about the last attempt. */
struct checkpoint_result;
/* Of an attempt with thousands of them, older ones are thinned out. */
void journal_checkpoint(struct journal *, const struct checkpoint_result *, const char *reason);
void journal_next(struct journal *, uint64_t real_ns); /* 0: none planned */
/* UINT64_MAX: no periodic checkpoints. */
void journal_interval(struct journal *, uint64_t ns, const char *reason);
/* What earlier attempts say about failures: those that ended by a fault, a kill or
 * without a word, and for how long all of them ran. */
void journal_history(const struct journal *, unsigned *ret_failures, uint64_t *ret_run_ns);
/* Images that hold a program which has failed already: not to be resumed from while
 * there is another one. */
void journal_avoid(struct journal *, uint64_t image);
bool journal_avoids(const struct journal *, uint64_t image);
/* COMMAND has ended and --wait-all goes on with what it left; read back after a
 * resume: 0, or -ENOENT when no attempt saw the end. */
void journal_command_ended(struct journal *, int exit_code, int signal);
int journal_command_end(const struct journal *, int *ret_exit_code, int *ret_signal);
void journal_end(struct journal *, enum journal_how, int exit_code, int signal);
/* Any other member; takes over the value. */
void journal_note(struct journal *, const char *key, json_t *value);

int journal_attempts(const struct journal *);
/* 0, or -ENOENT when there is none. */
int journal_last(const struct journal *, struct journal_attempt *ret);
uint64_t journal_first_start_ns(const struct journal *);
/* When the last attempt ended; 0: nobody saw it. */
uint64_t journal_last_end_ns(const struct journal *);

void strings_free(char **);
/* Reverse of format_time(); 0 when it is not such a time. */
uint64_t parse_time(const char *text);

#endif

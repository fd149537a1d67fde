/* Shared by rules.c (which cause it is), words.c (evidence and remedy) and
 * phrases.c (what programs write about it). Pure functions of the facts. */
#ifndef CRAGON_DIAG_RULES_H
#define CRAGON_DIAG_RULES_H

#include "diag/diag.h"

/* The signal that ended the command, or a child that it waited for: shells and
 * wrappers exit with 128 and its number. 0: none. */
int rules_signal(const struct diag_facts *);

/* The record of the fault that this signal was, or NULL: a process that died
 * earlier may have left another one. */
const struct diag_crash *rules_crash(const struct diag_facts *);

/* The last of the signals that asked the job to end, not long before the end,
 * or NULL. */
const struct diag_signal *rules_request(const struct diag_facts *);

/* The last allocation that failed, not long before the end, or NULL. */
const struct diag_call *rules_failed_call(const struct diag_facts *);

/* The first relevant file system that is full, or NULL. */
const struct diag_disk *rules_full_disk(const struct diag_facts *);

bool rules_memory_short(const struct diag_facts *);

/* Did standard error say so? The phrase that was found, or NULL. */
struct phrase {
	enum diag_cause cause;
	const char *text;
	unsigned lines;	    /* only in the last so many lines; 0: anywhere */
	const char *remedy; /* NULL: that of the cause */
};
const struct phrase *phrase_find(const struct diag_facts *, enum diag_cause);
void phrase_line(const struct diag_facts *, const struct phrase *, char *to, size_t cap);

/* Evidence and remedy of each rule. */
typedef void words_fn(const struct diag_facts *, struct diagnosis *);
words_fn words_running, words_stopped, words_lost, words_done, words_cpu_limit, words_file_size,
	words_oom, words_time_limit, words_request, words_allocation, words_cpu_feature, words_disk,
	words_crash, words_abort, words_missing, words_killed, words_exit, words_unknown;

#endif

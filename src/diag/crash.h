/*
 * What the preloaded object wrote when the program died of a fault (JOBDIR/
 * .intercept/crash.PID, src/interpose/crash.c): lines "name value", an empty
 * line, then the process's maps. Another program may have written it, or half
 * of it: parsed with bounds, and what is missing stays unknown.
 */
#ifndef CRAGON_DIAG_CRASH_H
#define CRAGON_DIAG_CRASH_H

#include "diag/diag.h"

#define CRASH_FILE_MAX (16 * MIB)

struct crash_file { /* a mapped file, as the maps name it */
	uint64_t inode, start, offset;
	bool is_file;
};

/* Everything that the text alone tells; it is modified. -EPROTO: no record. */
int crash_parse(char *text, struct diag_crash *ret, struct crash_file *ret_module,
	struct crash_file *ret_target);

/* What a line of the kernel's log tells ("a.out[12]: segfault at 0 ip … sp …
 * error 4 in …"): false when it is no such line. */
bool crash_of_kernel(const char *line, struct diag_crash *ret);

/* Evidence: address, instruction, place. */
void crash_words(const struct diag_crash *, struct diagnosis *);

/* The newest record under `dirfd` (JOBDIR/.intercept) of this attempt, that is
 * not older than `since_ns`, with function and line where debug information
 * exists. 0, -ENOENT. */
int crash_find(int dirfd, uint64_t since_ns, struct diag_crash *ret);

/* Puts the records of an attempt aside, so that they are not taken for those of
 * the next: the newest becomes "last-crash", the others are removed. */
void crash_retire(int dirfd);

/* insn.c: what the instruction needs of the CPU, "" if nothing special. */
const char *insn_feature(const uint8_t *code, size_t n, bool *ret_lacking);
/* Which CPUs do not have it, in words; "" when not known. */
const char *insn_missing_on(const char *feature);
bool insn_is_trap(const uint8_t *code, size_t n); /* ud2: put there by a compiler */

/* symbol.c: function and source line of `offset` in an ELF file, "" where unknown.
 * Reads in a process of its own: damaged debug information must not harm. */
void symbol_find(
	int fd, uint64_t offset, char *function, size_t function_cap, char *line, size_t line_cap);

#endif

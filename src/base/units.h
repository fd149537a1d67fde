/*
 * Durations and sizes as people write and read them. Parsing is strict: the
 * whole text has to be one value, an overflow is an error, and nothing is
 * guessed ("10 m", "1e3" and "4GB" are refused; sizes are powers of 1024).
 */
#ifndef CRAGON_BASE_UNITS_H
#define CRAGON_BASE_UNITS_H

#include "base/defs.h"

/* What to tell a user whose value was refused. */
#define DURATION_FORMS "90, 1.5, 90s, 10m, 2h, 1d, MM:SS, HH:MM:SS or D-HH:MM:SS"
#define SIZE_FORMS "512M, 4G or 1T"

/* Nanoseconds. Also Slurm's shorter D-HH and D-HH:MM. Returns 0, -EINVAL (not
 * a duration) or -ERANGE (more than 2^64 ns, about 584 years). */
int duration_parse(const char *text, uint64_t *ret_ns);

/* Bytes, or with K M G T P (also k, KiB...) that power of 1024. Same returns. */
int size_parse(const char *text, uint64_t *ret_bytes);

/* A whole decimal number between min and max: 0, -EINVAL or -ERANGE. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* "850 ms", "12.3 s", "5m 12s", "3h 05m", "2d 03h" */
void duration_format(uint64_t ns, char out[static 32]);

/* "512 B", "1.5 KiB", "20.0 GiB" */
void size_format(uint64_t bytes, char out[static 32]);

#endif

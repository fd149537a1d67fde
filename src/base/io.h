/*
 * Whole reads and writes, files written so that they are complete or absent,
 * and clocks. All return 0 (or a byte count) or -errno; none prints.
 */
#ifndef CRAGON_BASE_IO_H
#define CRAGON_BASE_IO_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* Loops over EINTR and short transfers. io_pread() fails with -ENODATA on a
 * premature end of file. */
int io_write(int fd, const void *data, size_t len);
int io_pwrite(int fd, const void *data, size_t len, off_t at);
int io_pread(int fd, void *data, size_t len, off_t at);

/* Reads to the end of file, refusing more than `max` bytes with -EFBIG. The
 * buffer is appended to, and stays NUL-terminated. `dirfd` may be AT_FDCWD. */
int io_slurp_fd(int fd, struct buf *out, size_t max);
int io_slurp_at(int dirfd, const char *path, struct buf *out, size_t max);

/* Complete or absent: temporary name, fsync, rename, fsync of the directory.
 * Mode 0600. */
int io_publish_at(int dirfd, const char *name, const void *data, size_t len);

/* Like mkdir -p with mode 0700 for what it creates; an existing directory is fine. */
int io_mkdir_p(const char *path);

/* Nanoseconds of CLOCK_MONOTONIC and CLOCK_REALTIME. */
uint64_t now_mono_ns(void);
uint64_t now_real_ns(void);
void sleep_ns(uint64_t ns);

/* RFC 3339 with a time zone offset and microseconds; `out` holds 40 bytes. */
void format_time(uint64_t real_ns, char out[static 40]);

#endif

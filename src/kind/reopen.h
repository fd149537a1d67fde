/* Opening a description again with the flags it had. Descriptor or -errno. */
#ifndef CRAGON_KIND_REOPEN_H
#define CRAGON_KIND_REOPEN_H

#include <stdint.h>

/* By name; never creates, truncates or becomes a controlling terminal. */
int reopen_path(const char *path, uint32_t flags);
/* Another description of the file behind `fd` (through /proc/self/fd). */
int reopen_fd(int fd, uint32_t flags);

#endif

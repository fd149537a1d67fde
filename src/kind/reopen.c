/* Opening a description again: see reopen.h. */
#include "kind/reopen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int reopen_path(const char *path, uint32_t flags)
{
	int clean = (int)flags & ~(O_CREAT | O_EXCL | O_TRUNC);
	int fd = open(path, clean | O_NOCTTY | O_CLOEXEC);

	/* O_NOATIME needs ownership, which may have changed hands. */
	if (fd < 0 && errno == EPERM && (clean & O_NOATIME))
		fd = open(path, (clean & ~O_NOATIME) | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int reopen_fd(int fd, uint32_t flags)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	/* That name is a link, to something that exists: flags about looking a
	 * name up, which a description keeps, would make the open fail. */
	if ((flags & O_TMPFILE) == O_TMPFILE)
		flags &= ~(uint32_t)O_TMPFILE;
	return reopen_path(path, flags & ~(uint32_t)O_NOFOLLOW);
}

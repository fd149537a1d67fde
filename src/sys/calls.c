/* System calls without a glibc wrapper: see calls.h. */
#include "sys/calls.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

bool sys_without(const char *feature)
{
	const char *list = getenv("CRAGON_WITHOUT");
	size_t len = strlen(feature);

	while (list && *list) {
		const char *end = strchrnul(list, ',');

		if ((size_t)(end - list) == len && strncmp(list, feature, len) == 0)
			return true;
		list = *end ? end + 1 : NULL;
	}
	return false;
}

int sys_kcmp(pid_t a, pid_t b, int type, unsigned long idx1, unsigned long idx2)
{
	return result(syscall(SYS_kcmp, a, b, type, idx1, idx2));
}

int sys_pidfd_open(pid_t pid)
{
	return result(syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return sys_without("pidfd_getfd") ? -ENOSYS
					  : result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int sys_close_range(unsigned first, unsigned last)
{
	int r = sys_without("close_range") ? -ENOSYS
					   : result(syscall(SYS_close_range, first, last, 0));
	struct rlimit limit;

	if (r != -ENOSYS || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return r;
	for (uint64_t fd = first; fd <= last && fd < limit.rlim_cur; fd++)
		close((int)fd);
	return 0;
}

int sys_get_robust_list(pid_t tid, uint64_t *ret_head, uint64_t *ret_bytes)
{
	uint64_t head = 0, bytes = 0;
	int r = result(syscall(SYS_get_robust_list, tid, &head, &bytes));

	if (r < 0)
		return r;
	*ret_head = head;
	*ret_bytes = bytes;
	return 0;
}

int sys_ioprio_get(pid_t tid)
{
	return result(syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, tid));
}

pid_t sys_fork(uint64_t flags)
{
	/* The old clone call: clone3 is filtered in some containers. The child
	 * shares nothing, so a null stack is right. */
	return result(syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL));
}

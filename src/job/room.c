/* More memory for a job: see room.h. */
#include "job/room.h"
#include "base/units.h"
#include "sys/procfs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

/* The counters that the kernel compares with each limit (mm/mmap.c, may_expand_vm). */
static const struct {
	int resource;
	const char *name, *field;
} limits[] = {
	{RLIMIT_AS, "the limit of address space (ulimit -v)", "VmSize"},
	{RLIMIT_DATA, "the limit of data (ulimit -d)", "VmData"},
};

static uint64_t used_bytes(const char *status, const char *field)
{
	const char *value = proc_field(status, field);

	return value ? strtoull(value, NULL, 10) * 1024 : 0;
}

/* `bytes` more do not fit. Stacks and the allocator's own rounding ask for more
 * than the program did. */
static bool binds(uint64_t used, uint64_t bytes, const struct rlimit *limit)
{
	return limit->rlim_cur != RLIM_INFINITY && used + bytes + MIB > limit->rlim_cur;
}

static void tell_limit(struct buf *text, size_t i, const struct rlimit *limit)
{
	char size[32];

	size_format(limit->rlim_cur, size);
	buf_printf(text, "%s%s of %s", text->len ? " and " : "", limits[i].name, size);
}

int room_obstacle(pid_t pid, uint64_t bytes, struct buf *text)
{
	cleanup_buf struct buf status = {0};
	int r = proc_read(pid, "status", &status), found = 0;
	bool raisable = true;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(limits); i++) {
		uint64_t used = used_bytes(status.data, limits[i].field);
		struct rlimit limit;

		if (prlimit(pid, (enum __rlimit_resource)limits[i].resource, NULL, &limit) < 0)
			return -errno;
		if (!binds(used, bytes, &limit))
			continue;
		found++;
		tell_limit(text, i, &limit);
		if (limit.rlim_max != RLIM_INFINITY && used + bytes + MIB > limit.rlim_max)
			raisable = false;
	}
	if (r < 0)
		return r;
	if (!found)
		buf_str(text,
			"the machine, which has promised all the memory it has (or a cgroup)");
	return found && raisable;
}

static int set_soft(pid_t pid, size_t i, uint64_t bytes, struct buf *text)
{
	struct rlimit limit;
	char size[32];

	if (prlimit(pid, (enum __rlimit_resource)limits[i].resource, NULL, &limit) < 0)
		return -errno;
	limit.rlim_cur = MIN(bytes, limit.rlim_max);
	if (prlimit(pid, (enum __rlimit_resource)limits[i].resource, &limit, NULL) < 0)
		return -errno;
	size_format(limit.rlim_cur, size);
	buf_printf(text, "%s%s is %s now", text->len ? ", " : "", limits[i].name,
		limit.rlim_cur == RLIM_INFINITY ? "gone" : size);
	return 0;
}

int room_raise(pid_t pid, uint64_t bytes, struct buf *text)
{
	cleanup_buf struct buf status = {0};
	int r = proc_read(pid, "status", &status);

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(limits); i++) {
		uint64_t used = used_bytes(status.data, limits[i].field);
		struct rlimit limit;

		if (prlimit(pid, (enum __rlimit_resource)limits[i].resource, NULL, &limit) < 0)
			return -errno;
		if (binds(used, bytes, &limit))
			r = set_soft(pid, i, MAX(2 * limit.rlim_cur, used + 2 * bytes + MIB), text);
	}
	return r;
}

int room_set(pid_t pid, uint64_t bytes, struct buf *text)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(limits); i++) {
		struct rlimit limit;

		if (prlimit(pid, (enum __rlimit_resource)limits[i].resource, NULL, &limit) == 0 &&
			limit.rlim_cur != RLIM_INFINITY)
			r = set_soft(pid, i, bytes, text);
	}
	return r;
}

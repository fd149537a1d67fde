/* Readers of /proc: see procfs.h. The parsers are in procfs_parse.c. */
#include "sys/procfs.h"
#include "sys/calls.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

int proc_read(pid_t pid, const char *name, struct buf *ret)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return io_slurp_at(AT_FDCWD, path, ret, PROC_FILE_MAX);
}

int proc_read_task(pid_t pid, pid_t tid, const char *name, struct buf *ret)
{
	char path[80];

	snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
	return io_slurp_at(AT_FDCWD, path, ret, PROC_FILE_MAX);
}

int proc_link(pid_t pid, const char *name, struct buf *ret)
{
	char path[64];
	ssize_t n;
	int r = buf_reserve(ret, PATH_MAX + 16);

	if (r < 0)
		return r;
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	n = readlink(path, ret->data + ret->len, ret->cap - ret->len - 1);
	if (n < 0)
		return -errno;
	if ((size_t)n >= ret->cap - ret->len - 1)
		return -ENAMETOOLONG;
	ret->len += (size_t)n;
	ret->data[ret->len] = 0;
	return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret)
{
	cleanup_buf struct buf text = {0};
	int r = proc_read(pid, "stat", &text);

	return r < 0 ? r : proc_parse_stat(text.data, ret);
}

int proc_stat_task(pid_t pid, pid_t tid, struct proc_stat *ret)
{
	cleanup_buf struct buf text = {0};
	int r = proc_read_task(pid, tid, "stat", &text);

	return r < 0 ? r : proc_parse_stat(text.data, ret);
}

int proc_status(pid_t pid, struct proc_status *ret)
{
	cleanup_buf struct buf text = {0};
	int r = proc_read(pid, "status", &text);

	return r < 0 ? r : proc_parse_status(text.data, ret);
}

int proc_status_task(pid_t pid, pid_t tid, struct proc_status *ret)
{
	cleanup_buf struct buf text = {0};
	int r = proc_read_task(pid, tid, "status", &text);

	return r < 0 ? r : proc_parse_status(text.data, ret);
}

static int compare_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Numeric entries of a directory, ascending. */
static int numbers_in(const char *path, int **ret)
{
	cleanup_dir DIR *dir = opendir(path);
	cleanup_free int *list = NULL;
	size_t n = 0, cap = 0;
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char *end;
		long value = strtol(entry->d_name, &end, 10);

		if (*end || end == entry->d_name)
			continue;
		if (n == cap) {
			int *grown = realloc(list, (cap ? cap * 2 : 32) * sizeof *list);

			if (!grown)
				return -ENOMEM;
			list = grown;
			cap = cap ? cap * 2 : 32;
		}
		list[n++] = (int)value;
	}
	if (n)
		qsort(list, n, sizeof *list, compare_int);
	*ret = steal_ptr(&list);
	return (int)n;
}

int proc_tasks(pid_t pid, pid_t **ret)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	return numbers_in(path, ret);
}

int proc_fds(pid_t pid, int **ret)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	return numbers_in(path, ret);
}

/* Where the kernel has no /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN):
 * every process whose parent it is. */
static int children_by_scan(pid_t pid, pid_t **ret)
{
	cleanup_free int *all = NULL;
	int n = numbers_in("/proc", &all), kept = 0;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		struct proc_stat stat;

		if (proc_stat(all[i], &stat) == 0 && stat.ppid == pid)
			all[kept++] = all[i];
	}
	*ret = steal_ptr(&all);
	return kept;
}

int proc_children(pid_t pid, pid_t **ret)
{
	cleanup_free pid_t *tids = NULL, *list = NULL;
	int n_tids = proc_tasks(pid, &tids), n = 0;

	if (n_tids < 0)
		return n_tids;
	for (int i = 0; i < n_tids; i++) {
		cleanup_buf struct buf text = {0};
		int r = proc_read_task(pid, tids[i], "children", &text);

		if (r == -ENOENT && i == 0)
			return children_by_scan(pid, ret);
		if (r < 0)
			continue; /* the thread has just ended */
		for (char *p = text.data, *end; p && *p; p = end) {
			long child = strtol(p, &end, 10);
			pid_t *grown;

			if (end == p)
				break;
			grown = realloc(list, (size_t)(n + 1) * sizeof *list);
			if (!grown)
				return -ENOMEM;
			list = grown;
			list[n++] = (pid_t)child;
		}
	}
	*ret = steal_ptr(&list);
	return n;
}

int proc_sched_ns(pid_t pid, pid_t tid, uint64_t *ret)
{
	cleanup_buf struct buf text = {0};
	const char *line;
	double ms;
	int r = sys_without("sched") ? -ENOENT : proc_read_task(pid, tid, "sched", &text);

	if (r < 0)
		return r;
	line = strstr(text.data, "se.exec_start");
	if (!line || sscanf(line, "se.exec_start : %lf", &ms) != 1 || ms < 0)
		return -ENOENT;
	*ret = (uint64_t)(ms * 1e6);
	return 0;
}

/*
 * Reading limits, memory, cgroup and disks: see collect.h. The cgroup is found as
 * /proc/self/cgroup names it, under the usual mount points; where the view is
 * cut (containers), the mount's root is our own.
 */
#include "diag/collect.h"
#include "diag/text.h"
#include "base/io.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#define SMALL_FILE (64 * 1024)
#define CGROUP_NONE (1ull << 60) /* v1 writes "no limit" as a huge number */

void collect_limits(struct diag_facts *f, pid_t pid)
{
	static const int numbers[DIAG_LIMIT_COUNT] = {
		[DIAG_LIMIT_AS] = RLIMIT_AS,
		[DIAG_LIMIT_DATA] = RLIMIT_DATA,
		[DIAG_LIMIT_STACK] = RLIMIT_STACK,
		[DIAG_LIMIT_CPU] = RLIMIT_CPU,
		[DIAG_LIMIT_FSIZE] = RLIMIT_FSIZE,
		[DIAG_LIMIT_NOFILE] = RLIMIT_NOFILE,
	};
	struct rlimit l;

	for (size_t i = 0; i < DIAG_LIMIT_COUNT; i++)
		if (prlimit(pid, (enum __rlimit_resource)numbers[i], NULL, &l) == 0)
			f->limit[i] = (struct diag_limit){true,
				l.rlim_cur == RLIM_INFINITY ? DIAG_UNLIMITED : l.rlim_cur,
				l.rlim_max == RLIM_INFINITY ? DIAG_UNLIMITED : l.rlim_max};
}

/* ---- the machine ---------------------------------------------------------------------- */

static uint64_t kib(const char *text, const char *key)
{
	const char *value = proc_field(text, key);

	return value ? strtoull(value, NULL, 10) * 1024 : 0;
}

static void set_identity(struct diag_facts *f)
{
	cleanup_buf struct buf boot = {0};
	struct utsname names;

	if (uname(&names) == 0)
		text_copy(
			f->seen_host, sizeof f->seen_host, names.nodename, strlen(names.nodename));
	if (io_slurp_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, 4096) == 0 && boot.data)
		text_copy(f->seen_boot_id, sizeof f->seen_boot_id, boot.data,
			strcspn(boot.data, "\n"));
}

void collect_machine(struct diag_facts *f)
{
	cleanup_buf struct buf text = {0};

	set_identity(f);
	if (io_slurp_at(AT_FDCWD, "/proc/meminfo", &text, SMALL_FILE) < 0 || !text.data)
		return;
	f->memory.total = kib(text.data, "MemTotal");
	f->memory.available = kib(text.data, "MemAvailable");
	f->memory.swap_total = kib(text.data, "SwapTotal");
	f->memory.swap_free = kib(text.data, "SwapFree");
}

/* ---- the cgroup ------------------------------------------------------------------------- */

struct cgroup_files {
	const char *current, *max, *events, *key;
};
static const struct cgroup_files v2 = {"memory.current", "memory.max", "memory.events",
					 "oom_kill "},
				 v1 = {"memory.usage_in_bytes", "memory.limit_in_bytes",
					 "memory.oom_control", "oom_kill "};

static int read_small(const char *directory, const char *name, struct buf *ret)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	return io_slurp_at(AT_FDCWD, path, ret, SMALL_FILE);
}

static uint64_t read_number(const char *directory, const char *name)
{
	cleanup_buf struct buf text = {0};

	/* "max" becomes 0: none. */
	if (read_small(directory, name, &text) < 0 || !text.data)
		return 0;
	return strtoull(text.data, NULL, 10);
}

/* The path behind `controllers` in a line "N:CONTROLLERS:PATH" of /proc/self/cgroup. */
static bool cgroup_path(char *text, const char *controllers, char *to, size_t cap)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *name = strchr(line, ':'), *path = name ? strchr(name + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = 0;
		if (!strcmp(name + 1, controllers)) {
			snprintf(to, cap, "%s", path);
			return true;
		}
	}
	return false;
}

static bool open_group(const char *mount, const char *controllers, const struct cgroup_files *files,
	char *to, size_t cap, size_t *ret_mount)
{
	cleanup_buf struct buf text = {0};
	char path[PATH_MAX / 2];
	cleanup_buf struct buf probe = {0};

	*ret_mount = strlen(mount);
	if (io_slurp_at(AT_FDCWD, "/proc/self/cgroup", &text, SMALL_FILE) < 0 || !text.data ||
		!cgroup_path(text.data, controllers, path, sizeof path))
		return false;
	snprintf(to, cap, "%s%s", mount, strcmp(path, "/") != 0 ? path : "");
	if (read_small(to, files->current, &probe) == 0)
		return true;
	snprintf(to, cap, "%s", mount);
	return read_small(to, files->current, &probe) == 0;
}

/* The limit that is closest to being reached, here or above. */
static void find_limit(
	struct diag_memory *m, char *path, size_t mount, const struct cgroup_files *files)
{
	for (;;) {
		uint64_t max = read_number(path, files->max), used;
		char *slash;

		used = max ? read_number(path, files->current) : 0;
		if (max && max < CGROUP_NONE &&
			(!m->cgroup_limit || max - MIN(used, max) <
						     m->cgroup_limit - MIN(m->cgroup_current,
									       m->cgroup_limit))) {
			m->cgroup_limit = max;
			m->cgroup_current = used;
		}
		slash = strrchr(path, '/');
		if (strlen(path) <= mount || !slash)
			return;
		*slash = 0;
	}
}

void collect_cgroup(struct diag_facts *f, uint64_t *ret_oom_kills)
{
	static const struct {
		const char *mount, *controllers;
		const struct cgroup_files *files;
	} tries[] = {
		{"/sys/fs/cgroup", "", &v2},
		{"/sys/fs/cgroup/memory", "memory", &v1},
		{"/sys/fs/cgroup/unified", "", &v2},
	};
	cleanup_buf struct buf events = {0};
	char path[PATH_MAX];
	size_t i, mount;
	const char *at;

	for (i = 0; i < ARRAY_LEN(tries); i++)
		if (open_group(tries[i].mount, tries[i].controllers, tries[i].files, path,
			    sizeof path, &mount))
			break;
	if (i == ARRAY_LEN(tries))
		return;
	if (read_small(path, tries[i].files->events, &events) == 0 && events.data) {
		at = strstr(events.data, "\noom_kill ");
		at = at ? at + 1 : !strncmp(events.data, "oom_kill ", 9) ? events.data : NULL;
		if (at)
			*ret_oom_kills = strtoull(at + strlen(tries[i].files->key), NULL, 10);
	}
	find_limit(&f->memory, path, mount, tries[i].files);
}

/* ---- disks ---------------------------------------------------------------------------- */

void collect_disk(struct diag_facts *f, const char *what, const char *path)
{
	struct diag_disk *d = &f->disks[f->n_disks];
	struct statvfs v;

	if (f->n_disks == DIAG_DISKS_MAX || !path || statvfs(path, &v) < 0)
		return;
	memset(d, 0, sizeof *d);
	text_copy(d->what, sizeof d->what, what, strlen(what));
	text_copy(d->path, sizeof d->path, path, strlen(path));
	d->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	d->total_bytes = (uint64_t)v.f_blocks * v.f_frsize;
	d->free_inodes = v.f_favail;
	d->total_inodes = v.f_files;
	for (size_t i = 0; i < f->n_disks; i++) {
		const struct diag_disk *known = &f->disks[i];

		if (known->total_bytes == d->total_bytes && known->free_bytes == d->free_bytes &&
			known->free_inodes == d->free_inodes)
			return;
	}
	f->n_disks++;
}

/* ---- the kernel's log ---------------------------------------------------------------------- */

/* "… Killed process 12 (a.out) total-vm:…" and "a.out[12]: segfault at 0 ip …". In a
 * container the numbers are those outside; then the name has to do. */
static bool is_about(const struct diag_facts *f, const char *name, size_t n, long pid)
{
	if (f->pid && pid == f->pid)
		return true;
	/* The kernel keeps 15 characters of a name. */
	return n && n == MIN(strlen(f->program), 15u) && !strncmp(name, f->program, n);
}

static bool oom_line(const struct diag_facts *f, const char *text)
{
	const char *at = strstr(text, "Killed process "), *name;
	char *end;
	long pid;

	if (!at)
		return false;
	pid = strtol(at + strlen("Killed process "), &end, 10);
	name = strncmp(end, " (", 2) ? "" : end + 2;
	return is_about(f, name, strcspn(name, ")"), pid);
}

static bool fault_line(const struct diag_facts *f, const char *text)
{
	const char *open = strchr(text, '[');

	if (!open || (!strstr(text, "segfault at ") && !strstr(text, "general protection") &&
			     !strstr(text, "trap ")))
		return false;
	return is_about(f, text, (size_t)(open - text), strtol(open + 1, NULL, 10));
}

void kernel_log_record(struct diag_facts *f, uint64_t since_ns, const char *record)
{
	const char *text = strchr(record, ';');
	unsigned long long time_us;

	if (!text || sscanf(record, "%*u,%*u,%llu,", &time_us) != 1 || time_us < since_ns / 1000)
		return;
	text++;
	if (oom_line(f, text))
		text_copy(f->kernel_oom, sizeof f->kernel_oom, text, strcspn(text, "\n"));
	else if (fault_line(f, text))
		text_copy(f->kernel_fault, sizeof f->kernel_fault, text, strcspn(text, "\n"));
}

void collect_kernel_log(struct diag_facts *f, uint64_t since_ns)
{
	cleanup_fd int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];

	/* One record each read; EPIPE: some were overwritten meanwhile. */
	for (int i = 0; fd >= 0 && i < 100000; i++) {
		ssize_t n = read(fd, record, sizeof record - 1);

		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return;
		record[n] = 0;
		kernel_log_record(f, since_ns, record);
	}
}

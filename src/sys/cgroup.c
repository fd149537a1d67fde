/* The memory controller of control groups: see cgroup.h. */
#include "sys/cgroup.h"
#include "base/buf.h"
#include "base/io.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#define TEXT_MAX (1 * MIB)
/* "No limit" of version 1 is the largest multiple of a page in a long. */
#define V1_NO_LIMIT (1ull << 62)

/* Is `word` one of the words in `list`, which ends at `end`? */
static bool has_word(const char *list, const char *end, char separator, const char *word)
{
	size_t n = strlen(word);

	while (list < end) {
		const char *stop = memchr(list, separator, (size_t)(end - list));

		if (!stop)
			stop = end;
		if ((size_t)(stop - list) == n && !memcmp(list, word, n))
			return true;
		list = stop + 1;
	}
	return false;
}

/* The line ID:CONTROLLERS:PATH of the memory controller, or else of version 2. */
static int find_group(const char *text, char *ret_path, size_t size)
{
	int version = 0;

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *controllers = memchr(line, ':', (size_t)(end - line));
		const char *path =
			controllers ? memchr(controllers + 1, ':', (size_t)(end - controllers - 1))
				    : NULL;
		bool v1 = path && has_word(controllers + 1, path, ',', "memory");
		bool v2 = path && path == controllers + 1 && line[0] == '0';

		if ((v1 || (v2 && !version)) && (size_t)(end - path - 1) < size) {
			memcpy(ret_path, path + 1, (size_t)(end - path - 1));
			ret_path[end - path - 1] = 0;
			version = v1 ? 1 : 2;
		}
		line = *end ? end + 1 : NULL;
	}
	return version;
}

struct mount { /* fields of a line of mountinfo (proc(5)) */
	char root[PATH_MAX], point[PATH_MAX];
};

static bool copy_field(const char *from, const char *to, char *out)
{
	size_t n = (size_t)(to - from);

	if (n >= PATH_MAX)
		return false;
	memcpy(out, from, n);
	out[n] = 0;
	return true;
}

static bool parse_mount(const char *line, const char *end, int version, struct mount *ret)
{
	const char *field[6] = {line}, *type, *options, *sep;

	for (int i = 1; i < 6; i++) {
		field[i] = memchr(field[i - 1], ' ', (size_t)(end - field[i - 1]));
		if (!field[i]++)
			return false;
	}
	sep = memmem(field[5], (size_t)(end - field[5]), " - ", 3);
	if (!sep)
		return false;
	type = sep + 3;
	options = end;
	while (options > type && options[-1] != ' ')
		options--;
	if (version == 2 ? strncmp(type, "cgroup2 ", 8) != 0
			 : strncmp(type, "cgroup ", 7) != 0 ||
				   !has_word(options, end, ',', "memory"))
		return false;
	return copy_field(field[3], field[4] - 1, ret->root) &&
	       copy_field(field[4], field[5] - 1, ret->point);
}

int cgroup_parse(const char *cgroups, const char *mounts, struct cgroup *ret)
{
	char group[PATH_MAX];
	struct mount m;

	*ret = (struct cgroup){.version = find_group(cgroups, group, sizeof group)};
	if (!ret->version)
		return 0;
	for (const char *line = mounts; line && *line;) {
		const char *end = strchrnul(line, '\n'), *below = group;
		size_t root;

		if (parse_mount(line, end, ret->version, &m)) {
			/* A container shows a part of the hierarchy as its root. */
			root = strcmp(m.root, "/") ? strlen(m.root) : 0;
			if (!strncmp(group, m.root, root) && (group[root] == '/' || !group[root]))
				below = group + root;
			if (!strcmp(below, "/"))
				below = "";
			if (snprintf(ret->path, sizeof ret->path, "%s%s", m.point, below) >=
				(int)sizeof ret->path)
				return -ENAMETOOLONG;
			ret->root_len = strlen(m.point);
			return 0;
		}
		line = *end ? end + 1 : NULL;
	}
	ret->version = 0;
	return 0;
}

static bool go_up(struct cgroup *g)
{
	char *slash = strrchr(g->path, '/');

	if (!slash || (size_t)(slash - g->path) < g->root_len)
		return false;
	*slash = 0;
	return true;
}

int cgroup_find(pid_t pid, struct cgroup *ret)
{
	cleanup_buf struct buf cgroups = {0}, mounts = {0};
	int r = proc_read(pid, "cgroup", &cgroups);

	if (r >= 0)
		r = io_slurp_at(AT_FDCWD, "/proc/self/mountinfo", &mounts, 16 * TEXT_MAX);
	if (r >= 0)
		r = cgroup_parse(
			cgroups.data ? cgroups.data : "", mounts.data ? mounts.data : "", ret);
	if (r < 0)
		return r;
	/* In a cgroup namespace the path may be that of another place. */
	while (ret->version && access(ret->path, F_OK) < 0)
		if (!go_up(ret))
			ret->version = 0;
	return 0;
}

static uint64_t read_number(const struct cgroup *g, const char *name, uint64_t otherwise)
{
	char path[PATH_MAX + 64];
	cleanup_buf struct buf text = {0};

	snprintf(path, sizeof path, "%s/%s", g->path, name);
	if (io_slurp_at(AT_FDCWD, path, &text, TEXT_MAX) < 0 || !text.len || text.data[0] < '0' ||
		text.data[0] > '9')
		return otherwise;
	return strtoull(text.data, NULL, 10);
}

/* "name value" lines. */
static uint64_t read_field(const struct cgroup *g, const char *file, const char *name)
{
	char path[PATH_MAX + 64];
	cleanup_buf struct buf text = {0};
	size_t n = strlen(name);

	snprintf(path, sizeof path, "%s/%s", g->path, file);
	if (io_slurp_at(AT_FDCWD, path, &text, TEXT_MAX) < 0 || !text.len)
		return 0;
	for (const char *line = text.data; line && *line;) {
		const char *end = strchr(line, '\n');

		if (!strncmp(line, name, n) && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
		line = end ? end + 1 : NULL;
	}
	return 0;
}

static void read_group(const struct cgroup *g, struct cgroup_memory *m)
{
	bool v1 = g->version == 1;
	uint64_t limit =
		read_number(g, v1 ? "memory.limit_in_bytes" : "memory.max", CGROUP_NO_LIMIT);

	m->limit = v1 && limit >= V1_NO_LIMIT ? CGROUP_NO_LIMIT : limit;
	if (m->limit == CGROUP_NO_LIMIT)
		return;
	m->used = read_number(g, v1 ? "memory.usage_in_bytes" : "memory.current", 0);
	m->reclaimable = read_field(g, "memory.stat", v1 ? "total_inactive_file" : "inactive_file");
	m->reclaimable = MIN(m->reclaimable, m->used);
}

static uint64_t room(const struct cgroup_memory *m)
{
	uint64_t used = m->used - m->reclaimable;

	return m->limit > used ? m->limit - used : 0;
}

int cgroup_memory(const struct cgroup *g, struct cgroup_memory *ret)
{
	struct cgroup at = *g;

	*ret = (struct cgroup_memory){.limit = CGROUP_NO_LIMIT};
	if (!g->version)
		return 0;
	do {
		struct cgroup_memory m = {0};

		read_group(&at, &m);
		if (m.limit != CGROUP_NO_LIMIT &&
			(ret->limit == CGROUP_NO_LIMIT || room(&m) < room(ret)))
			*ret = m;
	} while (go_up(&at));
	ret->oom_kills = g->version == 1 ? read_field(g, "memory.oom_control", "oom_kill")
					 : read_field(g, "memory.events", "oom_kill");
	return 0;
}

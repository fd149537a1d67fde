/*
 * Parsers of /proc texts: see procfs.h. They never trust the text: a missing
 * field is -EPROTO or a documented default, never a read past the end.
 */
#include "sys/procfs.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

/* Field numbers are those of proc(5), /proc/PID/stat. */
int proc_parse_stat(const char *text, struct proc_stat *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t field[53] = {0};
	struct proc_stat s = {0};
	const char *p;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EPROTO;
	snprintf(s.comm, sizeof s.comm, "%.*s", (int)(close - open - 1), open + 1);
	s.state = close[2];
	p = close + 3;
	for (int i = 4; i <= 52; i++) {
		char *end;

		field[i] = *p == ' ' && p[1] == '-' ? (uint64_t)strtoll(p, &end, 10)
						    : strtoull(p, &end, 10);
		if (end == p) {
			if (i <= 28)
				return -EPROTO;
			break; /* an old kernel: the rest stays 0 */
		}
		p = end;
	}
	s.ppid = (pid_t)field[4];
	s.pgid = (pid_t)field[5];
	s.sid = (pid_t)field[6];
	s.tty = (int)field[7];
	s.start_time = field[22];
	s.start_code = field[26];
	s.end_code = field[27];
	s.start_stack = field[28];
	s.exit_signal = (int)field[38];
	s.processor = (int)field[39];
	s.start_data = field[45];
	s.end_data = field[46];
	s.start_brk = field[47];
	s.arg_start = field[48];
	s.arg_end = field[49];
	s.env_start = field[50];
	s.env_end = field[51];
	s.exit_code = (int)field[52];
	*ret = s;
	return 0;
}

const char *proc_field(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, key, len) == 0 && line[len] == ':') {
			line += len + 1;
			return line + strspn(line, " \t");
		}
	}
	return NULL;
}

static uint64_t field_number(const char *text, const char *key, int base, uint64_t fallback)
{
	const char *value = proc_field(text, key);
	char *end;
	uint64_t n;

	if (!value)
		return fallback;
	n = strtoull(value, &end, base);
	return end == value ? fallback : n;
}

/* The last number of a line: ids are listed from the outermost namespace inwards. */
static pid_t last_number(const char *text, const char *key, int *ret_count)
{
	const char *p = proc_field(text, key);
	pid_t last = 0;
	int count = 0;

	while (p && *p && *p != '\n') {
		char *end;
		long n = strtol(p, &end, 10);

		if (end == p)
			break;
		last = (pid_t)n;
		count++;
		p = end + strspn(end, " \t");
	}
	if (ret_count)
		*ret_count = count;
	return last;
}

static int four_ids(const char *text, const char *key, uint32_t ids[4])
{
	const char *p = proc_field(text, key);

	return p && sscanf(p, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4 ? 0 : -EPROTO;
}

static int parse_groups(const char *text, struct proc_status *s)
{
	const char *p = proc_field(text, "Groups");

	while (p && *p && *p != '\n') {
		char *end;
		unsigned long id = strtoul(p, &end, 10);
		uint32_t *grown;

		if (end == p)
			break;
		grown = realloc(s->groups, (s->n_groups + 1) * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		s->groups = grown;
		s->groups[s->n_groups++] = (uint32_t)id;
		p = end + strspn(end, " \t");
	}
	return 0;
}

void proc_status_done(struct proc_status *s)
{
	free(s->groups);
	*s = (struct proc_status){0};
}

int proc_parse_status(const char *text, struct proc_status *ret)
{
	struct proc_status s = {0};
	int r;

	if (four_ids(text, "Uid", s.uid) < 0 || four_ids(text, "Gid", s.gid) < 0)
		return -EPROTO;
	s.ns_pid = last_number(text, "NSpid", &s.ns_levels);
	s.ns_pgid = last_number(text, "NSpgid", NULL);
	s.ns_sid = last_number(text, "NSsid", NULL);
	s.umask = (unsigned)field_number(text, "Umask", 8, 022);
	s.cap_inheritable = field_number(text, "CapInh", 16, 0);
	s.cap_permitted = field_number(text, "CapPrm", 16, 0);
	s.cap_effective = field_number(text, "CapEff", 16, 0);
	s.cap_bounding = field_number(text, "CapBnd", 16, 0);
	s.cap_ambient = field_number(text, "CapAmb", 16, 0);
	s.no_new_privs = field_number(text, "NoNewPrivs", 10, 0) != 0;
	s.seccomp = (int)field_number(text, "Seccomp", 10, 0);
	s.seccomp_filters = (int)field_number(text, "Seccomp_filters", 10, 0);
	s.threads = (int)field_number(text, "Threads", 10, 0);
	s.vm_locked_kib = field_number(text, "VmLck", 10, 0);
	s.thp_enabled = field_number(text, "THP_enabled", 10, 1) != 0;
	r = parse_groups(text, &s);
	if (r < 0) {
		proc_status_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

static bool is_vma_header(const char *line)
{
	/* "7f12-7f34 r-xp": smaps' other lines start with a capital letter. */
	return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

static int parse_vma_header(char *line, struct proc_vma *v)
{
	static const char deleted[] = " (deleted)";
	char perm[5];
	unsigned major, minor;
	unsigned long start, end, offset, inode;
	int at = 0;
	size_t n;

	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu%n", &start, &end, perm, &offset, &major, &minor,
		    &inode, &at) < 7 ||
		strlen(perm) != 4 || start >= end)
		return -EPROTO;
	*v = (struct proc_vma){.start = start, .end = end, .offset = offset, .inode = inode};
	v->device = makedev(major, minor);
	v->protection = (perm[0] == 'r' ? PROT_READ : 0) | (perm[1] == 'w' ? PROT_WRITE : 0) |
		(perm[2] == 'x' ? PROT_EXEC : 0);
	v->shared = perm[3] == 's';
	line += at;
	line += strspn(line, " ");
	n = strlen(line);
	if (n >= sizeof deleted - 1 && strcmp(line + n - (sizeof deleted - 1), deleted) == 0) {
		v->deleted = true;
		line[n - (sizeof deleted - 1)] = 0;
	}
	v->path = line;
	return 0;
}

int proc_next_vma(char **cursor, struct proc_vma *ret)
{
	char *line = *cursor, *next;
	int r;

	if (!line || !*line)
		return 0;
	next = strchr(line, '\n');
	if (next)
		*next++ = 0;
	if (!is_vma_header(line))
		return -EPROTO;
	r = parse_vma_header(line, ret);
	if (r < 0)
		return r;
	/* In smaps the details follow; only VmFlags matters here. */
	while (next && *next && !is_vma_header(next)) {
		char *end = strchr(next, '\n');

		if (end)
			*end++ = 0;
		if (strncmp(next, "VmFlags:", 8) == 0)
			snprintf(ret->flags, sizeof ret->flags, "%s ", next + 8);
		next = end;
	}
	*cursor = next;
	return 1;
}

bool proc_vma_flag(const struct proc_vma *v, const char code[static 2])
{
	const char wanted[] = {' ', code[0], code[1], ' ', 0};

	return strstr(v->flags, wanted) != NULL;
}

/* The machine as a whole: see machine.h. */
#include "sys/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#define TEXT_BYTES (256 * 1024)
#define SECTOR 512 /* diskstats counts these, whatever the disk has */

enum {
	FILE_STAT,
	FILE_MEMINFO,
	FILE_PSI_CPU,
	FILE_PSI_MEMORY,
	FILE_PSI_IO,
	FILE_DISKS,
	FILE_NET,
	FILE_LOAD
};

static const char *const paths[] = {
	[FILE_STAT] = "/proc/stat",
	[FILE_MEMINFO] = "/proc/meminfo",
	[FILE_PSI_CPU] = "/proc/pressure/cpu",
	[FILE_PSI_MEMORY] = "/proc/pressure/memory",
	[FILE_PSI_IO] = "/proc/pressure/io",
	[FILE_DISKS] = "/proc/diskstats",
	[FILE_NET] = "/proc/net/dev",
	[FILE_LOAD] = "/proc/loadavg",
};

void machine_open(struct machine *m)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		m->fd[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
}

void machine_done(struct machine *m)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		close_p(&m->fd[i]);
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

/* user nice system idle iowait irq softirq steal; guest time is in user. */
static struct machine_core parse_cpu(const char *numbers)
{
	struct machine_core c = {0};
	char *end;

	for (int i = 0; i < 8; i++) {
		uint64_t v = strtoull(numbers, &end, 10);

		if (end == numbers)
			break;
		c.total += v;
		if (i != 3 && i != 4)
			c.busy += v;
		numbers = end;
	}
	return c;
}

void machine_parse_stat(const char *text, struct machine_sample *s)
{
	s->n_cores = 0;
	for (const char *line = text; line && !strncmp(line, "cpu", 3); line = next_line(line)) {
		const char *numbers = line + 3 + strspn(line + 3, "0123456789");

		if (*numbers != ' ')
			return;
		if (numbers == line + 3)
			s->all = parse_cpu(numbers);
		else if (s->n_cores < MACHINE_CORES_MAX)
			s->core[s->n_cores++] = parse_cpu(numbers);
	}
}

void machine_parse_meminfo(const char *text, struct machine_sample *s)
{
	const struct {
		const char *name;
		uint64_t *to;
	} fields[] = {{"MemTotal:", &s->memory_total}, {"MemAvailable:", &s->memory_available},
		{"SwapTotal:", &s->swap_total}, {"SwapFree:", &s->swap_free}};

	for (const char *line = text; line && *line; line = next_line(line))
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			if (!strncmp(line, fields[i].name, strlen(fields[i].name)))
				*fields[i].to =
					strtoull(line + strlen(fields[i].name), NULL, 10) * 1024;
}

double machine_parse_psi(const char *text)
{
	const char *at = strncmp(text, "some ", 5) ? NULL : strstr(text, "avg10=");

	return at ? strtod(at + 6, NULL) : -1;
}

/* A whole disk has no digit at the end of its name, or is an nvme without a 'p'
 * part; partitions would be counted twice. */
static bool is_whole_disk(const char *name, size_t n)
{
	if (!strncmp(name, "loop", 4) || !strncmp(name, "ram", 3) || !strncmp(name, "dm-", 3) ||
		!strncmp(name, "md", 2) || !strncmp(name, "zram", 4))
		return false;
	if (!strncmp(name, "nvme", 4) || !strncmp(name, "mmcblk", 6))
		return !memchr(name, 'p', n);
	return n && !isdigit((unsigned char)name[n - 1]);
}

void machine_parse_diskstats(const char *text, struct machine_sample *s)
{
	s->disk_read = s->disk_written = 0;
	for (const char *line = text; line && *line; line = next_line(line)) {
		unsigned long long read = 0, written = 0;
		int name = 0, end = 0;

		if (sscanf(line, "%*u %*u %n%*63s%n %*u %*u %llu %*u %*u %*u %llu", &name, &end,
			    &read, &written) == 2 &&
			is_whole_disk(line + name, (size_t)(end - name))) {
			s->disk_read += read * SECTOR;
			s->disk_written += written * SECTOR;
		}
	}
}

void machine_parse_net(const char *text, struct machine_sample *s)
{
	s->net_received = s->net_sent = 0;
	for (const char *line = text; line && *line; line = next_line(line)) {
		const char *colon = strchr(line, ':'), *end = strchrnul(line, '\n');
		unsigned long long received, sent;

		if (!colon || colon > end || !strncmp(line + strspn(line, " "), "lo:", 3))
			continue;
		if (sscanf(colon + 1, "%llu %*u %*u %*u %*u %*u %*u %*u %llu", &received, &sent) ==
			2) {
			s->net_received += received;
			s->net_sent += sent;
		}
	}
}

/* The whole file, cut at TEXT_BYTES; NULL when it is not there. */
static const char *text_of(const struct machine *m, int file, char *text)
{
	ssize_t n = m->fd[file] < 0 ? -1 : pread(m->fd[file], text, TEXT_BYTES - 1, 0);

	if (n < 0)
		return NULL;
	text[n] = 0;
	return text;
}

void machine_read_memory(const struct machine *m, struct machine_sample *ret)
{
	char text[8192];
	ssize_t n =
		m->fd[FILE_MEMINFO] < 0 ? -1 : pread(m->fd[FILE_MEMINFO], text, sizeof text - 1, 0);

	if (n < 0)
		return;
	text[n] = 0;
	machine_parse_meminfo(text, ret);
}

void machine_read(const struct machine *m, struct machine_sample *ret)
{
	cleanup_free char *text = malloc(TEXT_BYTES);
	double *const psi[] = {&ret->psi_cpu, &ret->psi_memory, &ret->psi_io};

	*ret = (struct machine_sample){.psi_cpu = -1, .psi_memory = -1, .psi_io = -1};
	if (!text)
		return;
	if (text_of(m, FILE_STAT, text))
		machine_parse_stat(text, ret);
	if (text_of(m, FILE_MEMINFO, text))
		machine_parse_meminfo(text, ret);
	for (int i = 0; i < 3; i++)
		if (text_of(m, FILE_PSI_CPU + i, text))
			*psi[i] = machine_parse_psi(text);
	if (text_of(m, FILE_DISKS, text))
		machine_parse_diskstats(text, ret);
	if (text_of(m, FILE_NET, text))
		machine_parse_net(text, ret);
	if (text_of(m, FILE_LOAD, text))
		ret->load_1 = strtod(text, NULL);
}

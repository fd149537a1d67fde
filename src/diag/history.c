/*
 * Attempts of job.json: see history.h. An attempt without an end was cut off:
 * the machine as it is now tells whether it has been started anew since, and the
 * newest of the files that cragon keeps writing tells when it was last alive.
 */
#include "diag/history.h"
#include "diag/collect.h"
#include "diag/crash.h"
#include "diag/text.h"
#include "base/io.h"
#include "store/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STDERR_FILE "stderr.tail"
#define STDERR_FILE_MAX (64 * 1024)
#define METRICS_ROW_MAX 4096

static int64_t number_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : 0;
}

static void copy_text(const json_t *o, const char *key, char *to, size_t cap)
{
	const char *text = json_string_value(json_object_get(o, key));

	text_copy(to, cap, text ? text : "", text ? strlen(text) : 0);
}

/* RFC 3339, as job.json has it. */
static uint64_t time_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	struct tm tm = {0};
	int micro = 0, hours = 0, minutes = 0;
	char sign = '+';
	time_t seconds;

	if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6d%c%2d:%2d", &tm.tm_year, &tm.tm_mon,
			     &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &micro, &sign,
			     &hours, &minutes) != 10)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	seconds = timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return seconds > 0 ? (uint64_t)seconds * NS_PER_SEC : 0;
}

static enum diag_how how_of(const json_t *attempt, bool running)
{
	static const char *const names[] = {"running", "exit", "signal", "stopped", "lost"};
	const char *text = json_string_value(json_object_get(attempt, "how"));

	for (size_t i = 1; text && i < ARRAY_LEN(names); i++)
		if (!strcmp(text, names[i]))
			return (enum diag_how)i;
	return running ? DIAG_RUNNING : DIAG_LOST;
}

/* What cragon wrote last. */
static uint64_t last_sign(int dirfd)
{
	static const char *const names[] = {
		"cragon.log", "job.json", "system_metrics.csv", "process_metrics.json"};
	uint64_t newest = 0;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (fstatat(dirfd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			newest = MAX(newest, (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC);
	return newest;
}

static void stderr_of(int dirfd, struct diag_facts *f)
{
	cleanup_buf struct buf text = {0};
	cleanup_fd int fd =
		openat(dirfd, STDERR_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + NS_PER_SEC < f->started_ns)
		return;
	if (io_slurp_fd(fd, &text, STDERR_FILE_MAX) == 0 && text.data)
		diag_set_stderr(f, text.data, text.len);
}

/* The image that an attempt was stopped with says why. */
static void reason_of(const char *jobdir, uint64_t number, struct diag_facts *f)
{
	struct store_entry *list = NULL;
	struct err ignored = {0};
	size_t n = 0;

	if (store_list(jobdir, &list, &n, NULL, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (list[i].number == number && list[i].info.reason)
			f->stop = !strcmp(list[i].info.reason, "stop")
					  ? DIAG_STOP_REQUEST
					  : diag_stop_of(list[i].info.reason);
	store_entries_free(list, n);
}

static bool read_ends(int dirfd, const char *name, char *head, char *tail)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = pread(fd, head, METRICS_ROW_MAX, 0);
	if (n <= 0)
		return false;
	head[n] = 0;
	n = pread(fd, tail, METRICS_ROW_MAX, MAX(st.st_size - METRICS_ROW_MAX, 0));
	tail[MAX(n, 0)] = 0;
	return n > 0;
}

/* The last line that is complete; NULL when there is none. */
static char *last_row(char *text)
{
	char *end = strrchr(text, '\n'), *begin;

	if (!end)
		return NULL;
	*end = 0;
	begin = strrchr(text, '\n');
	return begin ? begin + 1 : NULL;
}

static uint64_t newest_checkpoint(const json_t *attempt)
{
	const json_t *list = json_object_get(attempt, "checkpoints");
	size_t n = json_array_size(list);
	const json_t *last = n ? json_array_get(list, n - 1) : NULL;
	json_int_t number =
		json_integer_value(json_is_object(last) ? json_object_get(last, "number") : last);

	return number > 0 ? (uint64_t)number : (uint64_t)MAX(number_of(attempt, "from_image"), 0);
}

/* Columns of the last row of system_metrics.csv, by the names in its header. */
static void last_metrics(int dirfd, struct diag_memory *m)
{
	const struct {
		const char *name;
		uint64_t *value;
	} columns[] = {{"memory_total_bytes", &m->total}, {"memory_available_bytes", &m->available},
		{"swap_total_bytes", &m->swap_total}, {"job_rss_bytes", &m->job_rss},
		{"cgroup_memory_bytes", &m->cgroup_current},
		{"cgroup_limit_bytes", &m->cgroup_limit}, {"swap_used_bytes", &m->swap_free}};
	char head[METRICS_ROW_MAX + 1] = "", tail[METRICS_ROW_MAX + 1] = "";
	char *names = head, *values = tail, *name, *value, *row;

	if (!read_ends(dirfd, "system_metrics.csv", head, tail))
		return;
	head[strcspn(head, "\r\n")] = 0;
	row = last_row(tail);
	if (!row)
		return;
	values = row;
	while ((name = strsep(&names, ",")) && (value = strsep(&values, ",")))
		for (size_t i = 0; i < ARRAY_LEN(columns); i++)
			if (!strcmp(name, columns[i].name))
				*columns[i].value = strtoull(value, NULL, 10);
	m->swap_free = m->swap_total - MIN(m->swap_free, m->swap_total);
}

/* The kernel may have killed cragon itself; its log counts from this boot. */
static void kernel_about(const json_t *attempt, struct diag_facts *f)
{
	uint64_t age = now_real_ns() - MIN(f->started_ns, now_real_ns()), up = now_mono_ns();

	if (!f->started_ns || strcmp(f->boot_id, f->seen_boot_id) != 0)
		return;
	f->pid = (pid_t)number_of(attempt, "pid");
	snprintf(f->program, sizeof f->program, "cragon");
	collect_kernel_log(f, up - MIN(age, up));
}

void history_facts(
	const json_t *attempt, int dirfd, const char *jobdir, bool running, struct diag_facts *f)
{
	cleanup_fd int records = openat(dirfd, ".intercept", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t code = number_of(attempt, "exit_code"), sig = number_of(attempt, "signal");

	memset(f, 0, sizeof *f);
	f->how = how_of(attempt, running);
	f->exit_code = code >= 0 && code < 256 ? (int)code : 0;
	f->signal = sig > 0 && sig <= 64 ? (int)sig : 0;
	copy_text(attempt, "host", f->host, sizeof f->host);
	copy_text(attempt, "boot_id", f->boot_id, sizeof f->boot_id);
	f->started_ns = time_of(attempt, "started");
	f->ended_ns = time_of(attempt, "ended");
	f->image = newest_checkpoint(attempt);
	f->from_image = (uint64_t)MAX(number_of(attempt, "from_image"), 0);
	collect_machine(f);
	f->memory = (struct diag_memory){0}; /* today's says nothing about then */
	if (f->how == DIAG_LOST) {
		f->ended_ns = last_sign(dirfd);
		last_metrics(dirfd, &f->memory);
		kernel_about(attempt, f);
		return;
	}
	if (f->how == DIAG_STOPPED)
		reason_of(jobdir, f->image, f);
	stderr_of(dirfd, f);
	if (records >= 0 && f->started_ns)
		(void)crash_find(records, f->started_ns, &f->crash);
}

void history_diagnose(
	const json_t *attempt, int dirfd, const char *jobdir, bool running, struct diagnosis *ret)
{
	const json_t *stored = json_object_get(attempt, "diagnosis"),
		     *facts = json_object_get(attempt, "facts");
	cleanup_free struct diag_facts *f = NULL;

	if (diag_from_json(stored, ret) == 0)
		return;
	f = calloc(1, sizeof *f);
	if (!f) {
		*ret = (struct diagnosis){.cause = DIAG_UNKNOWN};
		return;
	}
	if (json_is_object(facts))
		diag_facts_from_json(facts, f);
	else
		history_facts(attempt, dirfd, jobdir, running, f);
	diag_evaluate(f, ret);
}

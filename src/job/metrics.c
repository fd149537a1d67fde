/* Samples of the machine and the job: see metrics.h. */
#include "job/metrics.h"
#include "base/io.h"
#include "sys/cgroup.h"
#include "sys/machine.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define PROCESSES_MAX 4000
#define FILE_BYTES_MAX (16 * MIB)
#define COST_SHARE 1000 /* a thousandth of a core for samples */
#define WALK_SHARE 2000 /* and half of that for looking for new processes */
#define PSS_EVERY 10	/* samples; one process each time, its maps have to be walked */
#define PSS_COST_MAX_NS (2 * NS_PER_MSEC)
#define GROWTH_WEIGHT 0.3

struct process {
	pid_t pid, inner; /* as cragon and as the job see it */
	int stat_fd, io_fd;
	uint64_t start;
	bool fresh; /* no CPU time to compare with yet */
	char comm[64], state;
	pid_t ppid;
	long threads;
	uint64_t cpu_ticks, children_ticks, before_ticks;
	uint64_t rss, pss, minor, major, read, written;
	uint64_t cpu_soft; /* RLIMIT_CPU, seconds */
};

struct metrics {
	int dirfd;
	const struct job *job;
	struct log *log;
	int attempt;
	uint64_t interval_ns;
	struct machine machine;
	struct machine_sample before;
	struct cgroup cgroup;
	struct process *list;
	size_t n, next_pss;
	uint64_t gone_ticks; /* CPU time of processes that are gone */
	uint64_t gone_io;
	char last_born[24];
	int born_fd;
	uint64_t next_walk_ns, cost_ns, samples, next_rows;
	uint64_t last_ns, processes_ns;
	long ticks_per_s;
	bool told_full, told_cost;
	struct metrics_view view;
};

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

struct metrics *metrics_open(
	int jobdir_fd, const struct job *job, int attempt, uint64_t interval_ns, struct log *log)
{
	struct metrics *m = calloc(1, sizeof *m);
	char path[64];

	if (!m)
		return NULL;
	m->dirfd = jobdir_fd;
	m->job = job;
	m->log = log;
	m->attempt = attempt;
	m->interval_ns = interval_ns;
	m->ticks_per_s = sysconf(_SC_CLK_TCK);
	machine_open(&m->machine);
	if (cgroup_find(getpid(), &m->cgroup) < 0)
		m->cgroup.version = 0;
	/* The job's own /proc, whose ids are those of its namespace. */
	snprintf(path, sizeof path, "/proc/%d/root/proc/loadavg", job_reaper_pid(job));
	m->born_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (m->born_fd < 0)
		m->born_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	m->view.cpu_left_ns = UINT64_MAX;
	return m;
}

static void process_done(struct process *p)
{
	close_p(&p->stat_fd);
	close_p(&p->io_fd);
}

void metrics_close(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		process_done(&m->list[i]);
	free(m->list);
	machine_done(&m->machine);
	close_p(&m->born_fd);
	free(m);
}

/* ---- which processes ------------------------------------------------------------- */

static bool something_was_born(struct metrics *m)
{
	char text[128];
	ssize_t n = m->born_fd < 0 ? -1 : pread(m->born_fd, text, sizeof text - 1, 0);
	const char *last;

	if (n <= 0)
		return true;
	text[n] = 0;
	last = strrchr(text, ' ');
	if (!last || !strncmp(last, m->last_born, sizeof m->last_born - 1))
		return false;
	snprintf(m->last_born, sizeof m->last_born, "%s", last);
	return true;
}

static bool is_known(const struct metrics *m, pid_t pid)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].pid == pid)
			return true;
	return false;
}

static void add_process(struct metrics *m, pid_t pid)
{
	cleanup(proc_status_done) struct proc_status status = {0};
	struct process p = {.pid = pid, .fresh = true}, *grown;
	struct rlimit limit;
	char path[40];

	if (m->n == PROCESSES_MAX || proc_status(pid, &status) < 0)
		return;
	p.inner = status.ns_pid;
	if (prlimit(pid, RLIMIT_CPU, NULL, &limit) < 0)
		limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	p.cpu_soft = limit.rlim_cur;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	p.stat_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p.stat_fd < 0)
		return;
	snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
	p.io_fd = open(path, O_RDONLY | O_CLOEXEC);
	grown = realloc(m->list, (m->n + 1) * sizeof *grown);
	if (!grown) {
		process_done(&p);
		return;
	}
	m->list = grown;
	m->list[m->n++] = p;
}

static void look_for_new(struct metrics *m)
{
	cleanup_free pid_t *pids = NULL;
	uint64_t now = now_mono_ns(), began;
	int n;

	if (now < m->next_walk_ns || !something_was_born(m))
		return;
	began = own_cpu_ns();
	n = job_processes(m->job, &pids);
	for (int i = 0; i < n; i++)
		if (!is_known(m, pids[i]))
			add_process(m, pids[i]);
	m->next_walk_ns = now + (own_cpu_ns() - began) * WALK_SHARE;
}

/* ---- one process ------------------------------------------------------------------ */

static bool parse_stat(struct process *p, char *text)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')'), *at;
	uint64_t v[23] = {0}; /* from field 3 on */

	if (!open || !close || close < open || !close[1] || !close[2])
		return false;
	*close = 0;
	snprintf(p->comm, sizeof p->comm, "%s", open + 1);
	p->state = close[2];
	at = close + 3;
	for (int i = 1; i < 22; i++)
		v[i] = (uint64_t)strtoll(at, &at, 10);
	p->ppid = (pid_t)v[1];
	p->minor = v[7];
	p->major = v[9];
	p->cpu_ticks = v[11] + v[12];
	p->children_ticks = v[13] + v[14];
	p->threads = (long)v[17];
	p->rss = v[21] * CRAGON_PAGE_BYTES;
	if (p->fresh)
		p->start = v[19];
	return p->start == v[19] && p->state != 'Z' && p->state != 'X';
}

static void read_io(struct process *p)
{
	char text[512];
	const char *at;
	ssize_t n = p->io_fd < 0 ? -1 : pread(p->io_fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return;
	text[n] = 0;
	/* rchar and wchar: what was asked of the kernel, from the page cache too. */
	at = strstr(text, "rchar:");
	p->read = at ? strtoull(at + 6, NULL, 10) : p->read;
	at = strstr(text, "wchar:");
	p->written = at ? strtoull(at + 6, NULL, 10) : p->written;
}

static bool read_process(struct process *p)
{
	char text[1024];
	ssize_t n = pread(p->stat_fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return false;
	text[n] = 0;
	return parse_stat(p, text);
}

static void read_pss(struct metrics *m)
{
	cleanup_buf struct buf text = {0};
	struct process *p;
	uint64_t began = own_cpu_ns();
	const char *at;

	if (!m->n || m->samples % PSS_EVERY != PSS_EVERY - 1)
		return;
	p = &m->list[m->next_pss++ % m->n];
	if (p->rss > 1024 * MIB || proc_read(p->pid, "smaps_rollup", &text) < 0)
		return;
	at = strstr(text.data, "Pss:");
	p->pss = at ? strtoull(at + 4, NULL, 10) * 1024 : 0;
	if (own_cpu_ns() - began > PSS_COST_MAX_NS)
		m->samples += PSS_EVERY * 10; /* dear: seldom */
}

/* ---- the view ------------------------------------------------------------------------ */

static void watch_cpu_limit(struct metrics_view *v, uint64_t limit_s, uint64_t used_ns)
{
	uint64_t limit = limit_s * NS_PER_SEC, left = limit > used_ns ? limit - used_ns : 0;

	if (limit_s == RLIM_INFINITY || limit_s > UINT64_MAX / NS_PER_SEC || left >= v->cpu_left_ns)
		return;
	v->cpu_left_ns = left;
	v->cpu_limit_ns = limit;
}

static void sum_up(struct metrics *m)
{
	struct metrics_view *v = &m->view;
	uint64_t rss = 0, ticks = m->gone_ticks, io = m->gone_io, now = now_mono_ns();
	double seconds = (double)(now - m->processes_ns) / (double)NS_PER_SEC, growth;

	v->cpu_left_ns = UINT64_MAX;
	for (size_t i = 0; i < m->n; i++) {
		const struct process *p = &m->list[i];
		uint64_t used = p->cpu_ticks * (NS_PER_SEC / (uint64_t)m->ticks_per_s);

		rss += p->rss;
		ticks += p->cpu_ticks + p->children_ticks;
		io += p->read + p->written;
		watch_cpu_limit(v, p->cpu_soft, used);
	}
	if (m->processes_ns && seconds > 0) {
		growth = ((double)rss - (double)v->job_rss) / seconds;
		growth = (1 - GROWTH_WEIGHT) * (double)v->job_growth_per_s + GROWTH_WEIGHT * growth;
		v->job_growth_per_s = growth > 0 ? (uint64_t)growth : 0;
	}
	m->processes_ns = now;
	v->job_rss = rss;
	v->job_peak_rss = MAX(v->job_peak_rss, rss);
	v->job_cpu_ns = ticks * (NS_PER_SEC / (uint64_t)m->ticks_per_s);
	v->job_io_bytes = io;
	v->processes = (unsigned)m->n;
}

/* A process that is gone takes its numbers along: they are kept, so that the sums
 * do not go back. (Its parent counts its CPU time too, once it has waited: the sum
 * is for seeing progress, not for accounts.) */
static void read_processes(struct metrics *m, bool io)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct process *p = &m->list[i];

		if (!read_process(p)) {
			m->gone_ticks += p->cpu_ticks;
			m->gone_io += p->read + p->written;
			process_done(p);
			continue;
		}
		if (io)
			read_io(p);
		m->list[kept++] = *p;
	}
	m->n = kept;
	sum_up(m);
}

static void read_cgroup(struct metrics *m)
{
	struct cgroup_memory c;

	if (!m->cgroup.version || cgroup_memory(&m->cgroup, &c) < 0)
		return;
	m->view.cgroup_limit = c.limit == CGROUP_NO_LIMIT ? 0 : c.limit;
	m->view.cgroup_used = c.used - c.reclaimable;
	m->view.cgroup_oom_kills = c.oom_kills;
}

static void view_machine(struct metrics *m, const struct machine_sample *s)
{
	m->view.memory_total = s->memory_total;
	m->view.memory_available = s->memory_available;
	m->view.swap_total = s->swap_total;
	m->view.swap_free = s->swap_free;
	m->view.time_ns = now_mono_ns();
}

void metrics_look_at_memory(struct metrics *m)
{
	struct machine_sample s = {0};

	machine_read_memory(&m->machine, &s);
	view_machine(m, &s);
	read_cgroup(m);
	read_processes(m, false);
}

/* ---- rows ---------------------------------------------------------------------------- */

static const char header[] =
	"time,attempt,cpu_percent,cpu_cores_percent,memory_total_bytes,memory_available_bytes,"
	"swap_total_bytes,swap_used_bytes,psi_cpu_percent,psi_memory_percent,psi_io_percent,"
	"disk_read_bytes_per_s,disk_written_bytes_per_s,net_received_bytes_per_s,"
	"net_sent_bytes_per_s,load_1,job_processes,job_cpu_percent,job_rss_bytes,"
	"cgroup_memory_bytes,cgroup_limit_bytes\r\n";

static double busy_percent(const struct machine_core *now, const struct machine_core *before)
{
	uint64_t total = now->total - before->total;

	return total && now->total > before->total
		       ? 100.0 * (double)(now->busy - before->busy) / (double)total
		       : 0;
}

static void add_percent(struct buf *b, double percent)
{
	if (percent >= 0)
		buf_printf(b, "%.1f", percent);
	buf_str(b, ",");
}

static void add_rate(struct buf *b, uint64_t now, uint64_t before, double seconds)
{
	if (seconds > 0 && now >= before)
		buf_printf(b, "%.0f", (double)(now - before) / seconds);
	buf_str(b, ",");
}

static double job_percent(const struct metrics *m, double seconds)
{
	uint64_t ticks = 0;

	for (size_t i = 0; i < m->n; i++)
		if (!m->list[i].fresh)
			ticks += m->list[i].cpu_ticks - m->list[i].before_ticks;
	return seconds > 0 ? 100.0 * (double)ticks / (double)m->ticks_per_s / seconds : 0;
}

static void system_row(struct metrics *m, const char *when, const struct machine_sample *s,
	double seconds, struct buf *b)
{
	const struct machine_sample *was = &m->before;

	buf_printf(b, "%s,%d,", when, m->attempt);
	add_percent(b, seconds > 0 ? busy_percent(&s->all, &was->all) : -1);
	for (unsigned i = 0; seconds > 0 && i < s->n_cores; i++)
		buf_printf(b, "%s%.0f", i ? ";" : "", busy_percent(&s->core[i], &was->core[i]));
	buf_printf(b, ",%llu,%llu,%llu,%llu,", (unsigned long long)s->memory_total,
		(unsigned long long)s->memory_available, (unsigned long long)s->swap_total,
		(unsigned long long)(s->swap_total - s->swap_free));
	add_percent(b, s->psi_cpu);
	add_percent(b, s->psi_memory);
	add_percent(b, s->psi_io);
	add_rate(b, s->disk_read, was->disk_read, seconds);
	add_rate(b, s->disk_written, was->disk_written, seconds);
	add_rate(b, s->net_received, was->net_received, seconds);
	add_rate(b, s->net_sent, was->net_sent, seconds);
	buf_printf(b, "%.2f,%u,%.1f,%llu,", s->load_1, m->view.processes, job_percent(m, seconds),
		(unsigned long long)m->view.job_rss);
	if (m->view.cgroup_limit)
		buf_printf(b, "%llu,%llu", (unsigned long long)m->view.cgroup_used,
			(unsigned long long)m->view.cgroup_limit);
	else
		buf_str(b, ",");
	buf_str(b, "\r\n");
}

/* A name is bytes; JSON wants UTF-8. */
static void add_name(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_add(b, s, 1);
	}
}

/* As the job sees it; 0: the parent is none of the job. */
static pid_t inner_parent(const struct metrics *m, const struct process *p)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].pid == p->ppid)
			return m->list[i].inner;
	return 0;
}

static void add_process_json(
	const struct metrics *m, const struct process *p, double seconds, struct buf *b)
{
	double hz = (double)m->ticks_per_s;

	buf_printf(b, "{\"pid\":%d,", (int)p->inner);
	if (p->pid != p->inner)
		buf_printf(b, "\"host_pid\":%d,", (int)p->pid);
	buf_printf(b, "\"ppid\":%d,\"comm\":\"", (int)inner_parent(m, p));
	add_name(b, p->comm);
	buf_printf(b, "\",\"state\":\"%c\",\"threads\":%ld,", p->state, p->threads);
	if (!p->fresh && seconds > 0)
		buf_printf(b, "\"cpu_percent\":%.1f,",
			100.0 * (double)(p->cpu_ticks - p->before_ticks) / hz / seconds);
	buf_printf(b, "\"cpu_seconds\":%.2f,\"rss_bytes\":%llu,", (double)p->cpu_ticks / hz,
		(unsigned long long)p->rss);
	if (p->pss)
		buf_printf(b, "\"pss_bytes\":%llu,", (unsigned long long)p->pss);
	buf_printf(b,
		"\"read_bytes\":%llu,\"written_bytes\":%llu,\"minor_faults\":%llu,"
		"\"major_faults\":%llu}",
		(unsigned long long)p->read, (unsigned long long)p->written,
		(unsigned long long)p->minor, (unsigned long long)p->major);
}

static void process_row(const struct metrics *m, const char *when, double seconds, struct buf *b)
{
	buf_printf(b, "{\"time\":\"%s\",\"attempt\":%d,\"processes\":[", when, m->attempt);
	for (size_t i = 0; i < m->n; i++) {
		if (i)
			buf_str(b, ",");
		add_process_json(m, &m->list[i], seconds, b);
	}
	buf_str(b, "]}\n");
}

static void write_row(struct metrics *m, const char *name, const char *head, const struct buf *b)
{
	int r = buf_error(b)
			? -ENOMEM
			: metrics_append(m->dirfd, name, head, b->data, b->len, FILE_BYTES_MAX);

	if (r < 0 && !m->told_full)
		log_info(m->log, "no metrics: %s: %s", name, strerror(-r));
	m->told_full = r < 0;
}

static void write_rows(struct metrics *m, const struct machine_sample *s, double seconds)
{
	cleanup_buf struct buf system = {0}, processes = {0};
	char when[40];

	format_time(now_real_ns(), when);
	system_row(m, when, s, seconds, &system);
	write_row(m, METRICS_SYSTEM_NAME, header, &system);
	process_row(m, when, seconds, &processes);
	write_row(m, METRICS_PROCESS_NAME, NULL, &processes);
}

/* Rows come less often when they cost more than they may. */
static void account(struct metrics *m, uint64_t cost_ns)
{
	uint64_t every;

	m->cost_ns = m->cost_ns ? (7 * m->cost_ns + cost_ns) / 8 : cost_ns;
	every = m->cost_ns * COST_SHARE / MAX(m->interval_ns, 1ull) + 1;
	m->next_rows = m->samples + every;
	if (every > 2 && !m->told_cost && m->samples > 8) {
		m->told_cost = true;
		log_info(m->log, "%zu processes: metrics are sampled every %llu intervals", m->n,
			(unsigned long long)every);
	}
}

void metrics_sample(struct metrics *m)
{
	uint64_t began = own_cpu_ns(), now = now_mono_ns();
	cleanup_free struct machine_sample *s = calloc(1, sizeof *s);
	double seconds = m->last_ns ? (double)(now - m->last_ns) / (double)NS_PER_SEC : 0;

	m->samples++;
	if (!s || m->samples < m->next_rows) {
		machine_read_memory(&m->machine, &m->before);
		view_machine(m, &m->before);
		read_cgroup(m);
		return;
	}
	machine_read(&m->machine, s);
	view_machine(m, s);
	read_cgroup(m);
	look_for_new(m);
	read_processes(m, true);
	read_pss(m);
	if (m->interval_ns)
		write_rows(m, s, seconds);
	for (size_t i = 0; i < m->n; i++) {
		m->list[i].fresh = false;
		m->list[i].before_ticks = m->list[i].cpu_ticks;
	}
	m->before = *s;
	m->last_ns = now;
	account(m, own_cpu_ns() - began);
}

const struct metrics_view *metrics_last(const struct metrics *m)
{
	return &m->view;
}

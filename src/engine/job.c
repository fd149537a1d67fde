/* Starting a job and following it: see engine.h. Restoring is in restore.c. */
#include "engine/job.h"
#include "sys/procfs.h"
#include "base/io.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

int engine_find_program(const char *name, char *ret, struct err *e)
{
	const char *path = getenv("PATH");
	int found = -ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(ret, PATH_MAX, "%s", name) >= PATH_MAX)
			return err_sys(e, -ENAMETOOLONG, "%s", name);
		if (access(ret, F_OK) == 0)
			return 0;
		return err_set(e, -ENOENT, WHY_NO_COMMAND, "%s: %s", name, strerror(errno));
	}
	for (const char *dir = path ? path : "/usr/local/bin:/usr/bin:/bin"; dir;) {
		const char *end = strchrnul(dir, ':');
		struct stat st;
		int n = snprintf(ret, PATH_MAX, "%.*s%s%s", (int)(end - dir), dir,
			end == dir ? "./" : "/", name);

		if (*name && n < PATH_MAX && stat(ret, &st) == 0 && S_ISREG(st.st_mode)) {
			if (access(ret, X_OK) == 0)
				return 0;
			found = -EACCES;
		}
		dir = *end ? end + 1 : NULL;
	}
	if (found == -EACCES)
		return err_set(e, found, WHY_NOT_EXECUTABLE,
			"%s: found, but not executable (chmod +x?)", name);
	return err_set(e, found, WHY_NO_COMMAND, "%s: command not found", name);
}

/* What could never be checkpointed is refused before it starts. */
static int check_program(const char *path, struct err *e)
{
	unsigned char head[EI_NIDENT] = {0};
	cleanup_fd int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(e, -errno, WHY_NO_COMMAND, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, WHY_NOT_EXECUTABLE, "%s: is a directory", path);
	if (access(path, X_OK) < 0)
		return err_set(e, -errno, WHY_NOT_EXECUTABLE, "%s: not executable (chmod +x?)", path);
	if (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
		((st.st_mode & S_ISGID) && st.st_gid != getegid()))
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
			"%s is a set-user-id or set-group-id program: the kernel lets nobody "
			"checkpoint it; run it without cragon",
			path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, WHY_UNSUPPORTED,
			"%s cannot be read, only executed: such a program cannot be checkpointed; "
			"ask for read permission or run it without cragon",
			path);
	if (read(fd, head, sizeof head) == sizeof head && memcmp(head, ELFMAG, SELFMAG) == 0 &&
		head[EI_CLASS] != ELFCLASS64)
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
			"%s is a 32-bit program, which cragon cannot checkpoint; use a 64-bit "
			"build of it",
			path);
	return 0;
}

/* The id cragon sees for the child that the reaper calls `inner`. */
static pid_t outer_id(const struct reaper *r, pid_t inner)
{
	cleanup_free pid_t *children = NULL;
	int n = proc_children(r->pid, &children);

	for (int i = 0; i < n; i++) {
		cleanup(proc_status_done) struct proc_status status = {0};

		if (proc_status(children[i], &status) == 0 && status.ns_pid == inner)
			return children[i];
	}
	return 0;
}

static int started(struct job *job, const char *name, struct err *e)
{
	struct reaper_event event;
	int r = reaper_order(&job->reaper, ORDER_START, 0);

	if (r == 0)
		r = reaper_event(&job->reaper, &event);
	if (r < 0)
		return err_sys(e, r, "cannot start %s", name);
	if (event.kind == REAPER_EXEC_FAILED)
		return err_set(e, event.value, WHY_NOT_EXECUTABLE, "%s: cannot execute: %s", name,
			strerror(-event.value));
	if (event.kind != REAPER_STARTED)
		return err_set(e, -EPROTO, WHY_SYSTEM, "cannot start %s", name);
	job->root = outer_id(&job->reaper, event.value);
	return 0;
}

int engine_spawn(struct job **ret, const struct engine_spawn *spec, struct err *e)
{
	char path[PATH_MAX];
	struct reaper_options options = {
		.namespaces = spec->namespaces,
		.path = path,
		.argv = spec->argv,
		.mask = spec->mask,
		.notes = spec->notes,
	};
	struct job *job;
	int r = engine_find_program(spec->argv[0], path, e);

	if (r == 0)
		r = check_program(path, e);
	if (r < 0)
		return r;
	job = calloc(1, sizeof *job);
	if (!job)
		return err_sys(e, -ENOMEM, "starting %s", spec->argv[0]);
	job->outputs.since_ns = outputs_now_ns();
	r = reaper_start(&job->reaper, &options, e);
	if (r == 0)
		r = started(job, spec->argv[0], e);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*ret = job;
	return 0;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	job_end(job);
	outputs_done(&job->outputs);
	free(job);
}

pid_t job_reaper_pid(const struct job *job)
{
	return job->reaper.pid;
}

pid_t job_root_pid(const struct job *job)
{
	return job->ended ? 0 : job->root;
}

bool job_has_namespace(const struct job *job)
{
	return job->reaper.has_pid_namespace;
}

int job_event_fd(const struct job *job)
{
	return job->reaper.events;
}

int job_poll(struct job *job, int *ret_status)
{
	struct pollfd ready = {.fd = job->reaper.events, .events = POLLIN};
	struct reaper_event event;

	while (!job->ended) {
		if (poll(&ready, 1, 0) <= 0)
			return 0;
		if (reaper_event(&job->reaper, &event) < 0)
			return -ESRCH;
		if (event.kind == REAPER_ROOT_ENDED) {
			job->ended = true;
			job->status = event.value;
		}
	}
	*ret_status = job->status;
	return 1;
}

static int add_tree(pid_t parent, pid_t **list, int *n)
{
	cleanup_free pid_t *children = NULL;
	int count = proc_children(parent, &children);

	for (int i = 0; i < count; i++) {
		struct proc_stat stat;
		pid_t *grown;
		int r;

		if (proc_stat(children[i], &stat) < 0 || stat.state == 'Z' || stat.state == 'X')
			continue;
		grown = realloc(*list, (size_t)(*n + 1) * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		*list = grown;
		(*list)[(*n)++] = children[i];
		r = add_tree(children[i], list, n);
		if (r < 0)
			return r;
	}
	return 0;
}

int job_processes(const struct job *job, pid_t **ret_pids)
{
	cleanup_free pid_t *list = NULL;
	int n = 0, r = add_tree(job->reaper.pid, &list, &n);

	if (r < 0)
		return r;
	*ret_pids = steal_ptr(&list);
	return n;
}

pid_t job_outer_pid(const struct job *job, pid_t inner)
{
	cleanup_free pid_t *pids = NULL;
	int n = job_processes(job, &pids);

	for (int i = 0; i < n; i++) {
		cleanup(proc_status_done) struct proc_status status = {0};

		if (proc_status(pids[i], &status) == 0 && status.ns_pid == inner)
			return pids[i];
	}
	return 0;
}

int job_signal(struct job *job, int sig)
{
	pid_t root = job_root_pid(job);

	if (!root)
		return -ESRCH;
	return kill(root, sig) < 0 ? -errno : 0;
}

int job_signal_all(struct job *job, int sig)
{
	cleanup_free pid_t *pids = NULL;
	int n = job_processes(job, &pids);

	for (int i = 0; i < n; i++)
		kill(pids[i], sig);
	return n < 0 ? n : 0;
}

void job_end(struct job *job)
{
	reaper_end(&job->reaper);
}

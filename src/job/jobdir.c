/*
 * Jobs as the user sees them: found by directory, by id or by being the only
 * one there, and described from job.json and the images on disk. Nothing here
 * asks the running cragon: its plans are in job.json too, so that another
 * machine sees the same.
 */
#include "job/jobdir.h"
#include "base/io.h"
#include "job/registry.h"
#include "job/workdir.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

void job_view_done(struct job_view *v)
{
	free_p(&v->id);
	free_p(&v->directory);
	free_p(&v->hostname);
	free_p(&v->interval_reason);
	strings_free(v->command);
	v->command = NULL;
}

const char *job_state_name(enum job_state state)
{
	switch (state) {
	case JOB_RUNNING:
		return "running";
	case JOB_STOPPED:
		return "stopped";
	case JOB_DONE:
		return "done";
	case JOB_LOST:
		return "lost";
	}
	return "unknown";
}

static enum job_state state_of(const struct journal_attempt *a)
{
	struct identity self;

	switch (a->how) {
	case HOW_EXIT:
	case HOW_SIGNAL:
		return a->resumable ? JOB_STOPPED : JOB_DONE;
	case HOW_STOPPED:
		return JOB_STOPPED;
	case HOW_LOST:
		return JOB_LOST;
	case HOW_RUNNING:
		break;
	}
	identity_self(&self);
	return identity_alive(&self, a->host, a->boot_id, a->pid, a->pid_start) ? JOB_RUNNING
										: JOB_LOST;
}

static void view_images(struct job_view *v, uint64_t first)
{
	struct store_entry *images = NULL;
	struct err ignored = {0};
	size_t n = 0;

	if (store_list(v->directory, &images, &n, NULL, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct image_info *info = &images[i].info;

		v->image_bytes += info->stored_bytes;
		if (images[i].number < first)
			continue;
		v->images++;
		if (v->last_image)
			continue;
		v->last_image = images[i].number;
		v->last_image_ns = info->timestamp_ns;
		v->last_pause_ns = info->pause_ns;
		v->last_duration_ns = info->duration_ns;
		v->last_memory_bytes = info->memory_bytes;
		v->last_stored_bytes = info->stored_bytes;
	}
	store_entries_free(images, n);
}

static int view_load(const char *directory, struct job_view *ret, struct err *e)
{
	cleanup(workdir_done) struct workdir dir = WORKDIR_NONE;
	cleanup(journal_done) struct journal j = {0};
	cleanup(job_view_done) struct job_view v = {.exit_code = -1, .state = JOB_LOST};
	struct journal_attempt last;
	int r = workdir_open(&dir, directory, e);

	if (r == 0)
		r = journal_load(&j, dir.fd, e);
	if (r < 0)
		return r;
	v.id = strdup(journal_id(&j));
	v.directory = steal_ptr(&dir.path);
	v.command = journal_command(&j);
	v.attempts = journal_attempts(&j);
	v.started_ns = journal_first_start_ns(&j);
	if (journal_last(&j, &last) == 0) {
		v.state = state_of(&last);
		v.hostname = strdup(last.host);
		v.exit_code = last.exit_code;
		if (v.state == JOB_RUNNING) {
			v.pid = last.pid;
			v.next_checkpoint_ns = last.next_checkpoint_ns;
			v.interval_ns = last.interval_ns;
			v.interval_reason = strdup(last.interval_reason);
		}
	} else {
		v.hostname = strdup("");
	}
	if (!v.id || !v.command || !v.hostname)
		return err_sys(e, -ENOMEM, "job directory %s", directory);
	view_images(&v, journal_first_image(&j));
	*ret = v;
	v = (struct job_view){0};
	return 0;
}

/* ---- collecting ----------------------------------------------------------- */

struct views {
	struct job_view *list;
	size_t n;
};

static void views_done(struct views *all)
{
	for (size_t i = 0; i < all->n; i++)
		job_view_done(&all->list[i]);
	free(all->list);
	*all = (struct views){0};
}

/* Adds the job in `directory`, if there is one and it is not in the list yet. */
static int views_add(struct views *all, const char *directory)
{
	struct err ignored = {0};
	struct job_view v, *more;

	if (view_load(directory, &v, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->list[i].directory, v.directory)) {
			job_view_done(&v);
			return 0;
		}
	more = realloc(all->list, (all->n + 1) * sizeof *more);
	if (!more) {
		job_view_done(&v);
		return -ENOMEM;
	}
	all->list = more;
	all->list[all->n++] = v;
	return 0;
}

static int add_registered(struct views *all)
{
	char **list = registry_list();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && list[i]; i++)
		r = views_add(all, list[i]);
	strings_free(list);
	return r;
}

/* The current directory itself and the job directories right below it. */
static int add_here(struct views *all)
{
	cleanup_dir DIR *here = opendir(".");
	struct dirent *d;
	int r = access(JOURNAL_NAME, F_OK) == 0 ? views_add(all, ".") : 0;

	while (r == 0 && here && (d = readdir(here))) {
		cleanup_buf struct buf path = {0};

		if (d->d_name[0] == '.' ||
			(d->d_type != DT_DIR && d->d_type != DT_LNK && d->d_type != DT_UNKNOWN))
			continue;
		buf_printf(&path, "%s/" JOURNAL_NAME, d->d_name);
		if (buf_error(&path))
			return -ENOMEM;
		if (access(path.data, F_OK) == 0)
			r = views_add(all, d->d_name);
	}
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct job_view *x = a, *y = b;

	return x->started_ns < y->started_ns ? 1 : x->started_ns > y->started_ns ? -1 : 0;
}

static int collect(struct views *all, struct err *e)
{
	int r = add_registered(all);

	if (r == 0)
		r = add_here(all);
	if (r < 0)
		return err_sys(e, r, "cannot list the jobs");
	if (all->n)
		qsort(all->list, all->n, sizeof *all->list, newest_first);
	return 0;
}

int job_list(struct job_view **ret, size_t *ret_n, struct err *e)
{
	cleanup(views_done) struct views all = {0};
	int r = collect(&all, e);

	if (r < 0)
		return r;
	*ret = all.list;
	*ret_n = all.n;
	all = (struct views){0};
	return 0;
}

/* ---- choosing --------------------------------------------------------------- */

static bool is_under(const char *directory, const char *here)
{
	size_t n = strlen(here);

	return !strncmp(directory, here, n) &&
	       (directory[n] == '/' || !directory[n] || (n && here[n - 1] == '/'));
}

/* The only running one, else the newest under the current directory. */
static int find_default(struct job_view *ret, struct err *e)
{
	cleanup(views_done) struct views all = {0};
	cleanup_free char *here = realpath(".", NULL);
	struct job_view *running = NULL, *newest = NULL, *chosen;
	size_t n_running = 0;
	int r = collect(&all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		struct job_view *v = &all.list[i];

		if (v->state == JOB_RUNNING && n_running++ == 0)
			running = v;
		if (!newest && here && is_under(v->directory, here))
			newest = v;
	}
	chosen = n_running == 1 ? running : newest;
	if (!chosen && n_running > 1)
		return err_set(e, -ENOENT, WHY_NO_JOB,
			"%zu jobs are running: name one by its id from \"cragon list\"", n_running);
	if (!chosen)
		return err_set(e, -ENOENT, WHY_NO_JOB,
			"no job is running and none is under this directory: name a job "
			"directory or an id from \"cragon list\"");
	*ret = *chosen;
	*chosen = (struct job_view){0};
	return 0;
}

int job_find(const char *name, struct job_view *ret, struct err *e)
{
	cleanup_free char *directory = NULL;
	struct stat st;
	int r;

	if (!name)
		return find_default(ret, e);
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
		r = view_load(name, ret, e);
		return r < 0 ? err_in(e, "%s", name) : r;
	}
	directory = registry_find(name);
	if (!directory)
		return err_set(e, -ENOENT, WHY_NO_JOB,
			"no job %s: give a job directory or an id from \"cragon list\"", name);
	r = view_load(directory, ret, e);
	return r < 0 ? err_in(e, "job %s in %s", name, directory) : r;
}

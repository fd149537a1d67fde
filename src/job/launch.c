/*
 * `run` and `restart`: see launch.h. A directory that holds a job whose images
 * could still be needed is not given to a new one: retention would delete
 * them. Image numbers below job.json's first_image belong to an earlier job in
 * the same directory and are never resumed by this one.
 */
#include "job/attempt.h"
#include "base/io.h"
#include "job/jobdir.h"
#include "job/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

void launched_done(struct launched *l)
{
	free_p(&l->directory);
}

static void image_close_p(struct image **i)
{
	image_close(*i);
}

/* ---- run -------------------------------------------------------------------- */

static bool has_image(const struct choice *c, uint64_t first)
{
	return c->n && c->list[0].number >= first;
}

/* The job that is in the directory already, if any, is over and done with? */
static bool is_finished(const struct journal *j)
{
	struct journal_attempt last;

	return journal_last(j, &last) == 0 && last.how == HOW_EXIT && last.exit_code == 0;
}

static bool is_over(const struct journal *j)
{
	struct journal_attempt last;

	return journal_last(j, &last) < 0 ||
	       (!last.resumable && (last.how == HOW_EXIT || last.how == HOW_SIGNAL));
}

enum previous { PREVIOUS_NONE, PREVIOUS_RESUME };

/* What to do about an earlier job in the directory. */
static int look_at_previous(struct launch *l, char *const *command, const char *cwd,
	const struct choice *images, enum previous *ret, struct err *e)
{
	cleanup(journal_done) struct journal old = {0};
	struct err none = {0};
	bool resumable;

	*ret = PREVIOUS_NONE;
	if (journal_load(&old, l->dir.fd, &none) < 0)
		return none.code == -ENOENT ? 0 : (*e = none, err_in(e, "%s", l->dir.path));
	resumable = has_image(images, journal_first_image(&old));
	if (l->settings.resume && journal_same_command(&old, command, cwd)) {
		*ret = resumable && !is_finished(&old) ? PREVIOUS_RESUME : PREVIOUS_NONE;
		return 0;
	}
	if (resumable && !is_over(&old))
		return err_set(e, -EEXIST, WHY_USAGE,
			"%s holds a job that can be resumed from image %" PRIu64
			": continue it with \"cragon restart -w\", or take another directory",
			l->dir.path, images->list[0].number);
	return 0;
}

static int start(struct launch *l, char *const *command, const char *cwd,
	const struct choice *images, struct launched *ret, struct err *e)
{
	char id[JOB_ID_CHARS + 1];
	int r = launch_open_log(l, e);

	if (r < 0)
		return r;
	registry_new_id(id);
	r = journal_new(&l->journal, id, command, cwd, l->who.environment,
		images->n ? images->list[0].number + 1 : 1);
	if (r < 0)
		return err_sys(e, r, "cannot describe the job");
	r = attempt_start(l, command, e);
	if (r < 0) {
		workdir_discard(&l->dir);
		return r;
	}
	log_info(&l->log, "job %s: %s started in %s", id, command[0], l->dir.path);
	return attempt_follow(l, ret, e);
}

static int resume(struct launch *l, const char *image, struct launched *ret, struct err *e);

int launch_run(
	const struct settings *settings, char *const *command, struct launched *ret, struct err *e)
{
	cleanup(launch_done) struct launch l = LAUNCH_NONE;
	cleanup(choice_done) struct choice images = {0};
	cleanup_free char *cwd = getcwd(NULL, 0);
	enum previous previous;
	int r;

	if (!cwd)
		return err_sys(e, -errno, "cannot tell the current directory");
	if (settings->resume && !settings->directory)
		return err_set(
			e, -EINVAL, WHY_USAGE, "--resume needs to know where to look: add -w DIR");
	launch_init(&l, settings);
	r = workdir_create(&l.dir, settings->directory, command[0], e);
	if (r == 0)
		r = workdir_lock(&l.dir, &l.who, e);
	if (r == 0)
		r = choice_list(l.dir.path, &images, e);
	if (r >= 0)
		r = look_at_previous(&l, command, cwd, &images, &previous, e);
	if (r < 0)
		return r;
	if (previous == PREVIOUS_RESUME) {
		r = journal_load(&l.journal, l.dir.fd, e);
		return r < 0 ? r : resume(&l, NULL, ret, e);
	}
	return start(&l, command, cwd, &images, ret, e);
}

/* ---- restart ------------------------------------------------------------------ */

static int resume(struct launch *l, const char *image, struct launched *ret, struct err *e)
{
	int r = launch_open_log(l, e);

	if (r < 0)
		return r;
	journal_get_settings(&l->journal, &l->settings);
	if (!image) {
		r = attempt_restore_newest(l, e);
	} else {
		r = attempt_restore(l, image, e);
		if (r < 0)
			err_in(e, "image %s", image);
	}
	return r < 0 ? r : attempt_follow(l, ret, e);
}

/* job.json was lost, or the image was copied away from it: the image knows enough. */
static int journal_from_image(struct launch *l, const struct image_info *info)
{
	char id[JOB_ID_CHARS + 1];

	registry_new_id(id);
	return journal_new(&l->journal, id, info->command, info->directory, l->who.environment, 1);
}

static int find_jobdir(const struct settings *s, const char *image, char **ret, struct err *e)
{
	cleanup(job_view_done) struct job_view v = {0};
	struct stat st;
	int r;

	if (s->directory && stat(s->directory, &st) == 0) {
		*ret = strdup(s->directory);
		return *ret ? 0 : err_sys(e, -ENOMEM, "job directory");
	}
	if (!s->directory && image) {
		*ret = workdir_of_image(image); /* NULL: a new one is made */
		return 0;
	}
	r = job_find(s->directory, &v, e);
	*ret = r < 0 ? NULL : steal_ptr(&v.directory);
	return r;
}

/* `cragon restart DIR` is an easy slip. */
static int open_given(const char *path, struct image **ret, struct err *e)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0 && faccessat(dir, JOURNAL_NAME, F_OK, 0) == 0)
		return err_set(e, -EINVAL, WHY_USAGE,
			"%s is a job directory, not an image: write \"cragon restart -w %s\"", path,
			path);
	return image_open(ret, path, e);
}

static int load_journal(struct launch *l, const struct image_info *info, struct err *e)
{
	cleanup(choice_done) struct choice images = {0};
	int r = journal_load(&l->journal, l->dir.fd, e);

	if (r != -ENOENT)
		return r < 0 ? err_in(e, "%s", l->dir.path) : r;
	if (!info) {
		r = choice_list(l->dir.path, &images, e);
		if (r < 0)
			return r;
		if (!images.n)
			return err_set(e, -ENOENT, images.damaged ? WHY_BAD_IMAGE : WHY_NO_IMAGE,
				"%s holds no job and no image to resume from", l->dir.path);
		info = &images.list[0].info;
	}
	r = journal_from_image(l, info);
	return r < 0 ? err_sys(e, r, "cannot describe the job") : 0;
}

int launch_restart(
	const struct settings *settings, const char *image, struct launched *ret, struct err *e)
{
	cleanup(launch_done) struct launch l = LAUNCH_NONE;
	cleanup(image_close_p) struct image *given = NULL;
	cleanup_free char *jobdir = NULL;
	const struct image_info *info = NULL;
	int r = image ? open_given(image, &given, e) : 0;

	/* A broken image is refused before anything is created or locked. */
	if (r < 0)
		return r;
	info = given ? image_get_info(given) : NULL;
	launch_init(&l, settings);
	r = find_jobdir(settings, image, &jobdir, e);
	if (r == 0)
		r = jobdir ? workdir_open(&l.dir, jobdir, e)
			   : workdir_create(&l.dir, NULL, info->command[0], e);
	if (r == 0)
		r = workdir_lock(&l.dir, &l.who, e);
	if (r == 0)
		r = load_journal(&l, info, e);
	if (r == 0)
		r = resume(&l, image, ret, e);
	if (r < 0 && !l.job)
		workdir_discard(&l.dir);
	return r;
}

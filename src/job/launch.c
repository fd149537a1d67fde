/*
 * `run` and `restart`: see launch.h. A directory that holds a job whose images
 * could still be needed is not given to a new one: retention would delete
 * them. Image numbers below job.json's first_image belong to an earlier job in
 * the same directory and are never resumed by this one.
 */
#include "job/launch.h"
#include "job/intercept.h"
#include "job/signals.h"
#include "base/io.h"
#include "job/jobdir.h"
#include "job/registry.h"
#include "job/stderr_tail.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct launch { /* what both ways share */
	struct settings settings;
	struct rlimit limits[RLIM_NLIMITS]; /* that cragon was started with */
	struct identity who;
	struct workdir dir;
	struct journal journal;
	struct log log;
	struct intercept intercept;
	struct stderr_tail *tail;
	struct job *job;
	char **command; /* of the journal */
};

static void launch_init(struct launch *l, const struct settings *settings)
{
	l->settings = *settings;
	identity_self(&l->who);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		getrlimit((__rlimit_resource_t)i, &l->limits[i]);
}

static void launch_done(struct launch *l)
{
	job_free(l->job);
	stderr_tail_close(l->tail);
	intercept_done(&l->intercept);
	strings_free(l->command);
	journal_done(&l->journal);
	log_done(&l->log);
	workdir_done(&l->dir);
}

#define LAUNCH_NONE                                                                 \
	{                                                                           \
		.dir = {.fd = -1, .lock_fd = -1}, .log = {.fd = -1}, .intercept = { \
			.dirfd = -1,                                                \
			.calls = -1,                                                \
			.hold = -1                                                  \
		}                                                                   \
	}

void launched_done(struct launched *l)
{
	free_p(&l->directory);
}

static void image_close_p(struct image **i)
{
	image_close(*i);
}

struct choice { /* images to resume from, newest first */
	struct store_entry *list;
	size_t n, damaged;
};

static void choice_done(struct choice *c)
{
	store_entries_free(c->list, c->n);
}

static int open_log(struct launch *l, struct err *e)
{
	int r = log_open(&l->log, l->dir.fd, l->settings.terminal);

	return r < 0 ? err_sys(e, r, "cannot write %s/cragon.log", l->dir.path) : 0;
}

/* From here on the job is known: journal, registry, event loop. */
static int attend(struct launch *l, uint64_t from_image, const struct image_info *info,
	struct launched *ret, struct err *e)
{
	struct supervised s = {
		.job = l->job,
		.settings = &l->settings,
		.who = &l->who,
		.dir = &l->dir,
		.journal = &l->journal,
		.intercept = &l->intercept,
		.log = &l->log,
		.resumed = info != NULL,
		.pause_ns = info ? info->pause_ns : 0,
		.duration_ns = info ? info->duration_ns : 0,
	};
	int r;

	l->command = journal_command(&l->journal);
	r = l->command
		    ? journal_begin(&l->journal, &l->who, from_image, l->settings.signal_checkpoint)
		    : -ENOMEM;
	if (r < 0)
		return err_sys(e, r, "cannot describe the job");
	s.command = l->command;
	journal_put_settings(&l->journal, &l->settings);
	r = registry_add(journal_id(&l->journal), l->dir.path);
	if (r < 0)
		log_debug(&l->log, "\"cragon list\" will not know this job elsewhere: %s",
			strerror(-r));
	snprintf(ret->id, sizeof ret->id, "%s", journal_id(&l->journal));
	ret->directory = strdup(l->dir.path);
	return supervise(&s, &ret->outcome, e);
}

/* ---- run -------------------------------------------------------------------- */

static int list_images(const char *jobdir, struct choice *ret, struct err *e)
{
	return store_list(jobdir, &ret->list, &ret->n, &ret->damaged, e);
}

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

	return journal_last(j, &last) < 0 || last.how == HOW_EXIT || last.how == HOW_SIGNAL;
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

/* Without the preloaded object the job runs all the same. */
static void intercept_start(struct launch *l, const char *id, const char *program)
{
	cleanup_buf struct buf reason = {0};
	char path[PATH_MAX];
	struct err e = {0};
	int r;

	if (l->settings.no_intercept || engine_find_program(program, path, &e) < 0)
		return;
	r = intercept_applies(path, &reason);
	if (r == 0)
		log_info(&l->log, "%s", reason.data);
	if (r > 0 && intercept_open(&l->intercept, l->dir.path, l->dir.fd, &e) == 0 &&
		intercept_place(&l->intercept, l->dir.path, id, NULL, &e) == 0) {
		json_object_set_new(l->journal.root, "intercept", intercept_paths(&l->intercept));
		r = intercept_environment(&l->intercept, l->settings.on_memory);
	}
	if (e.code)
		log_warn(&l->log, "failed allocations will not be seen: %s", e.text);
}

/* A job that has the object mapped needs its file. */
static int intercept_again(struct launch *l, struct err *e)
{
	const json_t *paths = json_object_get(l->journal.root, "intercept");
	int r;

	if (!json_is_object(paths))
		return 0;
	r = intercept_open(&l->intercept, l->dir.path, l->dir.fd, e);
	return r < 0 ? r : intercept_place(&l->intercept, l->dir.path, NULL, paths, e);
}

static int start(struct launch *l, char *const *command, const char *cwd,
	const struct choice *images, struct launched *ret, struct err *e)
{
	sigset_t before;
	struct engine_spawn spawn = {
		command, l->settings.namespaces, {note_to_log, &l->log}, &before};
	char id[JOB_ID_CHARS + 1];
	int r = open_log(l, e);

	if (r < 0)
		return r;
	registry_new_id(id);
	r = journal_new(&l->journal, id, command, cwd, l->who.environment,
		images->n ? images->list[0].number + 1 : 1);
	if (r < 0)
		return err_sys(e, r, "cannot describe the job");
	r = signals_block(&before);
	if (r < 0)
		return err_sys(e, r, "cannot block signals");
	intercept_start(l, id, command[0]);
	l->tail = stderr_tail_open();
	r = engine_spawn(&l->job, &spawn, e);
	intercept_environment_undo(&l->intercept);
	if (r < 0) {
		intercept_discard(&l->intercept);
		workdir_discard(&l->dir);
		return r;
	}
	log_info(&l->log, "job %s: %s started in %s", id, command[0], l->dir.path);
	return attend(l, 0, NULL, ret, e);
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
		r = list_images(l.dir.path, &images, e);
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

static int restore_from(struct launch *l, const char *path, struct launched *ret, struct err *e)
{
	struct engine_restore how = {l->settings.namespaces, {note_to_log, &l->log}, l->limits};
	cleanup(image_close_p) struct image *image = NULL;
	const struct image_info *info;
	sigset_t before;
	int r = image_open(&image, path, e);

	if (r < 0)
		return r;
	info = image_get_info(image);
	r = signals_block(&before); /* the job's processes bring masks of their own */
	if (r < 0)
		return err_sys(e, r, "cannot block signals");
	r = intercept_again(l, e);
	if (r < 0)
		return r;
	if (!l->tail)
		l->tail = stderr_tail_open();
	r = engine_restore(&l->job, image, &how, e);
	if (r < 0)
		return r;
	/* Threads that were held when the image was taken try again now. */
	r = intercept_release(&l->intercept);
	if (r < 0)
		log_error(&l->log, "held threads cannot be let go: %s", strerror(-r));
	log_info(&l->log, "job %s: resumed from image %" PRIu64 " (%s)", journal_id(&l->journal),
		info->number, path);
	return attend(l, info->number, info, ret, e);
}

/* Newest first; a damaged one gives way to the next older. */
static int restore_newest(struct launch *l, struct launched *ret, struct err *e)
{
	cleanup(choice_done) struct choice images = {0};
	uint64_t first = journal_first_image(&l->journal);
	int r = list_images(l->dir.path, &images, e);

	if (r < 0)
		return r;
	if (images.damaged)
		log_warn(&l->log, "%zu damaged image%s left aside", images.damaged,
			images.damaged == 1 ? "" : "s");
	for (size_t i = 0; i < images.n && images.list[i].number >= first; i++) {
		r = restore_from(l, images.list[i].path, ret, e);
		if (r >= 0 || e->why != WHY_BAD_IMAGE || l->job)
			return r;
		log_warn(&l->log, "image %" PRIu64 " is damaged, trying the one before: %s",
			images.list[i].number, e->text);
	}
	if (r < 0) /* all of them were damaged */
		return r;
	return err_set(e, -ENOENT, images.damaged ? WHY_BAD_IMAGE : WHY_NO_IMAGE,
		"%s holds no %simage to resume from", l->dir.path,
		images.damaged ? "undamaged " : "");
}

static int resume(struct launch *l, const char *image, struct launched *ret, struct err *e)
{
	int r = open_log(l, e);

	if (r < 0)
		return r;
	journal_get_settings(&l->journal, &l->settings);
	if (!image)
		return restore_newest(l, ret, e);
	r = restore_from(l, image, ret, e);
	return r < 0 && !l->job ? err_in(e, "image %s", image) : r;
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
		r = list_images(l->dir.path, &images, e);
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

/* Tries at a job: see attempt.h. */
#include "job/attempt.h"
#include "job/facts.h"
#include "job/ran_until.h"
#include "job/registry.h"
#include "job/signals.h"
#include "diag/recover.h"
#include "report/report.h"
#include "sched/sched.h"
#include "sys/machine.h"
#include "base/io.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

/* On a disk that was full: room enough for a try. */
#define SPACE_BACK_BYTES (64 * MIB)
/* An image taken so shortly before the program gave up may hold its giving up. */
#define TOO_LATE_NS (2 * NS_PER_SEC)

void launch_init(struct launch *l, const struct settings *settings)
{
	struct sched sched;

	l->settings = *settings;
	/* A restart may be called from another directory. */
	for (unsigned i = 0; i < settings->n_plugins; i++) {
		l->plugin[i] = realpath(settings->plugins[i], NULL);
		if (l->plugin[i])
			l->settings.plugins[i] = l->plugin[i];
	}
	/* Grid Engine runs a job again that exits with 99 (sge_diagnostics(5)). */
	sched_detect(&sched);
	if (sched.system == SCHED_GRID_ENGINE && !(settings->given & SETTING_STOP_CODE)) {
		l->settings.stop_code = 99;
		l->settings.given |= SETTING_STOP_CODE;
	}
	identity_self(&l->who);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		getrlimit((__rlimit_resource_t)i, &l->limits[i]);
}

void launch_done(struct launch *l)
{
	job_free(l->job);
	plugins_close(&l->plugins);
	free_p(&l->facts);
	for (size_t i = 0; i < SETTINGS_PLUGINS_MAX; i++)
		free_p(&l->plugin[i]);
	stderr_tail_close(l->tail);
	intercept_done(&l->intercept);
	strings_free(l->command);
	journal_done(&l->journal);
	log_done(&l->log);
	workdir_done(&l->dir);
}

int launch_open_log(struct launch *l, struct err *e)
{
	int r = log_open(&l->log, l->dir.fd, l->settings.terminal);

	return r < 0 ? err_sys(e, r, "cannot write %s/cragon.log", l->dir.path) : 0;
}

void choice_done(struct choice *c)
{
	store_entries_free(c->list, c->n);
}

int choice_list(const char *jobdir, struct choice *ret, struct err *e)
{
	return store_list(jobdir, &ret->list, &ret->n, &ret->damaged, e);
}

static void image_close_p(struct image **i)
{
	image_close(*i);
}

/* ---- beginning ------------------------------------------------------------------ */

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
	intercept_done(&l->intercept);
	r = intercept_open(&l->intercept, l->dir.path, l->dir.fd, e);
	return r < 0 ? r : intercept_place(&l->intercept, l->dir.path, NULL, paths, e);
}

/* Before the first job of this cragon exists. */
static int prepare(struct launch *l, struct err *e)
{
	int r;

	if (l->mask_known)
		return 0;
	r = signals_block(&l->mask);
	if (r < 0)
		return err_sys(e, r, "cannot block signals");
	l->mask_known = true;
	r = plugins_open(&l->plugins, &l->settings, &l->mask, &l->log);
	if (r < 0)
		log_warn(&l->log, "plugins cannot be started: %s", strerror(-r));
	return 0;
}

int attempt_start(struct launch *l, char *const *command, struct err *e)
{
	struct engine_spawn spawn = {
		command, l->settings.namespaces, {note_to_log, &l->log}, &l->mask};
	int r = prepare(l, e);

	if (r < 0)
		return r;
	intercept_start(l, journal_id(&l->journal), command[0]);
	l->tail = stderr_tail_open();
	r = engine_spawn(&l->job, &spawn, e);
	intercept_environment_undo(&l->intercept);
	if (r < 0)
		intercept_discard(&l->intercept);
	return r;
}

int attempt_restore(struct launch *l, const char *path, struct err *e)
{
	struct engine_restore how = {
		.namespaces = l->settings.namespaces,
		.notes = {note_to_log, &l->log},
		.limits = l->limits,
		.force_files = l->settings.force_files,
		.jobdir = l->dir.path,
		.ran_until_ns = ran_until(&l->journal, l->dir.fd, l->settings.metrics_ns),
	};
	cleanup(image_close_p) struct image *image = NULL;
	const struct image_info *info;
	int r = image_open(&image, path, e);

	if (r < 0)
		return r;
	info = image_get_info(image);
	r = prepare(l, e); /* the job's processes bring masks of their own */
	if (r < 0)
		return r;
	r = intercept_again(l, e);
	if (r < 0)
		return r;
	if (!l->tail)
		l->tail = stderr_tail_open();
	stderr_tail_forget(l->tail);
	r = engine_restore(&l->job, image, &how, e);
	if (r < 0)
		return r;
	/* Threads that were held when the image was taken try again now. */
	r = intercept_release(&l->intercept);
	if (r < 0)
		log_error(&l->log, "held threads cannot be let go: %s", strerror(-r));
	l->from_image = info->number;
	l->pause_ns = info->pause_ns;
	l->duration_ns = info->duration_ns;
	l->memory_bytes = info->memory_bytes;
	log_info(&l->log, "job %s: resumed from image %" PRIu64 " (%s)", journal_id(&l->journal),
		info->number, path);
	return 0;
}

static void leave_out(struct launch *l, struct choice *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		kept += !journal_avoids(&l->journal, c->list[i].number);
	if (!kept || kept == c->n)
		return;
	kept = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (!journal_avoids(&l->journal, c->list[i].number)) {
			struct store_entry e = c->list[i];

			c->list[i] = c->list[kept];
			c->list[kept++] = e;
			continue;
		}
		log_info(&l->log, "image %" PRIu64 " is left out: the program had failed by then",
			c->list[i].number);
	}
	for (size_t i = kept; i < c->n; i++)
		store_entry_done(&c->list[i]);
	c->n = kept;
}

int attempt_restore_newest(struct launch *l, struct err *e)
{
	cleanup(choice_done) struct choice images = {0};
	uint64_t first = journal_first_image(&l->journal);
	int r = choice_list(l->dir.path, &images, e);

	if (r < 0)
		return r;
	leave_out(l, &images);
	if (images.damaged)
		log_warn(&l->log, "%zu damaged image%s left aside", images.damaged,
			images.damaged == 1 ? "" : "s");
	for (size_t i = 0; i < images.n && images.list[i].number >= first; i++) {
		r = attempt_restore(l, images.list[i].path, e);
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

/* ---- following ------------------------------------------------------------------ */

static struct supervised supervised_of(struct launch *l)
{
	return (struct supervised){
		.job = l->job,
		.settings = &l->settings,
		.who = &l->who,
		.dir = &l->dir,
		.journal = &l->journal,
		.intercept = &l->intercept,
		.plugins = &l->plugins,
		.log = &l->log,
		.facts = l->facts,
		.command = l->command,
		.resumed = l->from_image != 0,
		.pause_ns = l->pause_ns,
		.duration_ns = l->duration_ns,
		.memory_bytes = l->memory_bytes,
	};
}

/* From here on the job is known: journal, registry, event loop. */
static int attend(struct launch *l, struct launched *ret, struct err *e)
{
	struct supervised s;
	cleanup_buf struct buf tail = {0};
	struct facts *facts;
	int r;

	free_p(&l->facts);
	facts = l->facts = calloc(1, sizeof *facts);
	if (!l->command)
		l->command = journal_command(&l->journal);
	facts_lost(&l->journal, &l->dir);
	r = l->command && facts ? journal_begin(&l->journal, &l->who, l->from_image,
					  l->settings.signal_checkpoint)
				: -ENOMEM;
	if (r < 0)
		return err_sys(e, r, "cannot describe the job");
	s = supervised_of(l);
	journal_put_settings(&l->journal, &l->settings);
	facts_begin(facts, &s, l->from_image);
	r = supervise(&s, &ret->outcome, e);
	if (r < 0)
		return r;
	stderr_tail_read(l->tail, &tail);
	facts_end(facts, &s, &ret->outcome, &tail);
	(void)journal_save(&l->journal, l->dir.fd);
	return 0;
}

static int make_known(struct launch *l, struct launched *ret)
{
	int r = registry_add(journal_id(&l->journal), l->dir.path);

	if (r < 0)
		log_debug(&l->log, "\"cragon list\" will not know this job elsewhere: %s",
			strerror(-r));
	snprintf(ret->id, sizeof ret->id, "%s", journal_id(&l->journal));
	ret->directory = strdup(l->dir.path);
	return ret->directory ? 0 : -ENOMEM;
}

/* ---- another try ------------------------------------------------------------- */

/* Where the way it ended leaves the job: exit code, job.json, plugins. */
static void conclude(struct launch *l, struct launched *ret, const struct recover_choice *c)
{
	const struct diagnosis *d = &l->facts->diagnosis;
	struct supervised s = supervised_of(l);
	bool resumable = c->action != RECOVER_GIVE_UP;
	const char *event = d->cause == DIAG_DONE ? "done" : resumable ? "rerunnable_fail" : "fail";
	/* It ended by itself, but can go on: the caller is to know that. */
	if (c->action == RECOVER_STOP && ret->outcome.how != HOW_STOPPED)
		ret->outcome.exit_code = l->settings.stop_code;
	/* A job that hung, ended without an image. */
	if (!resumable && ret->outcome.how == HOW_STOPPED)
		ret->outcome.exit_code = 128 + SIGKILL;
	journal_note(&l->journal, "next", json_string(c->text));
	journal_note(&l->journal, "lost_ns", json_integer((json_int_t)ret->outcome.lost_ns));
	journal_note(&l->journal, "resumable", json_boolean(resumable));
	journal_note(&l->journal, "exit_code", json_integer(ret->outcome.exit_code));
	(void)journal_save(&l->journal, l->dir.fd);
	if (d->cause != DIAG_DONE)
		log_line(&l->log, c->action == RECOVER_GIVE_UP ? LOG_INFO : LOG_WARN, "%s: %s",
			diag_cause_name(d->cause), c->text);
	tell_plugins(&s, event,
		json_pack("{s:o, s:i, s:s, s:b}", "diagnosis", diag_to_json(d), "exit_code",
			ret->outcome.exit_code, "next", c->text, "resuming",
			c->action == RECOVER_RESUME));
}

/* The program ended by itself, over something that another try gets past. What it
 * met may be in the newest image already: in one that was taken while it was
 * dealing with it, or that led to the same end once more. */
static void doubt_images(struct launch *l, const struct launched *ret, const struct choice *images)
{
	const struct outcome *out = &ret->outcome;
	uint64_t now = now_mono_ns();

	if (out->how != HOW_EXIT || !l->facts->diagnosis.recoverable || images->n < 2)
		return;
	if (!out->last_image && l->from_image)
		journal_avoid(&l->journal, l->from_image);
	else if (out->last_image && now - out->saved_ns < TOO_LATE_NS)
		journal_avoid(&l->journal, out->last_image);
}

static bool space_is_back(const struct diag_facts *d)
{
	struct statvfs fs;

	for (size_t i = 0; i < d->n_disks; i++)
		if (statvfs(d->disks[i].path, &fs) < 0 ||
			(uint64_t)fs.f_bavail * fs.f_frsize < SPACE_BACK_BYTES || !fs.f_favail)
			return false;
	return true;
}

/* A limit that was here a moment ago is here still; memory of the machine may have
 * come free when something else ended. */
static bool has_more_memory(const struct launch *l, const struct diag_facts *d)
{
	const json_t *forecast = json_object_get(l->journal.root, "forecast");
	json_int_t need = json_integer_value(json_object_get(forecast, "next_bytes"));
	struct machine_sample now = {0};
	struct machine m;

	if (d->stop == DIAG_STOP_ALLOCATION || d->memory.memory_max || d->memory.cgroup_limit ||
		need <= 0)
		return false;
	machine_open(&m);
	machine_read_memory(&m, &now);
	machine_done(&m);
	return now.memory_available > (uint64_t)need;
}

/* The images of this job, newest first. */
static size_t numbers(const struct launch *l, const struct choice *images, uint64_t *ret)
{
	size_t n = 0;

	while (n < images->n && images->list[n].number >= journal_first_image(&l->journal)) {
		ret[n] = images->list[n].number;
		n++;
	}
	return n;
}

/* Whoever asked the job to stop does not want it to go on here. */
static unsigned retries_left(const struct launch *l, const struct launched *ret)
{
	if (ret->outcome.stop == STOP_SCHEDULER || ret->outcome.stop == STOP_REQUEST)
		return 0;
	return l->settings.retry > l->resumes ? l->settings.retry - l->resumes : 0;
}

static void decide(struct launch *l, const struct launched *ret, const struct choice *images,
	struct recover_choice *c)
{
	const struct diag_facts *facts = &l->facts->diag;
	cleanup_free uint64_t *list = calloc(images->n + 1, sizeof *list);
	struct recover_state state = {
		.cause = l->facts->diagnosis.cause,
		.recoverable = l->facts->diagnosis.recoverable,
		.stopped = ret->outcome.how == HOW_STOPPED,
		.retries_left = retries_left(l, ret),
		.images = list,
		.n_images = list ? numbers(l, images, list) : 0,
		.from_image = l->from_image,
		.more_memory = has_more_memory(l, facts),
		.space_back = space_is_back(facts),
		.went_back = l->went_back,
		.retry_hung = l->settings.hang_ns != 0,
	};

	recover_decide(&state, c);
	if (c->action == RECOVER_RESUME && c->image != images->list[0].number)
		l->went_back = true;
}

/* From that image or, when it is damaged, the next older one. */
static int restore_again(
	struct launch *l, const struct choice *images, uint64_t number, struct err *e)
{
	int r = err_set(e, -ENOENT, WHY_NO_IMAGE, "image %" PRIu64 " is gone", number);

	for (size_t i = 0; i < images->n; i++) {
		if (images->list[i].number > number)
			continue;
		r = attempt_restore(l, images->list[i].path, e);
		if (r == 0 || e->why != WHY_BAD_IMAGE)
			return r;
		log_warn(&l->log, "image %" PRIu64 " is damaged, trying the one before: %s",
			images->list[i].number, e->text);
	}
	return r;
}

static bool resume_again(struct launch *l, struct launched *ret)
{
	cleanup(choice_done) struct choice images = {0};
	struct recover_choice c;
	struct err e = {0};

	(void)choice_list(l->dir.path, &images, &e);
	doubt_images(l, ret, &images);
	leave_out(l, &images);
	decide(l, ret, &images, &c);
	conclude(l, ret, &c);
	if (c.action != RECOVER_RESUME)
		return false;
	job_free(l->job);
	l->job = NULL;
	if (restore_again(l, &images, c.image, &e) == 0) {
		l->resumes++;
		return true;
	}
	log_error(&l->log, "the job cannot be resumed: %s", e.text);
	ret->outcome.exit_code = l->settings.stop_code;
	return false;
}

int attempt_follow(struct launch *l, struct launched *ret, struct err *e)
{
	struct err none = {0};
	int r = make_known(l, ret);

	if (r < 0)
		return err_sys(e, r, "cannot describe the job");
	do
		r = attend(l, ret, e);
	while (r == 0 && resume_again(l, ret));
	if (r == 0 && report_write(l->dir.path, NULL, &none) < 0)
		log_info(&l->log, "no report: %s", none.text);
	return r;
}

/*
 * What is remembered about the files that a job writes, and who is seen
 * writing what: see outputs.h. /proc/PID/fd tells by the permission bits of
 * its links whether a descriptor was opened for writing (proc(5)), so that
 * most descriptors cost one lstat.
 */
#include "engine/job.h"
#include "base/io.h"
#include "sys/procfs.h"
#include "image/layout.h"
#include "image/saved.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#define NOTE_DESCRIPTORS_MAX 4096
#define ANCESTORS_MAX 1000
#define OTHERS_PATIENCE_NS (100 * NS_PER_MSEC)

static void outputs_forget_image(struct outputs *o)
{
	for (size_t i = 0; i < o->n_copies; i++)
		free(o->copies[i].path);
	free_p(&o->copies);
	o->n_copies = 0;
	if (o->has_image)
		close(o->image_fd);
	o->has_image = false;
}

void outputs_done(struct outputs *o)
{
	outputs_forget_image(o);
	names_done(&o->seen);
	names_done(&o->foreign);
	names_done(&o->told);
}

void output_name_hash(const char *path, uint8_t out[static 8])
{
	struct digest d = digest_of(path, strlen(path));

	memcpy(out, d.bytes, 8);
}

uint64_t outputs_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return time_ns(&t);
}

int outputs_remember(struct outputs *o, const Cragon__Outputs *meta, int image_fd)
{
	outputs_forget_image(o);
	if (!meta || image_fd < 0)
		return 0;
	o->copies = calloc(meta->n_file + 1, sizeof *o->copies);
	o->image_fd = fcntl(image_fd, F_DUPFD_CLOEXEC, 3);
	o->has_image = o->image_fd >= 0;
	for (size_t i = 0; o->copies && i < meta->n_file; i++) {
		const Cragon__OutputFile *f = meta->file[i];
		struct output_copy *c = &o->copies[o->n_copies];

		if (!f->copy || f->mapped || !f->identity || f->digest.len != sizeof c->digest)
			continue;
		*c = (struct output_copy){
			.path = strdup(f->path),
			.device = f->identity->device,
			.inode = f->identity->inode,
			.size = f->identity->size,
			.mtime_ns = f->identity->mtime_ns,
			.ctime_ns = f->ctime_ns,
			.taken_ns = meta->taken_ns,
			.number = f->copy,
		};
		if (!c->path)
			return -ENOMEM;
		memcpy(c->digest, f->digest.data, sizeof c->digest);
		o->n_copies++;
	}
	return o->copies && o->has_image ? 0 : -ENOMEM;
}

int outputs_inherit(struct outputs *o, const Cragon__Outputs *meta, int image_fd)
{
	o->since_ns = meta ? meta->since_ns : outputs_now_ns();
	if (!meta)
		return 0;
	for (size_t i = 0; i < meta->n_seen; i++)
		(void)names_add(&o->seen, meta->seen[i]);
	for (size_t i = 0; i < meta->n_foreign; i++)
		(void)names_add(&o->foreign, meta->foreign[i]);
	return outputs_remember(o, meta, image_fd);
}

/* ---- who writes what ------------------------------------------------------ */

static bool worth_noting(const char *path)
{
	static const char deleted[] = " (deleted)";
	size_t n = strlen(path);
	struct stat st;

	if (path[0] != '/' || strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0 ||
		(strncmp(path, "/dev/", 5) == 0 && strncmp(path, "/dev/shm/", 9) != 0))
		return false;
	if (n > sizeof deleted && strcmp(path + n - (sizeof deleted - 1), deleted) == 0)
		return false;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int note_descriptors(struct names *names, pid_t pid, int *budget)
{
	char path[PATH_MAX];
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && *budget > 0 && (entry = readdir(dir))) {
		struct stat st;
		ssize_t n;

		--*budget;
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!(st.st_mode & S_IWUSR))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, path, sizeof path - 1);
		if (n <= 0)
			continue;
		path[n] = 0;
		if (!names_has(names, path) && worth_noting(path) &&
			names_add(names, path) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

void job_note_outputs(struct job *job)
{
	cleanup_free pid_t *pids = NULL;
	int n = job_processes(job, &pids), budget = NOTE_DESCRIPTORS_MAX;

	job->outputs.seen.max = OUTPUTS_NAMES_MAX;
	for (int i = 0; i < n && budget > 0; i++)
		if (note_descriptors(&job->outputs.seen, pids[i], &budget) < 0)
			return;
}

/* A process of the job, or one that has ended in the meantime? What the job starts
 * while we look is in no list that was made before. */
static bool descends_from(pid_t pid, pid_t reaper)
{
	for (int depth = 0; depth < ANCESTORS_MAX; depth++) {
		struct proc_stat stat;

		if (pid == reaper || proc_stat(pid, &stat) < 0)
			return true;
		if (stat.ppid <= 1)
			return false;
		pid = stat.ppid;
	}
	return false;
}

static int note_other(struct names *names, pid_t pid, pid_t reaper, int *budget)
{
	cleanup_names struct names own = {0};
	int r = note_descriptors(&own, pid, budget);

	if (r < 0 || !own.n || descends_from(pid, reaper))
		return r;
	for (size_t i = 0; r == 0 && i < own.n; i++)
		if (names_add(names, own.list[i]) == -ENOMEM)
			r = -ENOMEM;
	return r;
}

void outputs_note_others(struct names *names, pid_t reaper)
{
	cleanup_dir DIR *dir = opendir("/proc");
	uint64_t deadline = now_mono_ns() + OTHERS_PATIENCE_NS;
	int budget = 4 * NOTE_DESCRIPTORS_MAX;
	struct dirent *entry;

	names->max = OUTPUTS_NAMES_MAX;
	while (dir && budget > 0 && now_mono_ns() < deadline && (entry = readdir(dir))) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		struct stat st;

		if (pid <= 0 || pid == getpid() || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 ||
			st.st_uid != geteuid())
			continue;
		if (note_other(names, pid, reaper, &budget) < 0)
			return;
	}
}

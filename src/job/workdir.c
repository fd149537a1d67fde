/* One job directory held open: see workdir.h. */
#include "job/workdir.h"
#include "base/io.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_NAME ".lock"
#define PROGRAM_MAX 100

/* After a kill -9 of cragon it and its reaper, which shares the lock, need a
 * moment to go. */
#define LOCK_PATIENCE_NS (1 * NS_PER_SEC)
#define LOCK_STEP_NS (20 * NS_PER_MSEC)

void workdir_done(struct workdir *d)
{
	free_p(&d->path);
	close_p(&d->fd);
	close_p(&d->lock_fd);
}

int workdir_open(struct workdir *ret, const char *path, struct err *e)
{
	struct workdir d = WORKDIR_NONE;

	d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0)
		return err_sys(e, -errno, "job directory %s", path);
	d.path = realpath(path, NULL);
	if (!d.path) {
		int r = err_sys(e, -errno, "job directory %s", path);

		workdir_done(&d);
		return r;
	}
	*ret = d;
	return 0;
}

static void default_name(const char *program, char ret[static 256])
{
	const char *slash = strrchr(program, '/'), *base = slash ? slash + 1 : program;
	char prog[PROGRAM_MAX + 1], date[40];
	uint64_t now = now_real_ns();
	time_t seconds = (time_t)(now / NS_PER_SEC);
	size_t n = 0;
	struct tm tm;

	for (; *base && n < PROGRAM_MAX; base++)
		prog[n++] = iscntrl((unsigned char)*base) ? '_' : *base;
	prog[n] = 0;
	localtime_r(&seconds, &tm);
	strftime(date, sizeof date, "%Y-%m-%d_%H:%M:%S", &tm);
	snprintf(ret, 256, "./cragon_%s_%s,%06u", prog, date, (unsigned)(now % NS_PER_SEC / 1000));
}

/* The microseconds make a clash unlikely, not impossible. */
static int create_default(struct workdir *ret, const char *program, struct err *e)
{
	char name[256];
	int r = -EEXIST;

	for (int i = 0; i < 100 && r == -EEXIST; i++) {
		default_name(program, name);
		r = mkdir(name, 0700) < 0 ? -errno : 0;
	}
	if (r < 0)
		return err_sys(e, r,
			"cannot create the job directory %s (-w DIR chooses another place)", name);
	r = workdir_open(ret, name, e);
	if (r < 0)
		return r;
	ret->created = true;
	return 0;
}

int workdir_create(struct workdir *ret, const char *path, const char *program, struct err *e)
{
	bool existed;
	int r;

	if (!path)
		return create_default(ret, program, e);
	existed = access(path, F_OK) == 0;
	r = io_mkdir_p(path);
	if (r < 0)
		return err_sys(e, r, "cannot create the job directory %s", path);
	r = workdir_open(ret, path, e);
	if (r < 0)
		return r;
	ret->created = !existed;
	return 0;
}

void workdir_discard(struct workdir *d)
{
	if (!d->created || d->fd < 0)
		return;
	unlinkat(d->fd, LOCK_NAME, 0);
	unlinkat(d->fd, "cragon.log", 0);
	/* Refused when anything else is in there, which is what we want. */
	rmdir(d->path);
}

static int try_lock(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int refuse(const struct workdir *d, const struct journal_attempt *a, struct err *e)
{
	if (!a)
		return err_set(e, -EBUSY, WHY_BUSY, "another cragon is using %s", d->path);
	return err_set(e, -EBUSY, WHY_BUSY,
		"cragon %d on %s is running this job already (%s); "
		"\"cragon checkpoint --stop\" with that directory ends it with an image",
		(int)a->pid, a->host, d->path);
}

/* Writes who holds the lock, for people who look into the file. */
static void sign(int fd, const struct identity *self)
{
	char line[200];
	int n = snprintf(line, sizeof line, "%d %s\n", (int)self->pid, self->host);

	if (ftruncate(fd, 0) == 0)
		(void)io_pwrite(fd, line, (size_t)n, 0);
}

static bool is_run_by_another(const struct journal_attempt *a, const struct identity *self)
{
	return a->how == HOW_RUNNING && a->pid != self->pid &&
	       identity_alive(self, a->host, a->boot_id, a->pid, a->pid_start);
}

int workdir_lock(struct workdir *d, const struct identity *self, struct err *e)
{
	cleanup(journal_done) struct journal j = {0};
	struct journal_attempt last, *known = NULL;
	uint64_t until = now_mono_ns() + LOCK_PATIENCE_NS;
	struct err ignored = {0};
	int r;

	if (journal_load(&j, d->fd, &ignored) == 0 && journal_last(&j, &last) == 0)
		known = &last;
	while (known && is_run_by_another(known, self))
		if (now_mono_ns() < until)
			sleep_ns(LOCK_STEP_NS);
		else
			return refuse(d, known, e);
	d->lock_fd = openat(d->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return err_sys(e, -errno, "cannot write into the job directory %s", d->path);
	while ((r = try_lock(d->lock_fd)) == -EAGAIN && now_mono_ns() < until)
		sleep_ns(LOCK_STEP_NS);
	if (r == -EAGAIN)
		return refuse(d, known, e);
	if (r < 0 && r != -ENOLCK && r != -EOPNOTSUPP && r != -ENOSYS && r != -EINVAL)
		return err_sys(e, r, "cannot lock the job directory %s", d->path);
	sign(d->lock_fd, self);
	return 0;
}

char *workdir_of_image(const char *image)
{
	cleanup_free char *path = realpath(image, NULL);
	char *slash = path ? strrchr(path, '/') : NULL;

	if (!slash || slash == path)
		return NULL;
	*slash = 0;
	slash = strrchr(path, '/');
	if (!slash || slash == path || strcmp(slash + 1, "checkpoint_images"))
		return NULL;
	*slash = 0;
	return steal_ptr(&path);
}

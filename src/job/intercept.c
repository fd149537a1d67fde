/* The job's failed calls: see intercept.h. */
#include "job/intercept.h"
#include "interpose/wire.h"
#include "job/intercept_object.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_MAX (16 * MIB)

void intercept_done(struct intercept *i)
{
	close_p(&i->dirfd);
	close_p(&i->calls);
	close_p(&i->hold);
	free_p(&i->object);
	free_p(&i->link);
	free_p(&i->preload_before);
}

/* ---- the directory ---------------------------------------------------------------- */

/* Read-write, which never blocks, and keeps both sides open. */
static int make_fifo(int dirfd, const char *name, int flags)
{
	char temporary[32];
	int fd;

	snprintf(temporary, sizeof temporary, ".%s", name);
	unlinkat(dirfd, temporary, 0);
	if (mkfifoat(dirfd, temporary, 0600) < 0)
		return -errno;
	fd = openat(dirfd, temporary, O_RDWR | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	if (renameat(dirfd, temporary, dirfd, name) < 0) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

int intercept_open(struct intercept *i, const char *jobdir, int jobdir_fd, struct err *e)
{
	*i = INTERCEPT_NONE;
	i->jobdir_fd = jobdir_fd;
	if (mkdirat(jobdir_fd, INTERCEPT_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, -errno, "cannot create %s/" INTERCEPT_DIR, jobdir);
	i->dirfd =
		openat(jobdir_fd, INTERCEPT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (i->dirfd < 0)
		return err_sys(e, -errno, "cannot open %s/" INTERCEPT_DIR, jobdir);
	i->calls = make_fifo(i->dirfd, WIRE_CALLS, O_NONBLOCK);
	i->hold = make_fifo(i->dirfd, WIRE_HOLD, 0);
	unlinkat(i->dirfd, WIRE_PASS, 0);
	if (i->calls >= 0 && i->hold >= 0)
		return 0;
	err_sys(e, i->calls < 0 ? i->calls : i->hold, "cannot make a FIFO in %s", jobdir);
	close_p(&i->dirfd);
	return e->code;
}

/* ---- where the job finds it --------------------------------------------------------- */

static int make_link(struct intercept *i, const char *path, const char *jobdir)
{
	cleanup_free char *dir = strdup(path), *target = NULL, *temporary = NULL;
	int r;

	if (!dir || asprintf(&target, "%s/" INTERCEPT_DIR, jobdir) < 0)
		return -ENOMEM;
	if (asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	*strrchr(dir, '/') = 0;
	r = io_mkdir_p(dir);
	if (r < 0)
		return r;
	if (symlink(target, temporary) < 0)
		return -errno;
	if (rename(temporary, path) < 0) {
		r = -errno;
		unlink(temporary);
		return r;
	}
	if (path != i->link) {
		free_p(&i->link);
		i->link = strdup(path);
	}
	return i->link ? 0 : -ENOMEM;
}

static int place_in(struct intercept *i, const char *base, const char *jobdir, const char *id)
{
	cleanup_free char *link = NULL;
	int r = intercept_object_place(base, &i->object);

	if (r < 0)
		return r;
	if (asprintf(&link, "%s/intercept/%s", base, id) < 0) {
		link = NULL;
		return -ENOMEM;
	}
	return make_link(i, link, jobdir);
}

/* Directories that others may write to: ours must be ours. */
static bool is_own_directory(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return false;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

static int place_anywhere(struct intercept *i, const char *jobdir, const char *id)
{
	static const char *const shared[] = {"/dev/shm", "/tmp"};
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	cleanup_buf struct buf base = {0};
	int r = -ENOENT;

	if (state && state[0] == '/')
		buf_printf(&base, "%s/cragon", state);
	else if (home && home[0] == '/')
		buf_printf(&base, "%s/.local/state/cragon", home);
	if (base.len && !buf_error(&base))
		r = place_in(i, base.data, jobdir, id);
	for (size_t k = 0; r < 0 && k < ARRAY_LEN(shared); k++) {
		char path[64];

		free_p(&i->object);
		snprintf(path, sizeof path, "%s/cragon-%u", shared[k], (unsigned)geteuid());
		if (is_own_directory(path))
			r = place_in(i, path, jobdir, id);
	}
	return r;
}

static int place_again(struct intercept *i, const char *jobdir, const json_t *paths)
{
	const char *object = json_string_value(json_object_get(paths, "object")),
		   *link = json_string_value(json_object_get(paths, "link"));
	int r;

	if (!object || !link || *object != '/' || *link != '/')
		return -ENOENT;
	r = intercept_object_again(object);
	if (r < 0)
		return r;
	i->object = strdup(object);
	i->link = strdup(link);
	return i->object && i->link ? make_link(i, i->link, jobdir) : -ENOMEM;
}

int intercept_place(
	struct intercept *i, const char *jobdir, const char *id, const json_t *paths, struct err *e)
{
	int r = paths ? place_again(i, jobdir, paths) : place_anywhere(i, jobdir, id);

	if (r == 0)
		return 0;
	if (r == -ESTALE)
		return err_set(e, r, WHY_FILE_CHANGED,
			"the preloaded object %s of another version of cragon is gone; resume with "
			"that version",
			json_string_value(json_object_get(paths, "object")));
	return err_sys(e, r, "the preloaded object cannot be placed in the state directory");
}

void intercept_discard(struct intercept *i)
{
	if (i->dirfd < 0)
		return;
	unlinkat(i->dirfd, WIRE_CALLS, 0);
	unlinkat(i->dirfd, WIRE_HOLD, 0);
	unlinkat(i->jobdir_fd, INTERCEPT_DIR, AT_REMOVEDIR);
	if (i->link)
		unlink(i->link);
}

json_t *intercept_paths(const struct intercept *i)
{
	if (!i->object || !i->link)
		return json_null();
	return json_pack("{s:s, s:s}", "object", i->object, "link", i->link);
}

int intercept_environment(struct intercept *i, enum memory_mode mode)
{
	const char *before = getenv("LD_PRELOAD");
	cleanup_free char *preload = NULL, *wire = NULL;

	if (!i->object)
		return 0;
	free_p(&i->preload_before);
	i->preload_before = before ? strdup(before) : NULL;
	if (asprintf(&preload, "%s%s%s", i->object, before && *before ? ":" : "",
		    before ? before : "") < 0)
		return -ENOMEM;
	if (asprintf(&wire, "%s:%s", mode == MEMORY_HOLD ? "hold" : "fail", i->link) < 0)
		return -ENOMEM;
	if (setenv("LD_PRELOAD", preload, 1) < 0 || setenv(WIRE_ENVIRONMENT, wire, 1) < 0)
		return -errno;
	return 0;
}

void intercept_environment_undo(struct intercept *i)
{
	if (!i->object)
		return;
	if (i->preload_before)
		setenv("LD_PRELOAD", i->preload_before, 1);
	else
		unsetenv("LD_PRELOAD");
	unsetenv(WIRE_ENVIRONMENT);
}

/* ---- calls ---------------------------------------------------------------------------- */

int intercept_fd(const struct intercept *i)
{
	return i->calls;
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

int intercept_next(struct intercept *i, struct intercept_call *ret)
{
	struct wire_call c;

	while (i->calls >= 0) {
		ssize_t n = read(i->calls, &c, sizeof c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		/* Any process of this user can write here. */
		if (n != sizeof c || c.magic != WIRE_MAGIC || c.version != WIRE_VERSION ||
			c.function >= CALL_COUNT || c.reason >= REASON_COUNT || c.pid <= 0)
			continue;
		*ret = (struct intercept_call){
			.pid = c.pid,
			.tid = c.tid,
			.function = c.function,
			.error = c.error,
			.reason = c.reason,
			.held = c.reason == REASON_HELD && c.waits_for == inode_of(i->hold),
			.bytes = c.bytes,
			.caller = c.caller,
			.dropped = c.dropped,
		};
		memcpy(ret->argument, c.argument, sizeof ret->argument);
		return 1;
	}
	return 0;
}

static const struct {
	const char *name;
	int arguments;
	const char *returned;

} functions[] = {
#define X(name, arguments, returned) {#name, arguments, returned},
	WIRE_FUNCTIONS(X)
#undef X
};

static const char *const reasons[] = {
#define X(name, text) [REASON_##name] = text,
	WIRE_REASONS(X)
#undef X
};

const char *intercept_function(const struct intercept_call *c)
{
	return functions[c->function].name;
}

const char *intercept_reason(const struct intercept_call *c)
{
	return reasons[c->reason];
}

void intercept_log(const struct intercept *i, const struct intercept_call *c)
{
	const char *error = strerrorname_np(c->error);
	cleanup_buf struct buf line = {0};
	cleanup_fd int fd = -1;
	const char *returned = functions[c->function].returned;
	char when[40], number[16];
	struct stat st;

	if (fstatat(i->jobdir_fd, INTERCEPT_LOG, &st, 0) == 0 && st.st_size > (off_t)LOG_MAX)
		renameat(i->jobdir_fd, INTERCEPT_LOG, i->jobdir_fd, INTERCEPT_LOG ".1");
	fd = openat(i->jobdir_fd, INTERCEPT_LOG,
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	format_time(now_real_ns(), when);
	snprintf(number, sizeof number, "%d", c->error);
	if (!strcmp(returned, "errno"))
		returned = number;
	buf_printf(&line, "%s,%d,%d,%s,%s,%s", when, c->pid, c->tid, intercept_function(c),
		error ? error : "?", returned);
	for (int k = 0; k < functions[c->function].arguments; k++)
		buf_printf(&line, ",0x%llx", (unsigned long long)c->argument[k]);
	buf_printf(&line, ",%s\n", intercept_reason(c));
	if (!buf_error(&line))
		(void)io_write(fd, line.data, line.len);
}

/* ---- letting go ------------------------------------------------------------------------ */

/* The new FIFO first: a thread that fails again meets that one. */
int intercept_release(struct intercept *i)
{
	int fd;

	if (i->dirfd < 0)
		return 0;
	fd = make_fifo(i->dirfd, WIRE_HOLD, 0);
	if (fd < 0)
		return fd;
	close_p(&i->hold);
	i->hold = fd;
	return 0;
}

void intercept_pass(struct intercept *i, bool pass)
{
	cleanup_fd int fd = -1;

	if (i->dirfd < 0)
		return;
	if (pass)
		fd = openat(i->dirfd, WIRE_PASS, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	else
		unlinkat(i->dirfd, WIRE_PASS, 0);
}

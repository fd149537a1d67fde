/*
 * Looking for files where a job works: see outputs.h. Breadth first and bounded,
 * so that the job's own directory comes before the depths of a large tree; never
 * into another file system, a job directory of Cragon's, or a repository's history.
 *
 * A home directory and what is above it hold much that no job writes: there only
 * the directory itself is looked at, without hidden names. In directories
 * that belong to everybody (/tmp) only names count that the job was seen writing,
 * those that mkstemp(3) could have made from the same template, and those that
 * begin with the name of one of its programs.
 */
#include "engine/outputs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

void watch_done(struct watch *w)
{
	for (size_t i = 0; i < w->n_dirs; i++)
		free(w->dirs[i].path);
	for (size_t i = 0; i < w->n_files; i++)
		free(w->files[i].path);
	free(w->dirs);
	free(w->files);
	names_done(&w->staged);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]);
}

static bool is_virtual_name(const char *path)
{
	return is_below(path, "/proc") || is_below(path, "/sys") ||
	       (is_below(path, "/dev") && !is_below(path, "/dev/shm"));
}

int watch_add(struct watch *w, const char *path, bool recursive)
{
	const char *home = getenv("HOME");
	struct watched *grown, dir = {.recursive = recursive, .hidden = true};
	struct stat st;

	if (path[0] != '/' || is_virtual_name(path) || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (!path[1] || (home && home[0] == '/' && is_below(home, path)))
		dir.recursive = dir.hidden = false;
	if ((st.st_mode & S_ISVTX) && (st.st_mode & S_IWOTH)) {
		dir.recursive = false;
		dir.known = true;
	}
	for (size_t i = 0; i < w->n_dirs; i++)
		if (strcmp(w->dirs[i].path, path) == 0) {
			w->dirs[i].recursive |= dir.recursive;
			return 0;
		}
	grown = realloc(w->dirs, (w->n_dirs + 1) * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	w->dirs = grown;
	dir.path = strdup(path);
	if (!dir.path)
		return -ENOMEM;
	w->dirs[w->n_dirs++] = dir;
	return 0;
}

int watch_add_seen(struct watch *w)
{
	int r = 0;

	for (size_t i = 0; r == 0 && w->seen && i < w->seen->n; i++) {
		const char *slash = strrchr(w->seen->list[i], '/');
		size_t n = slash ? (size_t)(slash - w->seen->list[i]) : 0;
		cleanup_free char *dir = strndup(w->seen->list[i], n ? n : 1);

		if (!dir)
			return -ENOMEM;
		/* Its own log and metrics are not the job's. */
		if (!w->jobdir || strcmp(dir, w->jobdir) != 0)
			r = watch_add(w, dir, false);
	}
	return r;
}

/* What Cragon itself keeps in a job directory. */
static bool is_own_name(const char *name)
{
	static const char *const whole[] = {"checkpoint_images", "job.json", "control", ".lock",
		".intercept", "stderr.tail", "report.html", OUTPUTS_ASIDE_NAME};
	static const char *const begin[] = {
		"cragon.log", "intercepted.log", "system_metrics", "process_metrics"};

	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (strcmp(name, whole[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		if (strncmp(name, begin[i], strlen(begin[i])) == 0)
			return true;
	return false;
}

static bool is_history(const char *name)
{
	static const char *const names[] = {".git", ".hg", ".svn", ".bzr"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* "sortAb3dEf" and "sortZz9yYy": one template. */
static bool same_template(const char *a, const char *b)
{
	size_t n = strlen(a), stem = n > 6 ? n - 6 : 0;

	if (stem < 3 || strlen(b) != n || strncmp(a, b, stem) != 0)
		return false;
	for (size_t i = stem; i < n; i++)
		if (!isalnum((unsigned char)a[i]) || !isalnum((unsigned char)b[i]))
			return false;
	return true;
}

static bool is_known(const struct watch *w, const char *dir, const char *path, const char *name)
{
	size_t n = strlen(dir);

	if (!w->seen)
		return false;
	if (names_has(w->seen, path))
		return true;
	for (size_t i = 0; w->programs && i < w->programs->n; i++) {
		const char *program = w->programs->list[i];

		if (strlen(program) >= 3 && strncmp(name, program, strlen(program)) == 0)
			return true;
	}
	for (size_t i = 0; i < w->seen->n; i++) {
		const char *seen = w->seen->list[i];

		if (strncmp(seen, dir, n) == 0 && seen[n] == '/' && !strchr(seen + n + 1, '/') &&
			same_template(seen + n + 1, name))
			return true;
	}
	return false;
}

static int add_file(struct watch *w, char **path, const struct stat *st)
{
	if (w->n_files == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 256;
		struct found_file *grown = realloc(w->files, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		w->files = grown;
		w->cap = cap;
	}
	w->files[w->n_files++] = (struct found_file){steal_ptr(path), *st};
	return 0;
}

struct look {
	struct watch *w;
	struct watched *root;
	struct names *visited; /* directories, also those still to come */
	dev_t device;
	bool job_directory;
};

static int look_at(struct look *l, int fd, const char *dir, const char *name, unsigned depth)
{
	cleanup_free char *path = NULL;
	struct watched *root = l->root;
	struct stat st;

	if ((!root->hidden && name[0] == '.' &&
		    strncmp(name, OUTPUTS_STAGED_PREFIX, strlen(OUTPUTS_STAGED_PREFIX)) != 0) ||
		is_history(name) || (l->job_directory && is_own_name(name)))
		return 0;
	if (asprintf(&path, "%s/%s", dir[1] ? dir : "", name) < 0)
		return path = NULL, -ENOMEM;
	if (strncmp(name, OUTPUTS_STAGED_PREFIX, strlen(OUTPUTS_STAGED_PREFIX)) == 0)
		return (int)MIN(names_add(&l->w->staged, path), 0);
	if (root->known && !is_known(l->w, dir, path, name))
		return 0;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (l->w->n_files >= OUTPUTS_NAMES_MAX) {
		root->complete = false;
		return -E2BIG;
	}
	if (S_ISDIR(st.st_mode) && root->recursive && st.st_dev == l->device &&
		(!l->w->jobdir || strcmp(path, l->w->jobdir) != 0)) {
		if (depth >= OUTPUTS_DEPTH_MAX)
			root->complete = false;
		else if (names_add(l->visited, path) == -ENOMEM)
			return -ENOMEM;
	}
	return add_file(l->w, &path, &st);
}

static unsigned depth_below(const char *path, const char *root)
{
	unsigned n = 0;

	for (const char *p = path + strlen(root); *p; p++)
		n += *p == '/';
	return n;
}

static int look_into(struct look *l, const char *dir)
{
	unsigned depth = depth_below(dir, l->root->path);
	cleanup_dir DIR *listing = NULL;
	cleanup_fd int fd =
		open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
	struct dirent *entry;
	struct stat st;
	int own, r = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		l->root->complete = false;
		return 0;
	}
	if (!depth)
		l->device = st.st_dev;
	l->job_directory = faccessat(fd, "checkpoint_images", F_OK, 0) == 0;
	if (l->job_directory && depth)
		return 0;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	listing = own < 0 ? NULL : fdopendir(own);
	if (!listing) {
		close_p(&own);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(listing)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = look_at(l, fd, dir, entry->d_name, depth);
	return r;
}

static int look_below(struct watch *w, struct watched *root, struct names *visited)
{
	struct look l = {.w = w, .root = root, .visited = visited};
	size_t at = visited->n;
	int r = 0;

	root->complete = !root->known;
	if (names_has(visited, root->path)) {
		root->complete = false; /* looked at already; that one tells */
		return 0;
	}
	if (names_add(visited, root->path) < 0)
		return -ENOMEM;
	/* The list grows while it is walked: breadth first. */
	for (; r == 0 && at < visited->n; at++)
		r = look_into(&l, visited->list[at]);
	return r == -E2BIG ? 0 : r;
}

int watch_look(struct watch *w)
{
	cleanup_names struct names visited = {0};
	int r = 0;

	for (int deep = 1; deep >= 0; deep--)
		for (size_t i = 0; r == 0 && i < w->n_dirs; i++)
			if (w->dirs[i].recursive == deep)
				r = look_below(w, &w->dirs[i], &visited);
	return r;
}

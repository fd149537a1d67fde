/* This user's jobs: see registry.h. */
#include "job/registry.h"
#include "base/io.h"
#include "job/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define ENTRY_MAX (64 * 1024)

/* Letters and digits that are not mistaken for each other. */
static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";

static int registry_open(bool create)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	cleanup_buf struct buf path = {0};
	int fd;

	if (state && state[0] == '/')
		buf_printf(&path, "%s/cragon/jobs", state);
	else if (home && home[0] == '/')
		buf_printf(&path, "%s/.local/state/cragon/jobs", home);
	else
		return -ENOENT;
	if (buf_error(&path))
		return -ENOMEM;
	if (create) {
		int r = io_mkdir_p(path.data);

		if (r < 0)
			return r;
	}
	fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool valid_id(const char *id)
{
	return *id && strlen(id) <= 32 && strspn(id, alphabet) == strlen(id);
}

static int entry_name(const char *id, char ret[static 64])
{
	if (!valid_id(id))
		return -EINVAL;
	snprintf(ret, 64, "%s.json", id);
	return 0;
}

void registry_new_id(char ret[static JOB_ID_CHARS + 1])
{
	cleanup_fd int dir = registry_open(false);
	unsigned char bytes[JOB_ID_CHARS];
	char name[64];

	do {
		if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
			memcpy(bytes, &(uint64_t){now_real_ns() ^ (uint64_t)getpid()},
				sizeof bytes);
		for (size_t i = 0; i < JOB_ID_CHARS; i++)
			ret[i] = alphabet[bytes[i] % (sizeof alphabet - 1)];
		ret[JOB_ID_CHARS] = 0;
	} while (dir >= 0 && entry_name(ret, name) == 0 && faccessat(dir, name, F_OK, 0) == 0);
}

int registry_add(const char *id, const char *directory)
{
	cleanup_fd int dir = registry_open(true);
	cleanup_free char *text = NULL;
	json_t *entry;
	char name[64];
	int r;

	if (dir < 0)
		return dir;
	r = entry_name(id, name);
	if (r < 0)
		return r;
	entry = json_pack("{s:s}", "directory", directory);
	text = entry ? json_dumps(entry, 0) : NULL;
	json_decref(entry);
	/* A name that is not UTF-8 cannot be registered; the job runs all the same. */
	if (!text)
		return -EILSEQ;
	return io_publish_at(dir, name, text, strlen(text));
}

static char *read_entry(int dir, const char *name)
{
	cleanup_buf struct buf text = {0};
	const char *directory;
	char *copy = NULL;
	json_t *entry;

	if (io_slurp_at(dir, name, &text, ENTRY_MAX) < 0)
		return NULL;
	entry = json_loadb(text.data, text.len, 0, NULL);
	directory = json_string_value(json_object_get(entry, "directory"));
	if (directory && directory[0] == '/')
		copy = strdup(directory);
	json_decref(entry);
	return copy;
}

char *registry_find(const char *id)
{
	cleanup_fd int dir = registry_open(false);
	char name[64];

	if (dir < 0 || entry_name(id, name) < 0)
		return NULL;
	return read_entry(dir, name);
}

/* Gone means gone: a file system that does not answer today may tomorrow. */
static bool is_gone(const char *directory)
{
	struct stat st;

	return stat(directory, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool is_entry(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && !strcmp(name + n - 5, ".json");
}

char **registry_list(void)
{
	cleanup_fd int fd = registry_open(false);
	char **list = calloc(1, sizeof *list), **more;
	cleanup_dir DIR *dir = NULL;
	struct dirent *d;
	size_t n = 0;

	if (!list || fd < 0)
		return list;
	dir = fdopendir(dup(fd));
	while (dir && (d = readdir(dir))) {
		char *path = is_entry(d->d_name) ? read_entry(fd, d->d_name) : NULL;

		if (!path)
			continue;
		if (is_gone(path)) {
			unlinkat(fd, d->d_name, 0);
			free(path);
			continue;
		}
		more = realloc(list, (n + 2) * sizeof *list);
		if (!more) {
			free(path);
			strings_free(list);
			return NULL;
		}
		list = more;
		list[n++] = path;
		list[n] = NULL;
	}
	return list;
}

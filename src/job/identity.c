/* Who and where: see identity.h. */
#include "job/identity.h"
#include "base/io.h"
#include "sys/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <xxhash.h>

#define PASSWD_MAX (16 * MIB)

extern char **environ;

static void copy_name(char *to, size_t cap, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < cap; from++)
		to[n++] = isalnum((unsigned char)*from) || strchr("._-", *from) ? *from : '_';
	to[n] = 0;
}

/* name:password:uid:… */
static bool passwd_line(const char *line, uid_t uid, char *ret, size_t cap)
{
	const char *colon = strchr(line, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;
	char name[256], *end;
	unsigned long value;

	if (!second || (size_t)(colon - line) >= sizeof name || colon == line)
		return false;
	value = strtoul(second + 1, &end, 10);
	if (end == second + 1 || *end != ':' || value != uid)
		return false;
	memcpy(name, line, (size_t)(colon - line));
	name[colon - line] = 0;
	copy_name(ret, cap, name);
	return true;
}

static void find_user(char *ret, size_t cap)
{
	cleanup_buf struct buf text = {0};
	const char *name = getenv("USER");
	char *rest, *line;

	if (!name || !*name)
		name = getenv("LOGNAME");
	if (name && *name) {
		copy_name(ret, cap, name);
		return;
	}
	if (io_slurp_at(AT_FDCWD, "/etc/passwd", &text, PASSWD_MAX) == 0 && text.data)
		for (rest = text.data; (line = strsep(&rest, "\n"));)
			if (passwd_line(line, geteuid(), ret, cap))
				return;
	snprintf(ret, cap, "%u", (unsigned)geteuid());
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void digest_environment(char ret[static 33])
{
	cleanup_free char **sorted = NULL;
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t hash = {0, 0};
	size_t n = 0;

	while (environ && environ[n])
		n++;
	sorted = malloc((n + 1) * sizeof *sorted);
	if (state && sorted) {
		memcpy(sorted, environ, n * sizeof *sorted);
		qsort(sorted, n, sizeof *sorted, by_text);
		XXH3_128bits_reset(state);
		for (size_t i = 0; i < n; i++)
			XXH3_128bits_update(state, sorted[i], strlen(sorted[i]) + 1);
		hash = XXH3_128bits_digest(state);
	}
	XXH3_freeState(state);
	snprintf(ret, 33, "%016llx%016llx", (unsigned long long)hash.high64,
		(unsigned long long)hash.low64);
}

void identity_self(struct identity *ret)
{
	cleanup_buf struct buf boot = {0};
	struct proc_stat stat;
	struct utsname names;

	memset(ret, 0, sizeof *ret);
	find_user(ret->user, sizeof ret->user);
	copy_name(ret->host, sizeof ret->host, uname(&names) == 0 ? names.nodename : "localhost");
	if (io_slurp_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, 4096) == 0 && boot.data)
		snprintf(ret->boot_id, sizeof ret->boot_id, "%.*s", (int)strcspn(boot.data, "\n"),
			boot.data);
	digest_environment(ret->environment);
	ret->pid = getpid();
	if (proc_stat(ret->pid, &stat) == 0)
		ret->pid_start = stat.start_time;
}

bool identity_alive(const struct identity *self, const char *host, const char *boot_id, pid_t pid,
	uint64_t start)
{
	struct proc_stat stat;

	if (pid <= 0 || strcmp(host, self->host) || strcmp(boot_id, self->boot_id))
		return false;
	if (proc_stat(pid, &stat) < 0)
		return false;
	return stat.start_time == start && stat.state != 'Z' && stat.state != 'X';
}

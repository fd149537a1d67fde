/* Records of fatal faults: see crash.h. */
#include "diag/crash.h"
#include "diag/text.h"
#include "base/io.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NULL_BYTES 65536u		 /* mmap_min_addr: nothing is mapped there */
#define NEAR_STACK_BYTES (1024u * 1024u) /* how far below its end one frame reaches */
#define TRAP_PAGE_FAULT 14
#define ERROR_WRITE 2u /* bits of the page fault's error code (Intel SDM 3A, 4.7) */
#define ERROR_FETCH 16u

/* ---- parsing ------------------------------------------------------------------------ */

struct raw {
	struct diag_crash *c;
	uint64_t error, trap;
};

static void code_bytes(const char *text, struct diag_crash *c)
{
	unsigned byte;
	int used;

	while (c->n_bytes < sizeof c->bytes && sscanf(text, "%2x%n", &byte, &used) == 1) {
		c->bytes[c->n_bytes++] = (uint8_t)byte;
		text += used;
	}
}

static void line(struct raw *r, const char *name, const char *value)
{
	struct diag_crash *c = r->c;
	uint64_t hex = strtoull(value, NULL, 16);
	long n = strtol(value, NULL, 10);

	if (!strcmp(name, "signal") && n > 0 && n <= 64)
		c->signal = (int)n;
	else if (!strcmp(name, "code"))
		c->code = (int)n;
	else if (!strcmp(name, "pid"))
		c->pid = (pid_t)n;
	else if (!strcmp(name, "sender"))
		c->sender = (pid_t)n;
	else if (!strcmp(name, "time") && n > 0)
		c->time_ns = (uint64_t)n * NS_PER_SEC;
	else if (!strcmp(name, "address"))
		c->address = hex;
	else if (!strcmp(name, "ip"))
		c->ip = hex;
	else if (!strcmp(name, "sp"))
		c->sp = hex;
	else if (!strcmp(name, "error"))
		r->error = hex;
	else if (!strcmp(name, "trap"))
		r->trap = hex;
	else if (!strcmp(name, "code-bytes"))
		code_bytes(value, c);
	else if (!strcmp(name, "abort-message"))
		text_copy(c->message, sizeof c->message, value, strlen(value));
}

static void set_access(struct raw *r)
{
	if (r->trap == TRAP_PAGE_FAULT)
		r->c->access = r->error & ERROR_FETCH ? 'x' : r->error & ERROR_WRITE ? 'w' : 'r';
}

static struct crash_file file_of(const struct proc_vma *v)
{
	return (struct crash_file){
		.inode = v->inode,
		.start = v->start,
		.offset = v->offset,
		.is_file = v->path[0] == '/' && !v->deleted,
	};
}

static void set_target(struct diag_crash *c, const struct proc_vma *v)
{
	const char *name = v->path[0] ? v->path : "anonymous memory";

	c->place = PLACE_MAPPED;
	text_copy(c->target, sizeof c->target, name, strlen(name));
	snprintf(c->target_mode, sizeof c->target_mode, "%c%c%c",
		v->protection & PROT_READ ? 'r' : '-', v->protection & PROT_WRITE ? 'w' : '-',
		v->protection & PROT_EXEC ? 'x' : '-');
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Below the stack, close to the stack pointer: the next mapping above is the
 * stack's, or the address is in the guard page below it. */
static bool is_overflow(const struct diag_crash *c, const struct proc_vma *above)
{
	return distance(c->address, c->sp) < NEAR_STACK_BYTES &&
	       above->start - c->address < NEAR_STACK_BYTES &&
	       c->sp < above->start + CRAGON_PAGE_BYTES && (above->protection & PROT_WRITE);
}

static int look_at_maps(
	char *maps, struct diag_crash *c, struct crash_file *module, struct crash_file *target)
{
	struct proc_vma v;
	bool guard = false, above = false;
	int r;

	while ((r = proc_next_vma(&maps, &v)) > 0) {
		if (c->ip >= v.start && c->ip < v.end) {
			text_copy(c->module, sizeof c->module, v.path, strlen(v.path));
			c->offset = c->ip - v.start + v.offset;
			*module = file_of(&v);
		}
		if (c->address >= v.start && c->address < v.end) {
			set_target(c, &v);
			*target = file_of(&v);
			guard = !(v.protection & (PROT_READ | PROT_WRITE | PROT_EXEC));
		} else if (v.start > c->address && !above) {
			above = true;
			if ((c->place != PLACE_MAPPED || guard) && is_overflow(c, &v))
				c->place = PLACE_STACK;
		}
	}
	return r;
}

int crash_parse(char *text, struct diag_crash *ret, struct crash_file *ret_module,
	struct crash_file *ret_target)
{
	struct raw raw = {.c = ret};
	char *maps = NULL, *word;
	bool faulted;

	memset(ret, 0, sizeof *ret);
	*ret_module = *ret_target = (struct crash_file){0};
	while (text && (word = strsep(&text, "\n"))) {
		char *value = strchr(word, ' ');

		if (!*word) {
			maps = text;
			break;
		}
		if (value) {
			*value++ = 0;
			line(&raw, word, value);
		}
	}
	if (!ret->signal)
		return -EPROTO;
	set_access(&raw);
	if (maps)
		(void)look_at_maps(maps, ret, ret_module, ret_target);
	faulted = ret->code > 0 && (ret->signal == SIGSEGV || ret->signal == SIGBUS);
	if (faulted && ret->code == SI_KERNEL)
		ret->place = PLACE_NOT_CANONICAL;
	else if (faulted && ret->address < NULL_BYTES)
		ret->place = PLACE_NULL;
	else if (faulted && ret->place == PLACE_UNKNOWN && maps)
		ret->place = PLACE_WILD;
	else if (!faulted)
		ret->place = PLACE_UNKNOWN;
	if (ret->signal == SIGILL)
		snprintf(ret->feature, sizeof ret->feature, "%s",
			insn_feature(ret->bytes, ret->n_bytes, &ret->feature_lacking));
	return 0;
}

bool crash_of_kernel(const char *text, struct diag_crash *ret)
{
	struct raw raw = {.c = ret, .trap = TRAP_PAGE_FAULT};
	const char *at = strstr(text, "segfault at ");
	unsigned long long address, ip, sp, error;

	memset(ret, 0, sizeof *ret);
	if (!at || sscanf(at, "segfault at %llx ip %llx sp %llx error %llx", &address, &ip, &sp,
			   &error) != 4)
		return false;
	ret->signal = SIGSEGV;
	ret->code = SEGV_MAPERR;
	ret->address = address;
	ret->ip = ip;
	ret->sp = sp;
	raw.error = error;
	set_access(&raw);
	if (address < NULL_BYTES)
		ret->place = PLACE_NULL;
	/* The page is there or not; a push or a call below the stack is an overflow. */
	else if (address <= sp + 8 && sp - address < CRAGON_PAGE_BYTES)
		ret->place = PLACE_STACK;
	return true;
}

/* ---- finding ------------------------------------------------------------------------ */

/* Opened only if it can be the file that was mapped: regular, the same inode, not
 * written since. (The device in maps is not stat's on some file systems.) */
static int open_mapped(
	const char *path, const struct crash_file *f, uint64_t time_ns, struct stat *st)
{
	cleanup_fd int fd = -1;

	if (!f->is_file)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode) || st->st_ino != f->inode)
		return -ESTALE;
	if (time_ns && (uint64_t)st->st_mtim.tv_sec * NS_PER_SEC > time_ns)
		return -ESTALE;
	return steal_fd(&fd);
}

static void look_at_module(struct diag_crash *c, const struct crash_file *f)
{
	struct stat st;
	cleanup_fd int fd = open_mapped(c->module, f, c->time_ns, &st);

	if (fd >= 0)
		symbol_find(
			fd, c->offset, c->function, sizeof c->function, c->line, sizeof c->line);
}

/* A mapped file that is shorter than its mapping: who cut it back did so since. */
static void look_at_target(struct diag_crash *c, const struct crash_file *f)
{
	uint64_t at = c->address - f->start + f->offset;
	struct stat st;
	cleanup_fd int fd = c->signal == SIGBUS ? open_mapped(c->target, f, 0, &st) : -1;

	if (fd >= 0 && at >= (uint64_t)st.st_size)
		c->target_beyond = at - (uint64_t)st.st_size + 1;
}

static int read_record(int dirfd, const char *name, struct diag_crash *ret)
{
	cleanup_buf struct buf text = {0};
	struct crash_file module, target;
	struct stat st;
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EPROTO;
	r = io_slurp_fd(fd, &text, CRASH_FILE_MAX);
	if (r < 0 || !text.data)
		return r < 0 ? r : -EPROTO;
	r = crash_parse(text.data, ret, &module, &target);
	if (r < 0)
		return r;
	look_at_module(ret, &module);
	look_at_target(ret, &target);
	return 0;
}

static bool is_record(const char *name)
{
	return !strncmp(name, "crash.", 6) && name[6] && !name[6 + strspn(name + 6, "0123456789")];
}

static DIR *open_records(int dirfd)
{
	cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir)
		(void)steal_fd(&fd);
	return dir;
}

/* The name of the newest record that is new enough. */
static int newest(int dirfd, uint64_t since_ns, char *ret, size_t cap)
{
	cleanup_dir DIR *dir = open_records(dirfd);
	uint64_t best = 0, time;
	struct dirent *d;
	struct stat st;

	while (dir && (d = readdir(dir))) {
		if (!is_record(d->d_name) ||
			fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		time = (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec;
		if (time < since_ns || time < best)
			continue;
		best = time;
		snprintf(ret, cap, "%s", d->d_name);
	}
	return best ? 0 : -ENOENT;
}

void crash_retire(int dirfd)
{
	char name[sizeof((struct dirent *)0)->d_name];
	cleanup_dir DIR *dir = NULL;
	struct dirent *d;

	if (newest(dirfd, 0, name, sizeof name) == 0)
		(void)renameat(dirfd, name, dirfd, "last-crash");
	dir = open_records(dirfd);
	while (dir && (d = readdir(dir)))
		if (is_record(d->d_name))
			(void)unlinkat(dirfd, d->d_name, 0);
}

int crash_find(int dirfd, uint64_t since_ns, struct diag_crash *ret)
{
	char name[sizeof((struct dirent *)0)->d_name];
	int r = newest(dirfd, since_ns, name, sizeof name);

	return r < 0 ? r : read_record(dirfd, name, ret);
}

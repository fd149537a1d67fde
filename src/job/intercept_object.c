/*
 * The preloaded object on disk: its bytes are part of this executable. Written
 * once per content, with a fixed time, so that a resumed job that has it mapped
 * finds the file it knew (same size, same time) wherever it was made again.
 */
#include "job/intercept.h"
#include "job/intercept_object.h"
#include "base/io.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

/* Names that `ld -r -b binary` gives. */
extern const unsigned char object_start[] __asm__("_binary_cragon_intercept_so_start");
extern const unsigned char object_end[] __asm__("_binary_cragon_intercept_so_end");

#define OBJECT_TIME 1700000000 /* any, as long as it stays */

static size_t object_bytes(void)
{
	return (size_t)(object_end - object_start);
}

static bool is_object(int fd)
{
	cleanup_buf struct buf have = {0};

	return io_slurp_fd(fd, &have, object_bytes() + 1) == 0 && have.len == object_bytes() &&
	       memcmp(have.data, object_start, have.len) == 0;
}

/* ld.so splits LD_PRELOAD at colons and blanks and expands dollar signs; a file
 * system mounted noexec refuses the mapping. */
static bool can_be_loaded(const char *path, int fd)
{
	void *p;

	if (strpbrk(path, ":; \t\n$"))
		return false;
	p = mmap(NULL, CRAGON_PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	munmap(p, CRAGON_PAGE_BYTES);
	return true;
}

static int write_object(const char *path)
{
	struct timespec times[2] = {{.tv_sec = OBJECT_TIME}, {.tv_sec = OBJECT_TIME}};
	cleanup_free char *temporary = NULL;
	cleanup_fd int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0700);
	if (fd < 0)
		return -errno;
	r = io_write(fd, object_start, object_bytes());
	if (r == 0 && (futimens(fd, times) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static int at_path(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0 || !is_object(fd)) {
		r = write_object(path);
		if (r < 0)
			return r;
		close_p(&fd);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return -errno;
	}
	return can_be_loaded(path, fd) ? 0 : -EACCES;
}

int intercept_object_place(const char *base, char **ret_path)
{
	cleanup_free char *path = NULL, *dir = NULL;
	int r;

	if (asprintf(&dir, "%s/lib", base) < 0)
		return -ENOMEM;
	if (asprintf(&path, "%s/cragon-intercept-%016llx.so", dir,
		    (unsigned long long)XXH3_64bits(object_start, object_bytes())) < 0)
		return -ENOMEM;
	r = io_mkdir_p(dir);
	if (r == 0)
		r = at_path(path);
	if (r < 0)
		return r;
	*ret_path = steal_ptr(&path);
	return 0;
}

int intercept_object_again(const char *path)
{
	const char *name = strrchr(path, '/');
	cleanup_free char *dir = NULL;
	char own[64];
	int r;

	if (access(path, R_OK) == 0)
		return 0;
	snprintf(own, sizeof own, "/cragon-intercept-%016llx.so",
		(unsigned long long)XXH3_64bits(object_start, object_bytes()));
	if (!name || strcmp(name, own) != 0)
		return -ESTALE; /* another cragon's */
	dir = strndup(path, (size_t)(name - path));
	if (!dir)
		return -ENOMEM;
	r = io_mkdir_p(dir);
	return r < 0 ? r : at_path(path);
}

/* ---- which programs load it -------------------------------------------------- */

/* The dynamic section's DT_NEEDED names, by way of the sections: a runtime that
 * insists on being loaded first ends the program when it is not. */
static bool needs_sanitizer(const char *file, size_t n)
{
	static const char *const names[] = {
		"libasan.so", "libtsan.so", "liblsan.so", "libclang_rt"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (memmem(file, n, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool has_interpreter(const Elf64_Ehdr *h, const char *file, size_t n)
{
	for (unsigned i = 0; i < h->e_phnum; i++) {
		uint64_t at = h->e_phoff + (uint64_t)i * sizeof(Elf64_Phdr);
		Elf64_Phdr p;

		if (at + sizeof p > n)
			return false;
		memcpy(&p, file + at, sizeof p);
		if (p.p_type == PT_INTERP)
			return true;
	}
	return false;
}

int intercept_applies(const char *program, struct buf *ret_reason)
{
	cleanup_fd int fd = open(program, O_RDONLY | O_CLOEXEC);
	cleanup_free char *file = NULL;
	const size_t max = 1 << 20; /* program headers and dynamic strings come early */
	Elf64_Ehdr h;
	ssize_t n;

	if (fd < 0)
		return -errno;
	file = malloc(max);
	if (!file)
		return -ENOMEM;
	n = read(fd, file, max);
	if (n < 2)
		return n < 0 ? -errno : -ENOEXEC;
	if (memcmp(file, "#!", 2) == 0)
		return 1; /* its interpreter decides */
	if ((size_t)n < sizeof h || memcmp(file, ELFMAG, SELFMAG) != 0)
		return 1;
	memcpy(&h, file, sizeof h);
	if (h.e_phentsize != sizeof(Elf64_Phdr) || !has_interpreter(&h, file, (size_t)n)) {
		buf_printf(ret_reason, "%s is a static program: failed allocations are not seen",
			program);
		return 0;
	}
	if (needs_sanitizer(file, (size_t)n)) {
		buf_printf(ret_reason,
			"%s is built with a sanitizer, whose runtime must be loaded first: failed "
			"allocations are not seen",
			program);
		return 0;
	}
	return 1;
}

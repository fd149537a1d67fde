/* What /proc and the auxiliary vector say about the program: all as it was. */
#include "victim.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

extern char **environ;

static const char *const files[] = {"/proc/self/cmdline", "/proc/self/environ", "/proc/self/comm",
	"/proc/self/auxv"};

#define FILES 4
#define SIZE 16384

static size_t slurp(const char *path, char *to)
{
	size_t have = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	while ((n = read(fd, to + have, SIZE - have)) > 0)
		have += (size_t)n;
	close(fd);
	return have;
}

int main(int argc, char **argv)
{
	static char before[FILES][SIZE], after[SIZE], exe[4096], exe_after[4096];
	static const unsigned long types[] = {AT_PHDR, AT_PHNUM, AT_BASE, AT_ENTRY, AT_UID, AT_EUID,
		AT_GID, AT_EGID, AT_SECURE, AT_RANDOM, AT_EXECFN, AT_PAGESZ, AT_CLKTCK, AT_HWCAP,
		AT_SYSINFO_EHDR};
	unsigned long values[sizeof types / sizeof *types];
	size_t sizes[FILES];
	unsigned char random_bytes[16];

	CHECK_EQ(prctl(PR_SET_NAME, "renamed victim"), 0);
	for (int i = 0; i < FILES; i++)
		sizes[i] = slurp(files[i], before[i]);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		values[i] = getauxval(types[i]);
	memcpy(random_bytes, (void *)getauxval(AT_RANDOM), 16);
	CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
	ready();
	wait_go();
	for (int i = 0; i < FILES; i++) {
		size_t n = slurp(files[i], after);

		if (n != sizes[i] || memcmp(after, before[i], n) != 0)
			victim_fail(files[i], 0, "the same as before", 0);
	}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		CHECK_EQ(getauxval(types[i]), values[i]);
	CHECK(memcmp(random_bytes, (void *)getauxval(AT_RANDOM), 16) == 0);
	CHECK(readlink("/proc/self/exe", exe_after, sizeof exe_after - 1) > 0);
	CHECK(strcmp(exe, exe_after) == 0);
	/* The kernel still knows where the arguments are: a change shows. */
	argv[0][0] = '#';
	CHECK(slurp("/proc/self/cmdline", after) == sizes[0] && after[0] == '#');
	CHECK(getenv("VICTIM_GO") && environ[0]);
	pass();
}

/*
 * Function and source line of a place in an ELF file, by libdw: from the DWARF
 * of the file itself or of its debug file (/usr/lib/debug/.build-id), the
 * function else from the symbol table. In a forked process with limits of time
 * and memory, because the file is the user's.
 */
#include "diag/crash.h"
#include "diag/text.h"
#include "base/io.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SECONDS_MAX 10
#define MEMORY_MAX (8192 * MIB) /* address space: the file itself is mapped */

struct found {
	char function[128], line[256];
};

/* Which address the loader's segments give to a place in the file. */
static bool address_of(Elf *elf, uint64_t offset, GElf_Addr *ret)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && offset >= p.p_offset &&
			offset - p.p_offset < p.p_filesz) {
			*ret = p.p_vaddr + (offset - p.p_offset);
			return true;
		}
	}
	return false;
}

static void symbols(Elf *elf, GElf_Addr address, unsigned type, struct found *f)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym sym;

	while (!f->function[0] && (section = elf_nextscn(elf, section))) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != type || !header.sh_entsize)
			continue;
		data = elf_getdata(section, NULL);
		for (size_t i = 0; data && i < header.sh_size / header.sh_entsize; i++) {
			const char *name;

			if (!gelf_getsym(data, (int)i, &sym) ||
				GELF_ST_TYPE(sym.st_info) != STT_FUNC || address < sym.st_value ||
				address - sym.st_value >= sym.st_size)
				continue;
			name = elf_strptr(elf, header.sh_link, sym.st_name);
			if (name)
				text_copy(f->function, sizeof f->function, name, strlen(name));
			return;
		}
	}
}

/* Without .debug_aranges (clang) each unit is asked. */
static bool unit_of(Dwarf *dwarf, GElf_Addr address, Dwarf_Die *ret)
{
	Dwarf_CU *unit = NULL;
	uint8_t type;

	if (dwarf_addrdie(dwarf, address, ret))
		return true;
	while (dwarf_get_units(dwarf, unit, &unit, NULL, &type, ret, NULL) == 0)
		if (type == DW_UT_compile && dwarf_haspc(ret, address) > 0)
			return true;
	return false;
}

/* Where a function that the compiler put here was called. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *inlined, struct found *f)
{
	Dwarf_Attribute a;
	Dwarf_Word file = 0, number = 0;
	Dwarf_Files *files;
	const char *name;
	char text[512];
	size_t n;

	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &a), &file) != 0 ||
		dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &a), &number) != 0 ||
		dwarf_getsrcfiles(unit, &files, &n) != 0 || file >= n)
		return;
	name = dwarf_filesrc(files, file, NULL, NULL);
	snprintf(text, sizeof text, "%s, inlined at %s:%llu", f->line, name ? name : "?",
		(unsigned long long)number);
	text_copy(f->line, sizeof f->line, text, strlen(text));
}

static void function_of(Dwarf_Die *unit, GElf_Addr address, struct found *f)
{
	Dwarf_Die *scopes = NULL, *inlined = NULL;
	int n = dwarf_getscopes(unit, address, &scopes), i = 0;
	const char *name;

	for (; i < n && dwarf_tag(&scopes[i]) != DW_TAG_subprogram; i++)
		if (dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine)
			inlined = &scopes[i];
	name = i < n ? dwarf_diename(&scopes[i]) : NULL;
	if (name)
		text_copy(f->function, sizeof f->function, name, strlen(name));
	if (inlined)
		call_site(unit, inlined, f);
	free(scopes);
}

static void source(Dwarf *dwarf, GElf_Addr address, struct found *f)
{
	const char *file;
	char text[512];
	Dwarf_Die unit;
	Dwarf_Line *line;
	int number = 0;

	if (!unit_of(dwarf, address, &unit))
		return;
	line = dwarf_getsrc_die(&unit, address);
	file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	if (file && dwarf_lineno(line, &number) == 0) {
		snprintf(text, sizeof text, "%s:%d", file, number);
		text_copy(f->line, sizeof f->line, text, strlen(text));
	}
	function_of(&unit, address, f);
}

static void dwarf_of(Elf *elf, GElf_Addr address, struct found *f)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);

	if (dwarf)
		source(dwarf, address, f);
	dwarf_end(dwarf);
}

/* The distribution's debug packages: symbols in a file of their own. */
static void debug_file(Elf *elf, GElf_Addr address, struct found *f)
{
	const void *id;
	ssize_t n = dwelf_elf_gnu_build_id(elf, &id);
	char path[200];
	int at;
	cleanup_fd int fd = -1;
	Elf *other;

	if (n < 3 || n > 64)
		return;
	at = snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%02x/", *(const uint8_t *)id);
	for (ssize_t i = 1; i < n; i++)
		at += snprintf(
			path + at, sizeof path - (size_t)at, "%02x", ((const uint8_t *)id)[i]);
	snprintf(path + at, sizeof path - (size_t)at, ".debug");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	other = fd >= 0 ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
	if (!other)
		return;
	dwarf_of(other, address, f);
	symbols(other, address, SHT_SYMTAB, f);
	elf_end(other);
}

static void look(int fd, uint64_t offset, struct found *f)
{
	GElf_Addr address;
	Elf *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return;
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && address_of(elf, offset, &address)) {
		/* What is known early is told even if the debug information is bad. */
		dwarf_of(elf, address, f);
		symbols(elf, address, SHT_SYMTAB, f);
		if (!f->line[0])
			debug_file(elf, address, f);
		symbols(elf, address, SHT_DYNSYM, f);
	}
	elf_end(elf);
}

static void child(int fd, uint64_t offset, int out)
{
	const struct rlimit time = {SECONDS_MAX, SECONDS_MAX}, none = {0, 0},
			    memory = {MEMORY_MAX, MEMORY_MAX};
	struct found f = {0};

	setrlimit(RLIMIT_CPU, &time);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow is larger than any limit */
	setrlimit(RLIMIT_AS, &memory);
#else
	(void)memory;
#endif
	setrlimit(RLIMIT_CORE, &none);
	look(fd, offset, &f);
	(void)io_write(out, &f, sizeof f);
	_exit(0);
}

static bool answer(int fd, struct found *ret)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	/* Smaller than PIPE_BUF, so it arrives at once or not at all. */
	return poll(&p, 1, (SECONDS_MAX + 2) * 1000) > 0 &&
	       read(fd, ret, sizeof *ret) == sizeof *ret;
}

void symbol_find(
	int fd, uint64_t offset, char *function, size_t function_cap, char *line, size_t line_cap)
{
	cleanup_fd int in = -1, out = -1;
	struct found f = {0};
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid == 0)
		child(fd, offset, out);
	if (pid < 0)
		return;
	close_p(&out);
	if (answer(in, &f)) {
		text_copy(function, function_cap, f.function, sizeof f.function);
		text_copy(line, line_cap, f.line, sizeof f.line);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/*
 * Jump stubs for a program that was checkpointed under another kernel: see
 * restore.h. Its C library keeps addresses of functions in the old vdso; each
 * of them is overwritten with a jump to the function of the same name in the
 * vdso that this kernel provides.
 *
 * Both vdsos are ELF images and untrusted (one comes from a file): every
 * offset is checked.
 */
#include "engine/restore.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

struct symbols {
	const uint8_t *image;
	size_t len;
	const Elf64_Sym *sym;
	size_t n;
	const char *strings;
	size_t strings_len;
};

static bool inside(size_t len, uint64_t at, uint64_t bytes)
{
	return at <= len && bytes <= len - at;
}

static int find_symbols(const uint8_t *image, size_t len, struct symbols *ret)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	const Elf64_Shdr *sections;

	if (!inside(len, 0, sizeof *header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
		header->e_shoff % 8 ||
		!inside(len, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections))
		return -ENOEXEC;
	sections = (const Elf64_Shdr *)(image + header->e_shoff);
	for (size_t i = 0; i < header->e_shnum; i++) {
		const Elf64_Shdr *table = &sections[i], *strings;

		if (table->sh_type != SHT_DYNSYM || table->sh_link >= header->e_shnum)
			continue;
		strings = &sections[table->sh_link];
		if (!inside(len, table->sh_offset, table->sh_size) || table->sh_offset % 8 ||
			!inside(len, strings->sh_offset, strings->sh_size) ||
			strings->sh_size == 0 ||
			image[strings->sh_offset + strings->sh_size - 1] != 0)
			return -ENOEXEC;
		*ret = (struct symbols){
			.image = image,
			.len = len,
			.sym = (const Elf64_Sym *)(image + table->sh_offset),
			.n = table->sh_size / sizeof(Elf64_Sym),
			.strings = (const char *)image + strings->sh_offset,
			.strings_len = strings->sh_size,
		};
		return 0;
	}
	return -ENOENT;
}

static const char *name_of(const struct symbols *s, const Elf64_Sym *sym)
{
	return sym->st_name < s->strings_len ? s->strings + sym->st_name : "";
}

static bool is_function(const Elf64_Sym *sym)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_shndx != SHN_UNDEF;
}

static const Elf64_Sym *find_function(const struct symbols *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (is_function(&s->sym[i]) && strcmp(name_of(s, &s->sym[i]), name) == 0)
			return &s->sym[i];
	return NULL;
}

int vdso_make_stubs(uint8_t *image_vdso, size_t image_len, const uint8_t *now, size_t now_len,
	uint64_t there)
{
	/* movabs $target, %rax; jmp *%rax */
	uint8_t stub[12] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
	cleanup_free uint8_t *pristine = malloc(image_len + 1);
	struct symbols old, new;
	int r;

	if (!pristine)
		return -ENOMEM;
	memcpy(pristine, image_vdso, image_len);
	r = find_symbols(pristine, image_len, &old);
	if (r == 0)
		r = find_symbols(now, now_len, &new);
	for (size_t i = 0; r == 0 && i < old.n; i++) {
		const Elf64_Sym *from = &old.sym[i], *to;
		uint64_t target;

		if (!is_function(from))
			continue;
		to = find_function(&new, name_of(&old, from));
		if (!to || !inside(image_len, from->st_value, sizeof stub) ||
			(from->st_size && from->st_size < sizeof stub))
			return -ENOENT;
		target = there + to->st_value;
		memcpy(stub + 2, &target, sizeof target);
		memcpy(image_vdso + from->st_value, stub, sizeof stub);
	}
	return r;
}

/*
 * Jump stubs between two vdsos: this kernel's own stands for both, and damaged
 * copies stand for an image that somebody has tampered with.
 */
#include "util.h"

#include "engine/restore.h"

#include <elf.h>
#include <errno.h>
#include <sys/auxv.h>

#define THERE 0x7f1234560000ull

static size_t own_vdso(uint8_t **ret)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)vdso;
	size_t bytes;

	if (!vdso)
		skip();
	bytes = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	bytes = (bytes + 4095) / 4096 * 4096;
	*ret = malloc(bytes);
	assert_non_null(*ret);
	memcpy(*ret, vdso, bytes);
	return bytes;
}

/* The address of a function in a vdso, 0 when it is not there. */
static uint64_t find(const uint8_t *vdso, const char *name)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)vdso;
	const Elf64_Shdr *section = (const Elf64_Shdr *)(const void *)(vdso + header->e_shoff);

	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *sym =
			(const Elf64_Sym *)(const void *)(vdso + section[i].sh_offset);
		const char *strings = (const char *)vdso + section[section[i].sh_link].sh_offset;

		for (size_t k = 0;
			section[i].sh_type == SHT_DYNSYM && k < section[i].sh_size / sizeof *sym;
			k++)
			if (strcmp(strings + sym[k].st_name, name) == 0)
				return sym[k].st_value;
	}
	return 0;
}

static void entries_lead_to_the_new_vdso(void **state)
{
	cleanup_free uint8_t *old = NULL, *now = NULL;
	size_t bytes = own_vdso(&old);
	uint64_t at, target;

	own_vdso(&now);
	assert_int_equal(vdso_make_stubs(old, bytes, now, bytes, THERE), 0);
	at = find(now, "__vdso_clock_gettime");
	assert_true(at != 0);
	assert_int_equal(old[at], 0x48); /* movabs $target, %rax */
	assert_int_equal(old[at + 1], 0xb8);
	memcpy(&target, old + at + 2, 8);
	assert_int_equal(target, THERE + at);
	assert_int_equal(old[at + 10], 0xff); /* jmp *%rax */
	assert_int_equal(old[at + 11], 0xe0);
	assert_memory_equal(old, now, sizeof(Elf64_Ehdr)); /* nothing else is touched */
}

static void what_is_no_vdso_is_refused(void **state)
{
	cleanup_free uint8_t *now = NULL;
	size_t bytes = own_vdso(&now);
	uint8_t junk[4096] = {0};

	assert_true(vdso_make_stubs(junk, 0, now, bytes, THERE) < 0);
	assert_true(vdso_make_stubs(junk, sizeof junk, now, bytes, THERE) < 0);
	memcpy(junk, ELFMAG, SELFMAG);
	assert_true(vdso_make_stubs(junk, sizeof junk, now, bytes, THERE) < 0);
	assert_true(vdso_make_stubs(junk, 5, now, bytes, THERE) < 0);
}

/* Each byte of the tables damaged in turn: an answer, never a read or write
 * outside (the sanitizers watch; the copies are exactly as large as told). */
static void damage_stays_inside(void **state)
{
	cleanup_free uint8_t *good = NULL;
	size_t bytes = own_vdso(&good);

	for (size_t i = 0; i < bytes; i += i < 64 ? 1 : 7) {
		cleanup_free uint8_t *old = malloc(bytes);

		memcpy(old, good, bytes);
		old[i] ^= 0xff;
		(void)vdso_make_stubs(old, bytes, good, bytes, THERE);
		(void)vdso_make_stubs(old, i, good, bytes, THERE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_lead_to_the_new_vdso),
		cmocka_unit_test(what_is_no_vdso_is_refused),
		cmocka_unit_test(damage_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

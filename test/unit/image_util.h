/*
 * Images with known content for the tests of image and store. Every page is
 * described by (space, address) alone: page_fill() makes what belongs there.
 */
#ifndef CRAGON_TEST_IMAGE_UTIL_H
#define CRAGON_TEST_IMAGE_UTIL_H

#include "base/io.h"
#include "image/image.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

enum page_kind { PAGE_ZERO, PAGE_TEXT, PAGE_RANDOM, PAGE_LAST_BYTE };

static inline enum page_kind page_kind(uint32_t space, uint64_t address)
{
	uint64_t page = address / CRAGON_PAGE_BYTES + space;

	return page % 5 == 0 ? PAGE_ZERO : (enum page_kind)(page / 7 % 4);
}

static inline void page_fill(uint8_t *out, uint32_t space, uint64_t address)
{
	uint64_t x = (address + 1) * 0x9e3779b97f4a7c15u + space;

	memset(out, 0, CRAGON_PAGE_BYTES);
	switch (page_kind(space, address)) {
	case PAGE_ZERO:
		break;
	case PAGE_TEXT:
		snprintf((char *)out, CRAGON_PAGE_BYTES, "space %u address %lx", space,
			(unsigned long)address);
		break;
	case PAGE_RANDOM:
		for (size_t i = 0; i < CRAGON_PAGE_BYTES; i += 8) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			memcpy(out + i, &x, 8);
		}
		break;
	case PAGE_LAST_BYTE:
		out[CRAGON_PAGE_BYTES - 1] = (uint8_t)(x | 1);
		break;
	}
}

/* Gives the writer `pages` pages from `address` on, a frame at a time. */
static inline int write_pages(
	struct image_writer *w, uint32_t space, uint64_t address, uint64_t pages, uint32_t flags)
{
	while (pages) {
		uint64_t n = MIN(pages, IMAGE_FRAME_BYTES / CRAGON_PAGE_BYTES);
		struct image_run run = {space, flags, address, n * CRAGON_PAGE_BYTES};
		uint8_t *buffer = image_writer_buffer(w);
		int r;

		if (!buffer)
			return -ECANCELED;
		for (uint64_t i = 0; i < n; i++)
			page_fill(buffer + i * CRAGON_PAGE_BYTES, space,
				address + i * CRAGON_PAGE_BYTES);
		r = image_writer_submit(w, buffer, &run, 1);
		if (r < 0)
			return r;
		address += n * CRAGON_PAGE_BYTES;
		pages -= n;
	}
	return 0;
}

static inline int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void write_info(int dirfd, uint64_t number)
{
	static char *command[] = {(char *)"./a.out", (char *)"caf\xe9 \"x\"", NULL};
	struct image_info info = {
		.number = number,
		.command = command,
		.directory = (char *)"/home/u",
		.timestamp_ns = 1780000000123456000,
		.processes = 3,
		.pause_ns = 12345678,
		.compression = (char *)"zstd",
	};
	struct err e = {0};

	assert_ok(image_info_write(dirfd, &info, &e));
	assert_string_equal(info.format_version, "1.1");
	free(info.checksum);
	free(info.format_version);
}

/* A complete small image: two spaces, `pages` pages each. */
static inline void make_image_at(int dirfd, uint64_t number, uint64_t pages)
{
	struct image_writer_options o = {.workers = 2};
	Cragon__Image meta = CRAGON__IMAGE__INIT;
	Cragon__Machine machine = CRAGON__MACHINE__INIT;
	struct image_totals totals;
	struct image_writer *w;
	struct err e = {0};

	machine.kernel = (char *)"6.1.0-test";
	meta.machine = &machine;
	assert_ok(image_writer_open(&w, dirfd, &o, &e));
	assert_ok(write_pages(w, 1, 0x10000, pages, 0));
	assert_ok(write_pages(w, 2, 0x7fff00000000, pages, IMAGE_KEEP_ZERO));
	assert_ok(image_writer_finish(w, &meta, &totals, &e));
	image_writer_free(w);
	write_info(dirfd, number);
}

static inline void make_image(const char *path, uint64_t number, uint64_t pages)
{
	int fd = open_dir(path);

	make_image_at(fd, number, pages);
	close(fd);
}

#endif

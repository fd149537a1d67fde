/*
 * Damaged images: every changed bit, every cut, every record that lies must be
 * refused before anything believes it.
 */
#include "image/layout.h"
#include "image/manifest.h"
#include "image_util.h"

#include <errno.h>

static const char *const files[] = {"checkpoint_info", "meta.pb", "pages.dat", "pages.idx"};

static bool is_refused(const char *dir, const char *what, size_t at)
{
	struct err e = {0};
	int r = image_verify(dir, &e);

	if (r < 0 && (e.why == WHY_BAD_IMAGE || e.why == WHY_NEWER_IMAGE) && e.text[0])
		return true;
	print_error("%s at %zu: %d %s\n", what, at, r, e.text);
	return false;
}

static void test_every_flip(void **state)
{
	TEMP_DIR(dir);
	struct err e = {0};
	int dirfd;

	make_image(dir, 1, 40);
	assert_ok(image_verify(dir, &e));
	dirfd = open_dir(dir);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int fd = openat(dirfd, files[i], O_RDWR);
		size_t size = (size_t)lseek(fd, 0, SEEK_END);

		/* Frames and their padding: a sample. The others: every byte. */
		for (size_t at = 0; at<size; at += size> 20000 ? 101 : 1) {
			uint8_t byte, wrong;

			assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
			wrong = byte ^ (uint8_t)(1u << (at % 8));
			assert_int_equal(pwrite(fd, &wrong, 1, (off_t)at), 1);
			assert_true(is_refused(dir, files[i], at));
			assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		}
		close(fd);
	}
	assert_ok(image_verify(dir, &e));
	close(dirfd);
}

static void test_every_length(void **state)
{
	TEMP_DIR(dir);
	struct err e = {0};
	int dirfd;

	make_image(dir, 1, 5);
	dirfd = open_dir(dir);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		cleanup_buf struct buf whole = {0};
		int fd = openat(dirfd, files[i], O_RDWR);

		assert_int_equal(io_slurp_at(dirfd, files[i], &whole, 1 << 20), 0);
		for (size_t size = 0; size < whole.len; size += 7) {
			assert_int_equal(ftruncate(fd, (off_t)size), 0);
			assert_true(is_refused(dir, files[i], size));
			assert_int_equal(io_pwrite(fd, whole.data, whole.len, 0), 0);
		}
		assert_int_equal(io_pwrite(fd, "\0", 1, (off_t)whole.len), 0);
		assert_true(is_refused(dir, files[i], whole.len));
		assert_int_equal(ftruncate(fd, (off_t)whole.len), 0);
		assert_ok(image_verify(dir, &e));
		assert_int_equal(renameat(dirfd, files[i], dirfd, "away"), 0);
		assert_true(is_refused(dir, files[i], 0));
		/* A link in its place is not followed. */
		assert_int_equal(symlinkat("away", dirfd, files[i]), 0);
		assert_int_not_equal(image_verify(dir, &e), 0);
		assert_int_equal(renameat(dirfd, "away", dirfd, files[i]), 0);
		close(fd);
	}
	close(dirfd);
}

/* Files of two images must not be mixed, each sound in itself. */
static void test_mixed_images(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		TEMP_DIR(one);
		TEMP_DIR(two);
		char from[128], to[128];

		make_image(one, 1, 9);
		make_image(two, 2, 13);
		snprintf(from, sizeof from, "%s/%s", one, files[i]);
		snprintf(to, sizeof to, "%s/%s", two, files[i]);
		assert_int_equal(rename(from, to), 0);
		if (strcmp(files[i], "meta.pb") != 0) /* those two have the same metadata */
			assert_true(is_refused(two, files[i], 0));
	}
}

static void test_absent(void **state)
{
	TEMP_DIR(dir);
	struct image *image;
	struct err e = {0};

	assert_int_equal(image_open(&image, "/nonexistent/image", &e), -ENOENT);
	assert_int_equal(e.why, WHY_NO_IMAGE);
	assert_true(image_open(&image, dir, &e) < 0);
	assert_int_equal(e.why, WHY_BAD_IMAGE);
	assert_non_null(strstr(e.text, "checkpoint_info"));
	assert_true(image_open(&image, "/dev/null", &e) < 0);
	assert_int_equal(e.why, WHY_NO_IMAGE);
}

static struct frame some_frame(uint64_t offset)
{
	return (struct frame){
		.offset = offset, .stored_bytes = 8192, .raw_bytes = 8192, .codec = CODEC_RAW};
}

/* Two frames, four extents (one of zeros), all in order. */
static struct index some_index(struct frame frames[2], struct extent extents[4])
{
	frames[0] = some_frame(0);
	frames[1] = some_frame(8192);
	extents[0] = (struct extent){1, 0, 0x1000, 4096, 0, 0};
	extents[1] = (struct extent){1, 0, 0x2000, 4096, 4096, 0};
	extents[2] = (struct extent){1, IMAGE_NO_FRAME, 0x3000, 0x8000, 0, 0};
	extents[3] = (struct extent){2, 1, 0, 8192, 0, 0};
	return (struct index){16384, frames, 2, extents, 4};
}

static int parse_again(const struct index *x)
{
	uint8_t *file;
	size_t bytes;
	struct index back;
	struct err e = {0};
	int r = index_encode(x, &file, &bytes, &e);

	if (r < 0)
		return r;
	r = index_parse(&back, file, bytes, &e);
	if (r == 0) {
		cleanup_free uint8_t *again = NULL;
		size_t again_bytes;

		assert_ok(index_encode(&back, &again, &again_bytes, &e));
		assert_int_equal(again_bytes, bytes);
		assert_memory_equal(again, file, bytes);
		index_done(&back);
	} else {
		assert_int_equal(e.why, WHY_BAD_IMAGE);
	}
	free(file);
	return r;
}

#define INDEX_WITH(change)                             \
	({                                             \
		struct frame f[2];                     \
		struct extent x[4];                    \
		struct index index = some_index(f, x); \
		change;                                \
		parse_again(&index);                   \
	})
#define assert_refused(change) assert_int_equal(INDEX_WITH(change), -EBADMSG)

static void test_lying_index(void **state)
{
	assert_int_equal(INDEX_WITH((void)0), 0);
	assert_int_equal(INDEX_WITH((f[1].offset += 4095, index.pages_bytes += 4095)), 0);
	assert_refused(f[0].offset = 4096);
	assert_refused(f[1].offset = 8191);
	assert_refused(f[1].offset = UINT64_MAX - 100);
	assert_refused(index.pages_bytes = 16383);
	assert_refused(index.pages_bytes = 16384 + 4096);
	assert_refused(f[0].raw_bytes = 0);
	assert_refused(f[0].raw_bytes = f[0].stored_bytes = IMAGE_FRAME_BYTES + 1);
	assert_refused(f[0].stored_bytes = 0);
	assert_refused(f[0].stored_bytes = 8000);
	assert_refused((f[0].codec = CODEC_ZSTD, f[0].stored_bytes = 8193));
	assert_refused(f[0].codec = 2);
	assert_refused(x[1].address = 0x1000);
	assert_refused(x[0].bytes = 8192);
	assert_refused(x[2].bytes = 0);
	assert_refused(x[3].space = 1);
	assert_refused(x[0].space = 3);
	assert_refused(x[0].address = 0x1001);
	assert_refused(x[3].address = 1ull << 63);
	assert_refused(x[3].address = UINT64_MAX - 4095);
	assert_refused(x[3].frame = 2);
	assert_refused(x[3].offset = 1);
	assert_refused(x[3].offset = UINT32_MAX);
	assert_refused(x[3].bytes = UINT32_MAX);
	assert_refused(x[2].offset = 1);
	assert_refused(x[0].source = 1);
}

/* Fields of the envelope and counts, with a digest that fits. */
static void test_lying_envelope(void **state)
{
	struct frame f[2];
	struct extent x[4];
	struct index index = some_index(f, x), back;
	static const struct {
		size_t at;
		unsigned bytes;
		uint64_t value;
		enum why why;
	} changes[] = {
		{0, 1, 'X', WHY_BAD_IMAGE},
		{8, 2, 2, WHY_NEWER_IMAGE},
		{8, 2, 0, WHY_BAD_IMAGE},
		{12, 4, 48, WHY_BAD_IMAGE},
		{16, 8, 0, WHY_BAD_IMAGE},
		{16, 8, UINT64_MAX, WHY_BAD_IMAGE},
		{32, 8, 3, WHY_BAD_IMAGE},
		{32, 8, UINT64_MAX, WHY_BAD_IMAGE},
		{40, 8, 5, WHY_BAD_IMAGE},
		{40, 8, UINT64_MAX / 32 + 1, WHY_BAD_IMAGE},
		{48, 4, 65536, WHY_BAD_IMAGE},
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		uint8_t *file;
		size_t bytes;
		struct digest d;
		struct err e = {0};

		assert_ok(index_encode(&index, &file, &bytes, &e));
		put_le(file + changes[i].at, changes[i].bytes, changes[i].value);
		d = digest_of(file, bytes - 16);
		memcpy(file + bytes - 16, d.bytes, 16);
		assert_true(index_parse(&back, file, bytes, &e) < 0);
		assert_int_equal(e.why, changes[i].why);
		free(file);
	}
	/* A newer minor is read. */
	{
		uint8_t *file;
		size_t bytes;
		struct digest d;
		struct err e = {0};

		assert_ok(index_encode(&index, &file, &bytes, &e));
		put_le(file + 10, 2, 9);
		d = digest_of(file, bytes - 16);
		memcpy(file + bytes - 16, d.bytes, 16);
		assert_ok(index_parse(&back, file, bytes, &e));
		index_done(&back);
		free(file);
	}
}

static enum why parse_manifest(const char *body)
{
	cleanup(image_info_done) struct image_info info = {0};
	cleanup_buf struct buf text = {0};
	struct manifest m;
	struct digest d;
	struct err e = {0};
	char hex[33];

	buf_printf(&text, "{\n%s,\n", body);
	d = digest_of(text.data, text.len);
	digest_hex(&d, hex);
	buf_printf(&text, "  \"info_checksum\": \"%s\"\n}\n", hex);
	return manifest_parse(text.data, text.len, &info, &m, &e) < 0 ? e.why : WHY_NONE;
}

#define D32 "99aa06d3014798d86001c324468d497f" /* of no bytes */
#define FILE_IN(name) "\"" name "\": {\"bytes\": 1, \"xxh3\": \"" D32 "\"}"
#define BODY(version, files)                                              \
	"\"number\": 3, \"command\": [\"a\"], \"checkpoint_timestamp\": " \
	"\"2026-11-23T18:52:15.344120-03:30\", \"checksum\": \"" D32      \
	"\", \"format_version\": \"" version "\", \"files\": {" files "}"
#define ALL_FILES FILE_IN("meta.pb") "," FILE_IN("pages.dat") "," FILE_IN("pages.idx")

static void test_lying_manifest(void **state)
{
	struct digest d = digest_of(NULL, 0);
	char hex[33];

	digest_hex(&d, hex);
	assert_string_equal(hex, D32);
	/* Everything right but the checksum over the files. */
	assert_int_equal(parse_manifest(BODY("1.0", ALL_FILES)), WHY_BAD_IMAGE);
	assert_int_equal(parse_manifest(BODY("2.0", ALL_FILES)), WHY_NEWER_IMAGE);
	assert_int_equal(parse_manifest("\"format_version\": \"17.3\""), WHY_NEWER_IMAGE);
	assert_int_equal(parse_manifest("\"format_version\": 1"), WHY_BAD_IMAGE);
	assert_int_equal(parse_manifest(BODY("1", ALL_FILES)), WHY_BAD_IMAGE);
	assert_int_equal(parse_manifest(BODY("1.0", FILE_IN("meta.pb"))), WHY_BAD_IMAGE);
	assert_int_equal(parse_manifest(BODY("1.0", ALL_FILES "," FILE_IN("../x"))), WHY_BAD_IMAGE);
	assert_int_equal(parse_manifest("1"), WHY_BAD_IMAGE);
}

/* The sum in the manifest is what the format says; a file of a newer minor is covered. */
static void test_manifest_by_the_book(void **state)
{
	cleanup_buf struct buf text = {0}, body = {0};
	cleanup(image_info_done) struct image_info info = {0};
	struct digest empty = digest_of(NULL, 0), d;
	uint8_t all[4 * 16];
	struct manifest m;
	struct err e = {0};
	char hex[33], *at;

	for (int i = 0; i < 4; i++)
		memcpy(all + 16 * i, empty.bytes, 16);
	d = digest_of(all, sizeof all);
	digest_hex(&d, hex);
	buf_str(&body, BODY("1.7", ALL_FILES "," FILE_IN("extra.new")));
	at = strstr(body.data, D32);
	memcpy(at, hex, 32);
	buf_printf(&text, "{\n%s,\n", body.data);
	d = digest_of(text.data, text.len);
	digest_hex(&d, hex);
	buf_printf(&text, "  \"info_checksum\": \"%s\"\n}\n", hex);
	assert_ok(manifest_parse(text.data, text.len, &info, &m, &e));
	assert_int_equal(m.n, 4);
	assert_string_equal(m.files[0].name, "extra.new");
	assert_int_equal(info.timestamp_ns, 1795472535344120000 + 0ull);
	assert_string_equal(info.hostname, "");
	assert_int_equal(info.threads, 0);
}

static void test_meta_budget(void **state)
{
	/* 40,000 empty processes in 80,000 bytes are fine; a hundred times that is not. */
	for (size_t n = 40000; n <= 4000000; n *= 100) {
		size_t bytes = ENVELOPE_BYTES + 2 * n;
		uint8_t *file = malloc(bytes);
		Cragon__Image *meta;
		struct err e = {0};
		int r;

		for (size_t i = 0; i < n; i++)
			memcpy(file + HEADER_BYTES + 2 * i, "\x22\x00", 2);
		envelope_seal(FILE_META, file, bytes);
		r = meta_parse(&meta, file, bytes, &e);
		if (n == 40000) {
			assert_ok(r);
			assert_int_equal(meta->n_process, n);
			meta_free(meta);
		} else {
			assert_int_equal(r, -EBADMSG);
		}
		free(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_mixed_images),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_lying_index),
		cmocka_unit_test(test_lying_envelope),
		cmocka_unit_test(test_lying_manifest),
		cmocka_unit_test(test_manifest_by_the_book),
		cmocka_unit_test(test_meta_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What all files of an image share: digests, the envelope around meta.pb and
 * pages.idx, and reading a whole file within a bound.
 */
#include "image/layout.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

struct digest digest_of(const void *data, size_t bytes)
{
	XXH128_canonical_t canonical;
	struct digest d;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes ? data : "", bytes));
	memcpy(d.bytes, canonical.digest, sizeof d.bytes);
	return d;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void digest_hex(const struct digest *d, char out[static 33])
{
	for (size_t i = 0; i < sizeof d->bytes; i++)
		snprintf(out + 2 * i, 3, "%02x", d->bytes[i]);
}

int digest_parse(const char *hex, struct digest *ret)
{
	static const char digits[] = "0123456789abcdef";
	struct digest d;

	if (strlen(hex) != 2 * sizeof d.bytes)
		return -EINVAL;
	for (size_t i = 0; i < sizeof d.bytes; i++) {
		const char *high = strchr(digits, hex[2 * i]);
		const char *low = strchr(digits, hex[2 * i + 1]);

		if (!high || !low)
			return -EINVAL;
		d.bytes[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	*ret = d;
	return 0;
}

static const struct {
	const char *name;
	char magic[9];
} kinds[] = {
	[FILE_META] = {IMAGE_META_NAME, "CRAGmeta"},
	[FILE_INDEX] = {IMAGE_INDEX_NAME, "CRAGindx"},
};

/* magic 8, major 2, minor 2, header bytes 4, payload bytes 8; then the payload;
 * then the digest of all that. */
void envelope_seal(enum file_kind kind, uint8_t *file, size_t file_bytes)
{
	struct digest d;

	memcpy(file, kinds[kind].magic, 8);
	put_le(file + 8, 2, IMAGE_FORMAT_MAJOR);
	put_le(file + 10, 2, IMAGE_FORMAT_MINOR);
	put_le(file + 12, 4, HEADER_BYTES);
	put_le(file + 16, 8, file_bytes - ENVELOPE_BYTES);
	d = digest_of(file, file_bytes - sizeof d.bytes);
	memcpy(file + file_bytes - sizeof d.bytes, d.bytes, sizeof d.bytes);
}

int envelope_check(enum file_kind kind, const uint8_t *file, size_t bytes, struct err *e)
{
	const char *name = kinds[kind].name;
	struct digest d;
	uint64_t major;

	if (bytes < ENVELOPE_BYTES)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s is cut short", name);
	if (memcmp(file, kinds[kind].magic, 8) != 0)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s is not a file of an image", name);
	major = get_le(file + 8, 2);
	if (major > IMAGE_FORMAT_MAJOR)
		return err_set(e, -EPROTONOSUPPORT, WHY_NEWER_IMAGE,
			"%s has format version %" PRIu64
			", this cragon reads up to %d; use a newer cragon",
			name, major, IMAGE_FORMAT_MAJOR);
	if (major == 0 || get_le(file + 12, 4) != HEADER_BYTES)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s has a damaged header", name);
	if (get_le(file + 16, 8) != bytes - ENVELOPE_BYTES)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			"%s is %zu bytes long, its header says %" PRIu64, name, bytes,
			get_le(file + 16, 8) + ENVELOPE_BYTES);
	d = digest_of(file, bytes - sizeof d.bytes);
	if (memcmp(d.bytes, file + bytes - sizeof d.bytes, sizeof d.bytes) != 0)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
			"%s is damaged: its checksum does not match", name);
	return 0;
}

int image_read_file(
	int dirfd, const char *name, uint64_t max, uint8_t **ret, size_t *ret_bytes, struct err *e)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	cleanup_free uint8_t *data = NULL;
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, -ENOENT, WHY_BAD_IMAGE, "%s is missing", name);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, -errno, "cannot open %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s is not a regular file", name);
	if ((uint64_t)st.st_size > max)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s is implausibly large (%lld bytes)",
			name, (long long)st.st_size);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return err_sys(e, -ENOMEM, "cannot read %s", name);
	r = io_pread(fd, data, (size_t)st.st_size, 0);
	if (r < 0)
		return err_sys(e, r, "cannot read %s", name);
	data[st.st_size] = 0;
	*ret = steal_ptr(&data);
	*ret_bytes = (size_t)st.st_size;
	return 0;
}

/*
 * checkpoint_info, the manifest: one JSON object, written last. The last line
 * carries a digest of the text in front of it, so that a damaged manifest is
 * noticed as surely as a damaged page.
 */
#include "image/manifest.h"

#include "base/io.h"
#include "image/info_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define SEAL_LEAD "  \"info_checksum\": \""
#define SEAL_TAIL "\"\n}\n"
#define SEAL_BYTES (sizeof SEAL_LEAD - 1 + 32 + sizeof SEAL_TAIL - 1)

static int list_file(struct manifest *m, int dirfd, const char *name, struct err *e)
{
	struct manifest_file *f = &m->files[m->n];
	cleanup(index_done) struct index index = {0};
	cleanup_free uint8_t *data = NULL;
	size_t bytes;
	struct stat st;
	int r;

	snprintf(f->name, sizeof f->name, "%s", name);
	if (strcmp(name, IMAGE_PAGES_NAME) != 0) {
		r = image_read_file(dirfd, name, UINT64_MAX >> 1, &data, &bytes, e);
		if (r < 0)
			return r;
		f->digest = digest_of(data, bytes);
		f->bytes = bytes;
		m->n++;
		return 0;
	}
	/* The index knows the digests: the file need not be read again. */
	r = image_read_file(dirfd, IMAGE_INDEX_NAME, UINT64_MAX >> 1, &data, &bytes, e);
	if (r < 0)
		return r;
	r = index_parse(&index, data, bytes, e);
	if (r < 0)
		return r;
	r = index_pages_digest(&index, &f->digest, e);
	if (r < 0)
		return r;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, -errno, "cannot find %s", name);
	if ((uint64_t)st.st_size != index.pages_bytes)
		return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s does not fit its index", name);
	f->bytes = index.pages_bytes;
	m->n++;
	return 0;
}

static struct digest manifest_digest(const struct manifest *m)
{
	uint8_t all[MANIFEST_MAX_FILES * 16];

	for (size_t i = 0; i < m->n; i++)
		memcpy(all + 16 * i, m->files[i].digest.bytes, 16);
	return digest_of(all, 16 * m->n);
}

static json_t *files_to_json(const struct manifest *m)
{
	cleanup_json json_t *files = json_object();

	for (size_t i = 0; i < m->n; i++) {
		char hex[33];

		digest_hex(&m->files[i].digest, hex);
		if (json_object_set_new(files, m->files[i].name,
			    json_pack("{s:I, s:s}", "bytes", (json_int_t)m->files[i].bytes, "xxh3",
				    hex)) < 0)
			return NULL;
	}
	return json_incref(files);
}

/* The object as text, its closing brace replaced by the seal. */
static int info_text(const struct image_info *info, const struct manifest *m, struct buf *out)
{
	cleanup_json json_t *object = info_to_json(info);
	cleanup_free char *text = NULL;
	struct digest d;
	char hex[33];

	if (!object || json_object_set_new(object, "files", files_to_json(m)) < 0)
		return -ENOMEM;
	text = json_dumps(object, JSON_INDENT(2));
	if (!text)
		return -ENOMEM;
	buf_add(out, text, strlen(text) - 2); /* without "\n}" */
	buf_str(out, ",\n");
	if (buf_error(out) < 0)
		return buf_error(out);
	d = digest_of(out->data, out->len);
	digest_hex(&d, hex);
	return buf_printf(out, SEAL_LEAD "%s" SEAL_TAIL, hex);
}

int image_info_write(int dirfd, struct image_info *info, struct err *e)
{
	static const char *const names[] = {IMAGE_META_NAME, IMAGE_PAGES_NAME, IMAGE_INDEX_NAME};
	cleanup_buf struct buf text = {0};
	struct manifest m = {0};
	struct digest d;
	char hex[33], version[16];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		r = list_file(&m, dirfd, names[i], e);
		if (r < 0)
			return r;
	}
	d = manifest_digest(&m);
	digest_hex(&d, hex);
	snprintf(version, sizeof version, "%d.%d", IMAGE_FORMAT_MAJOR, IMAGE_FORMAT_MINOR);
	r = info_replace_text(&info->checksum, hex);
	if (r == 0)
		r = info_replace_text(&info->format_version, version);
	if (r == 0)
		r = info_text(info, &m, &text);
	if (r < 0)
		return err_sys(e, r, "cannot compose " IMAGE_INFO_NAME);
	if (text.len > IMAGE_MAX_INFO_BYTES)
		return err_set(e, -EOVERFLOW, WHY_UNSUPPORTED,
			"the command line is too long for " IMAGE_INFO_NAME);
	r = io_publish_at(dirfd, IMAGE_INFO_NAME, text.data, text.len);
	if (r < 0)
		return err_sys(e, r, "cannot write " IMAGE_INFO_NAME);
	return 0;
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, -EBADMSG, WHY_BAD_IMAGE, IMAGE_INFO_NAME " is damaged: %s", what);
}

/* A newer major may look different in everything but this key. */
static int version_check(const json_t *object, struct err *e)
{
	const char *text = json_string_value(json_object_get(object, "format_version"));
	unsigned major, minor;
	int n = 0;

	if (!text || sscanf(text, "%5u.%5u%n", &major, &minor, &n) != 2 || text[n] || major == 0)
		return bad(e, "it has no format version");
	if (major > IMAGE_FORMAT_MAJOR)
		return err_set(e, -EPROTONOSUPPORT, WHY_NEWER_IMAGE,
			"the image has format version %s, this cragon reads up to %d; use a newer "
			"cragon",
			text, IMAGE_FORMAT_MAJOR);
	return 0;
}

static bool plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') &&
	       strlen(name) < sizeof((struct manifest_file *)NULL)->name;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(
		((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

static int files_from_json(json_t *files, struct manifest *m, struct err *e)
{
	const char *name;
	json_t *value;

	if (!json_is_object(files) || json_object_size(files) > MANIFEST_MAX_FILES)
		return bad(e, "it lists no files");
	json_object_foreach(files, name, value)
	{
		struct manifest_file *f = &m->files[m->n++];
		const json_t *bytes = json_object_get(value, "bytes");
		const char *hex = json_string_value(json_object_get(value, "xxh3"));

		if (!plain_name(name) || !json_is_integer(bytes) || json_integer_value(bytes) < 0 ||
			!hex || digest_parse(hex, &f->digest) < 0)
			return bad(e, "its list of files is odd");
		snprintf(f->name, sizeof f->name, "%s", name);
		f->bytes = (uint64_t)json_integer_value(bytes);
	}
	qsort(m->files, m->n, sizeof *m->files, compare_files);
	if (!manifest_find(m, IMAGE_META_NAME) || !manifest_find(m, IMAGE_INDEX_NAME) ||
		!manifest_find(m, IMAGE_PAGES_NAME))
		return bad(e, "its list of files is not complete");
	return 0;
}

const struct manifest_file *manifest_find(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

static int seal_check(const char *text, size_t bytes, struct err *e)
{
	const char *seal;
	struct digest d;
	char hex[33];

	if (bytes < SEAL_BYTES)
		return bad(e, "it is cut short");
	seal = text + bytes - SEAL_BYTES;
	d = digest_of(text, bytes - SEAL_BYTES);
	digest_hex(&d, hex);
	if (memcmp(seal, SEAL_LEAD, sizeof SEAL_LEAD - 1) != 0 ||
		memcmp(seal + sizeof SEAL_LEAD - 1, hex, 32) != 0 ||
		memcmp(seal + SEAL_BYTES - (sizeof SEAL_TAIL - 1), SEAL_TAIL,
			sizeof SEAL_TAIL - 1) != 0)
		return bad(e, "its own checksum does not match");
	return 0;
}

int manifest_parse(const char *text, size_t bytes, struct image_info *ret, struct manifest *ret_m,
	struct err *e)
{
	cleanup(image_info_done) struct image_info info = {0};
	cleanup_json json_t *object = NULL;
	struct manifest m = {0};
	struct digest d;
	char hex[33];
	int r;

	object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object))
		return bad(e, "it is not a JSON object");
	r = version_check(object, e);
	if (r < 0)
		return r;
	r = seal_check(text, bytes, e);
	if (r < 0)
		return r;
	r = info_from_json(object, &info, e);
	if (r < 0)
		return r;
	r = files_from_json(json_object_get(object, "files"), &m, e);
	if (r < 0)
		return r;
	d = manifest_digest(&m);
	digest_hex(&d, hex);
	if (strcmp(hex, info.checksum) != 0)
		return bad(e, "its checksum does not match its list of files");
	*ret = info;
	*ret_m = m;
	info = (struct image_info){0};
	return 0;
}

int manifest_read(int dirfd, struct image_info *ret, struct manifest *ret_m, struct err *e)
{
	cleanup(image_info_done) struct image_info info = {0};
	cleanup_free uint8_t *text = NULL;
	struct manifest m;
	struct stat st;
	size_t bytes;
	int r = image_read_file(dirfd, IMAGE_INFO_NAME, IMAGE_MAX_INFO_BYTES, &text, &bytes, e);

	if (r == -ENOENT)
		return err_set(
			e, r, WHY_BAD_IMAGE, "not a complete image: it has no " IMAGE_INFO_NAME);
	if (r < 0)
		return r;
	r = manifest_parse((const char *)text, bytes, &info, &m, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m.n; i++) {
		if (fstatat(dirfd, m.files[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(e, -EBADMSG, WHY_BAD_IMAGE, "%s: %s", m.files[i].name,
				errno == ENOENT ? "missing" : strerror(errno));
		if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != m.files[i].bytes)
			return err_set(e, -EBADMSG, WHY_BAD_IMAGE,
				"%s is %lld bytes long, " IMAGE_INFO_NAME " says %" PRIu64,
				m.files[i].name, (long long)st.st_size, m.files[i].bytes);
	}
	*ret = info;
	*ret_m = m;
	info = (struct image_info){0};
	return 0;
}

int image_info_read(int dirfd, struct image_info *ret, struct err *e)
{
	struct manifest m;

	return manifest_read(dirfd, ret, &m, e);
}

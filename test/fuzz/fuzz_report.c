/*
 * What a report reads from the job directory. The input is up to six files, cut
 * at lines of "%%"; the page that comes of them is complete, and nothing in it
 * ends its data or is a tag that the report did not write.
 */
#include "fuzz.h"

#include "report/report.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/dev/shm/cragon-fuzz-XXXXXX";

static const char *const names[] = {
	"job.json", "system_metrics.csv", "process_metrics.json", "intercepted.log", "cragon.log"};

static void remove_directory(void)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
}

static void make_directory(void)
{
	if (directory[sizeof directory - 2] != 'X')
		return;
	if (!mkdtemp(directory) || atexit(remove_directory) != 0)
		abort();
}

static void put(int dirfd, const char *name, const uint8_t *data, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* Text from outside has no "<" left: all that is in the page is the report's own. */
static void judge(const struct buf *page)
{
	const char *at = page->data;
	int scripts = 0;

	while ((at = strstr(at, "<script"))) {
		scripts++;
		at++;
	}
	if (scripts != 3 || strlen(page->data) != page->len ||
		strcmp(page->data + page->len - 8, "</html>\n") != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_fd int dirfd = -1;
	cleanup_buf struct buf page = {0};
	struct err e = {0};

	make_directory();
	dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const uint8_t *cut = size ? memmem(data, size, "\n%%\n", 4) : NULL;
		size_t len = cut ? (size_t)(cut - data) + 1 : size;

		put(dirfd, names[i], data, len);
		len = cut ? len + 3 : len;
		data += len;
		size -= len;
	}
	if (report_build(directory, &page, &e) < 0)
		abort();
	judge(&page);
	return 0;
}

/*
 * See ran_until.h. The end that job.json tells, if it does; else the last that
 * cragon wrote: a sample of its metrics, or a piece of an image, while which no
 * samples are taken.
 */
#include "job/ran_until.h"
#include "base/io.h"
#include "job/metrics.h"
#include "store/dirs.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SLACK_NS (10 * NS_PER_SEC)

static uint64_t changed_ns(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtim.tv_sec < 0)
		return 0;
	return (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec;
}

static uint64_t last_image_ns(int jobdir_fd)
{
	int fd = openat(jobdir_fd, STORE_IMAGES_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t last = changed_ns(jobdir_fd, STORE_IMAGES_NAME);
	struct dirent *entry;

	if (fd >= 0 && !dir)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		char name[NAME_MAX + 16];

		snprintf(name, sizeof name, "%s/pages.dat", entry->d_name);
		last = MAX(last, changed_ns(fd, name));
	}
	return last;
}

uint64_t ran_until(const struct journal *j, int jobdir_fd, uint64_t metrics_ns)
{
	uint64_t ended = journal_last_end_ns(j), sampled;

	if (ended)
		return ended;
	sampled = metrics_ns ? changed_ns(jobdir_fd, METRICS_SYSTEM_NAME) : 0;
	if (!sampled)
		return 0;
	return MAX(sampled + 3 * metrics_ns, last_image_ns(jobdir_fd)) + SLACK_NS;
}

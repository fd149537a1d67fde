/*
 * main() for a fuzz target without libFuzzer: runs every file named on the
 * command line, and every file of every directory named there, whole and cut
 * at each of its bytes, or at some thousand of them when it is long.
 */
#include "base/io.h"
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>

#define MAX_INPUT_BYTES (1 << 20)
#define CUTS 2000

static int run_file(int dirfd, const char *name)
{
	cleanup_buf struct buf input = {0};

	if (io_slurp_at(dirfd, name, &input, MAX_INPUT_BYTES) < 0) {
		fprintf(stderr, "cannot read %s\n", name);
		return -1;
	}
	for (size_t k = 0, step = input.len / CUTS + 1; k <= input.len + step - 1; k += step) {
		size_t size = MIN(k, input.len);
		/* A copy of its own, so that the address sanitizer sees its end. */
		cleanup_free uint8_t *copy = malloc(size + !size);

		if (!copy)
			return -1;
		memcpy(copy, input.data, size);
		LLVMFuzzerTestOneInput(copy, size);
	}
	return 1;
}

static int run_path(const char *path)
{
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return run_file(AT_FDCWD, path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (run_file(dirfd(dir), entry->d_name) < 0)
			return -1;
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		int r = run_path(argv[i]);

		if (r < 0)
			return 1;
		n += r;
	}
	printf("%d inputs\n", n);
	return n == 0; /* an empty corpus would be a test that cannot fail */
}

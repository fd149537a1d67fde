/*
 * Writes without pause, appending and at the end of a file, and looks each
 * time whether the file is exactly as long as what it has written: after a
 * resume, what was written after the checkpoint has to be gone.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>

struct log {
	int fd;
	off_t size;
};

static void line(struct log *l, long number)
{
	struct stat st;

	CHECK_EQ(fstat(l->fd, &st), 0);
	CHECK_EQ(st.st_size, l->size);
	CHECK_EQ(dprintf(l->fd, "%09ld\n", number), 10);
	l->size += 10;
}

/* Every line once and in order. */
static void check_lines(const char *path, long count)
{
	FILE *f = fopen(path, "re");
	long number;

	CHECK(f);
	for (long i = 0; i < count; i++) {
		CHECK_EQ(fscanf(f, "%ld", &number), 1);
		CHECK_EQ(number, i);
	}
	CHECK_EQ(fscanf(f, "%ld", &number), EOF);
	fclose(f);
}

int main(void)
{
	struct log appended = {open("appended", O_CREAT | O_WRONLY | O_APPEND | O_EXCL, 0600), 0};
	struct log written = {open("written", O_CREAT | O_WRONLY | O_EXCL, 0600), 0};
	long number = 0;

	CHECK(appended.fd >= 0 && written.fd >= 0);
	for (; number < 100 || !gone_on(); number++) {
		line(&appended, number);
		line(&written, number);
		if (number == 50)
			ready();
		nap_ms(1);
	}
	check_lines("appended", number);
	check_lines("written", number);
	pass();
}

/* An open log that is renamed and begun anew every few rounds, as logrotate does
 * (small enough to be saved, and large enough not to be). */
#include "files.h"

#define ROUNDS 6

struct log {
	const char *name, *old;
	int fd;
	size_t line;
};

static char data[1 << 20], have[1 << 20];

static struct log small = {"small.log", "small.log.1", -1, 100};
static struct log large = {"large.log", "large.log.1", -1, 1 << 20};

static void is(const struct log *l, const char *path, unsigned first, unsigned end)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, (off_t)l->line * (off_t)(end - first));
	for (unsigned n = first; n < end; n++) {
		content_fill(data, l->line, n);
		CHECK_EQ(read(fd, have, l->line), l->line);
		CHECK(memcmp(data, have, l->line) == 0);
	}
	close(fd);
}

static void check_one(const struct log *l, unsigned n)
{
	unsigned begun = n / ROUNDS * ROUNDS;
	struct stat a, b;

	if (n == begun && n) /* to be rotated next */
		begun -= ROUNDS;
	is(l, l->name, begun, n);
	if (begun)
		is(l, l->old, begun - ROUNDS, begun);
	if (n) {
		CHECK_EQ(fstat(l->fd, &a), 0);
		CHECK_EQ(stat(l->name, &b), 0);
		CHECK_EQ(a.st_ino, b.st_ino);
	}
}

static void change_one(struct log *l, unsigned n)
{
	if (n % ROUNDS == 0) {
		if (n)
			CHECK_EQ(rename(l->name, l->old), 0);
		close(l->fd);
		l->fd = open(l->name, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
		CHECK(l->fd >= 0);
	}
	content_fill(data, l->line, n);
	CHECK_EQ(write(l->fd, data, l->line), l->line);
}

static void check(unsigned n)
{
	check_one(&small, n);
	check_one(&large, n);
}

static void change(unsigned n)
{
	change_one(&small, n);
	change_one(&large, n);
	nap_ms(10);
}

int main(void)
{
	CHECK(open("small.log", O_WRONLY | O_CREAT, 0600) >= 0);
	CHECK(open("large.log", O_WRONLY | O_CREAT, 0600) >= 0);
	rounds(check, change);
	pass();
}

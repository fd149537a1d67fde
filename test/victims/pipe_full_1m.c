/* A pipe made 1 MiB large and full to the brim, with a writer blocked on it. */
#include "blocked.h"

#define SIZE (1 << 20)

static int ends[2];
static unsigned char text[SIZE], have[SIZE];

/* Runs once the runner says go: makes room for the blocked writer. */
static void drain(void *arg)
{
	size_t n = 0;

	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), SIZE);
	while (n < SIZE) {
		ssize_t got = read(ends[0], have + n, SIZE - n);

		CHECK(got > 0);
		n += (size_t)got;
	}
	CHECK(memcmp(have, text, SIZE) == 0);
}

int main(void)
{
	struct blocked b;
	char rest[8];

	CHECK_EQ(pipe(ends), 0);
	if (fcntl(ends[1], F_SETPIPE_SZ, SIZE) != SIZE)
		skip("no pipe of 1 MiB for this user");
	for (int i = 0; i < SIZE; i++)
		text[i] = (unsigned char)(i * 11 + i / 4096);
	CHECK_EQ(write(ends[1], text, SIZE), SIZE);
	blocked_begin(&b, SYS_write, drain, NULL);
	CHECK_EQ(write(ends[1], "rest", 4), 4);
	blocked_end(&b);
	CHECK_EQ(read(ends[0], rest, sizeof rest), 4);
	CHECK(memcmp(rest, "rest", 4) == 0);
	pass();
}

/*
 * An open file that has no name any more: content, position and size; shared by
 * two descriptors. It ends inside a page, and much memory follows it.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SIZE 100000
#define HEAP (3 << 20)

int main(void)
{
	static char text[SIZE], have[SIZE];
	int fd = open("gone", O_CREAT | O_RDWR | O_EXCL | O_NOFOLLOW, 0640), again;
	int unnamed = open(".", O_TMPFILE | O_RDWR, 0600); /* as sqlite and tmpfile(3) */
	unsigned *heap = malloc(HEAP);
	struct stat st;

	for (unsigned i = 0; i < HEAP / sizeof *heap; i++)
		heap[i] = i * 2654435761u;
	CHECK(fd >= 0);
	again = open("gone", O_RDONLY);
	CHECK(again >= 0);
	CHECK_EQ(unlink("gone"), 0);
	for (int i = 0; i < SIZE; i++)
		text[i] = (char)(i % 251);
	CHECK_EQ(write(fd, text, SIZE), SIZE);
	CHECK_EQ(ftruncate(fd, SIZE + 5000), 0);
	CHECK_EQ(lseek(fd, 1234, SEEK_SET), 1234);
	CHECK(unnamed >= 0);
	CHECK_EQ(write(unnamed, "never had one", 13), 13);
	ready();
	wait_go();
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1234);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, SIZE + 5000);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_mode & 0777, 0640);
	CHECK_EQ(pread(fd, have, SIZE, 0), SIZE);
	CHECK(memcmp(have, text, SIZE) == 0);
	CHECK_EQ(pread(fd, have, SIZE, SIZE), 5000);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(have[i], 0);
	/* Still one file: what one descriptor writes the other reads. */
	CHECK_EQ(pwrite(fd, "both", 4, 0), 4);
	CHECK_EQ(read(again, have, 4), 4);
	CHECK(memcmp(have, "both", 4) == 0);
	CHECK_EQ(access("gone", F_OK), -1);
	CHECK_EQ(pread(unnamed, have, 14, 0), 13);
	CHECK(memcmp(have, "never had one", 13) == 0);
	CHECK_EQ(pwrite(unnamed, "n", 1, 13), 1);
	for (unsigned i = 0; i < HEAP / sizeof *heap; i++)
		CHECK_EQ(heap[i], i * 2654435761u);
	pass();
}

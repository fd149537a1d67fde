/* Working directory (by identity, not only by name) and umask. */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
	char before[4096], after[4096];
	struct stat there, here, made;
	int fd;

	CHECK_EQ(mkdir("below", 0755), 0);
	CHECK_EQ(mkdir("below/here", 0755), 0);
	CHECK_EQ(chdir("below/here"), 0);
	umask(0157);
	CHECK(getcwd(before, sizeof before));
	CHECK_EQ(stat(".", &there), 0);
	ready();
	wait_go();
	CHECK(getcwd(after, sizeof after));
	CHECK(strcmp(before, after) == 0);
	CHECK_EQ(stat(".", &here), 0);
	CHECK(here.st_ino == there.st_ino && here.st_dev == there.st_dev);
	fd = open("made", O_CREAT | O_EXCL | O_WRONLY, 0777);
	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &made), 0);
	CHECK_EQ(made.st_mode & 0777, 0620);
	CHECK_EQ(access("../../go", F_OK), 0);
	CHECK_EQ(umask(0), 0157);
	pass();
}

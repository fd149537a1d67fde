/* A memfd: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <sys/mman.h>

int main(void)
{
	int fd = memfd_create("victim", 0);
	char text[8];

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "data", 4), 4);
	ready();
	wait_go();
	CHECK_EQ(pread(fd, text, sizeof text, 0), 4);
	CHECK(memcmp(text, "data", 4) == 0);
	pass();
}

/* A pipe in packet mode: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <fcntl.h>

int main(void)
{
	int fd, ends[2];
	char text[8];

	CHECK_EQ(pipe2(ends, O_DIRECT), 0);
	fd = ends[0];
	CHECK_EQ(write(ends[1], "one", 3), 3);
	CHECK_EQ(write(ends[1], "three", 5), 5);
	ready();
	wait_go();
	CHECK_EQ(read(fd, text, sizeof text), 3);
	CHECK_EQ(read(fd, text, sizeof text), 5);
	pass();
}

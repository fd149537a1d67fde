/* A pair of Unix sockets: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <sys/socket.h>

int main(void)
{
	int ends[2];
	char text[8];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CHECK_EQ(send(ends[0], "data", 4, 0), 4);
	ready();
	wait_go();
	CHECK_EQ(recv(ends[1], text, sizeof text, MSG_PEEK), 4);
	CHECK_EQ(recv(ends[1], text, sizeof text, 0), 4);
	pass();
}

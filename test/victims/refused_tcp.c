/* A TCP connection: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <arpa/inet.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), here = socket(AF_INET, SOCK_STREAM, 0), there;
	socklen_t len = sizeof a;
	char text[8];

	CHECK_EQ(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(connect(here, (struct sockaddr *)&a, len), 0);
	there = accept(listener, NULL, NULL);
	CHECK(there >= 0);
	CHECK_EQ(send(here, "data", 4, 0), 4);
	ready();
	wait_go();
	CHECK_EQ(recv(there, text, sizeof text, 0), 4);
	CHECK_EQ(send(there, "back", 4, 0), 4);
	CHECK_EQ(recv(here, text, sizeof text, 0), 4);
	pass();
}

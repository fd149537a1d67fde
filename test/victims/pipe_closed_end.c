/* Pipes with one end closed: what is left is read, then end of file; and EPIPE with SIGPIPE. */
#include "victim.h"

#include <poll.h>
#include <signal.h>

static volatile sig_atomic_t broken;

static void handler(int sig)
{
	broken++;
}

int main(void)
{
	int no_writer[2], no_reader[2];
	char text[8];

	signal(SIGPIPE, handler);
	CHECK_EQ(pipe(no_writer), 0);
	CHECK_EQ(pipe(no_reader), 0);
	CHECK_EQ(write(no_writer[1], "left", 4), 4);
	CHECK_EQ(write(no_reader[1], "lost", 4), 4);
	close(no_writer[1]);
	close(no_reader[0]);
	ready();
	wait_go();
	CHECK_EQ(read(no_writer[0], text, sizeof text), 4);
	CHECK(memcmp(text, "left", 4) == 0);
	CHECK_EQ(read(no_writer[0], text, sizeof text), 0);
	CHECK_EQ(broken, 0);
	CHECK_EQ(write(no_reader[1], "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
	CHECK_EQ(broken, 1);
	struct pollfd p = {.fd = no_reader[1], .events = POLLOUT};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK(p.revents & POLLERR);
	pass();
}

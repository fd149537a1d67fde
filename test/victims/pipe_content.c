/* Bytes that wait in a pipe, in order, without the boundaries changing anything; and flags. */
#include "victim.h"

#include <fcntl.h>

int main(void)
{
	int bytes[2], empty[2];
	char text[100];
	pid_t child;

	CHECK_EQ(pipe(bytes), 0);
	CHECK_EQ(pipe2(empty, O_NONBLOCK | O_CLOEXEC), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK_EQ(write(bytes[1], "first ", 6), 6);
		wait_go();
		CHECK_EQ(write(bytes[1], "third", 5), 5);
		_exit(0);
	}
	nap_ms(30);
	CHECK_EQ(write(bytes[1], "second ", 7), 7);
	ready();
	wait_go();
	reap_ok(child);
	CHECK_EQ(read(bytes[0], text, sizeof text), 18);
	CHECK(memcmp(text, "first second third", 18) == 0);
	CHECK_EQ(read(empty[0], text, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(fcntl(empty[1], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(bytes[0], F_GETFD), 0);
	CHECK_EQ(fcntl(bytes[0], F_GETFL), O_RDONLY);
	CHECK_EQ(fcntl(empty[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	pass();
}

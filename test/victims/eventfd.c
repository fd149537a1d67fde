/* eventfds: counter, semaphore mode, flags, sharing over fork, a blocked reader. */
#include "blocked.h"

#include <sys/eventfd.h>

static void raise_it(void *arg)
{
	CHECK_EQ(eventfd_write(*(int *)arg, 3), 0);
}

int main(void)
{
	int counter = eventfd(0, EFD_NONBLOCK), tickets = eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK);
	int waited_for = eventfd(0, 0), large = eventfd(0, EFD_NONBLOCK);
	struct blocked b;
	eventfd_t value;
	pid_t child;

	CHECK(counter >= 0 && tickets >= 0 && waited_for >= 0 && large >= 0);
	CHECK_EQ(eventfd_write(counter, 41), 0);
	CHECK_EQ(eventfd_write(large, 0xfffffffffffffffeull), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		wait_go();
		CHECK_EQ(eventfd_write(counter, 1), 0);
		_exit(0);
	}
	blocked_begin(&b, SYS_read, raise_it, &waited_for);
	CHECK_EQ(eventfd_read(waited_for, &value), 0);
	CHECK_EQ(value, 3);
	blocked_end(&b);
	reap_ok(child);
	CHECK_EQ(eventfd_read(counter, &value), 0);
	CHECK_EQ(value, 42);
	CHECK_EQ(eventfd_read(counter, &value), -1);
	CHECK_EQ(errno, EAGAIN);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(eventfd_read(tickets, &value), 0);
		CHECK_EQ(value, 1);
	}
	CHECK_EQ(eventfd_read(tickets, &value), -1);
	CHECK_EQ(eventfd_write(large, 1), -1);
	CHECK_EQ(eventfd_read(large, &value), 0);
	CHECK(value == 0xfffffffffffffffeull);
	CHECK_EQ(fcntl(tickets, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(waited_for, F_GETFL) & O_NONBLOCK, 0);
	pass();
}

/* epoll: events, data, level and edge triggered, one-shot, an epoll in an epoll. */
#include "victim.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static void add(int e, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	CHECK_EQ(epoll_ctl(e, EPOLL_CTL_ADD, fd, &event), 0);
}

/* Exactly this one event is there. */
static void expect(int e, uint32_t events, uint64_t data)
{
	struct epoll_event got[8];
	int n = epoll_wait(e, got, 8, 0);

	CHECK_EQ(n, events ? 1 : 0);
	if (n == 1) {
		CHECK_EQ(got[0].events, events);
		CHECK_EQ(got[0].data.u64, data);
	}
}

int main(void)
{
	int level = epoll_create1(EPOLL_CLOEXEC), edge = epoll_create1(0), outer = epoll_create1(0);
	int once = epoll_create1(0);
	int a[2], fd = eventfd(0, EFD_NONBLOCK);
	eventfd_t value;
	char byte;

	CHECK_EQ(pipe(a), 0);
	add(level, a[0], EPOLLIN, 0x1122334455667788ull);
	add(level, fd, EPOLLIN, 7);
	add(edge, a[0], EPOLLIN | EPOLLET, 8);
	add(once, a[0], EPOLLIN | EPOLLONESHOT, 9);
	add(outer, level, EPOLLIN, 10);
	CHECK_EQ(write(a[1], "x", 1), 1);
	expect(once, EPOLLIN, 9); /* used up: disarmed from now on */
	expect(edge, EPOLLIN, 8);
	expect(edge, 0, 0);
	ready();
	wait_go();
	expect(level, EPOLLIN, 0x1122334455667788ull);
	expect(outer, EPOLLIN, 10);
	expect(once, 0, 0);
	CHECK_EQ(read(a[0], &byte, 1), 1);
	expect(level, 0, 0);
	expect(outer, 0, 0);
	CHECK_EQ(eventfd_write(fd, 1), 0);
	expect(level, EPOLLIN, 7);
	CHECK_EQ(eventfd_read(fd, &value), 0);
	/* The kernel may repeat an edge after a resume, but it loses none. */
	struct epoll_event got;
	epoll_wait(edge, &got, 1, 0);
	CHECK_EQ(write(a[1], "y", 1), 1);
	expect(edge, EPOLLIN, 8);
	expect(edge, 0, 0);
	struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 11};
	CHECK_EQ(epoll_ctl(once, EPOLL_CTL_MOD, a[0], &again), 0);
	expect(once, EPOLLIN, 11);
	CHECK_EQ(epoll_ctl(level, EPOLL_CTL_DEL, fd, NULL), 0);
	pass();
}

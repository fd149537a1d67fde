/* Sessions and process groups: a new session, a group of two, and a group whose leader has ended. */
#include "victim.h"

#include <signal.h>

static pid_t member; /* of the group whose leader has ended */

/* A child that waits, checks that its ids are the same, and ends with 0. */
static pid_t start(int (*set_up)(pid_t), pid_t arg)
{
	int said[2];
	char byte;
	pid_t child;

	CHECK_EQ(pipe(said), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK_EQ(set_up(arg), 0);
		pid_t group = getpgrp(), session = getsid(0);
		CHECK_EQ(write(said[1], "x", 1), 1);
		wait_go();
		CHECK_EQ(getpgrp(), group);
		CHECK_EQ(getsid(0), session);
		if (member)
			reap_ok(member);
		_exit(0);
	}
	CHECK_EQ(read(said[0], &byte, 1), 1);
	close(said[0]);
	close(said[1]);
	return child;
}

static int new_session(pid_t unused)
{
	return setsid() < 0;
}

static int join(pid_t group)
{
	return setpgid(0, group);
}

/* In a session of its own with a second group, whose leader then ends; a
 * member that lives on checks that it is still in there. */
static int dead_leader(pid_t unused)
{
	pid_t leader;

	if (setsid() < 0)
		return 1;
	leader = fork();
	if (leader == 0) {
		nap_ms(50);
		_exit(0);
	}
	CHECK(leader > 0);
	CHECK_EQ(setpgid(leader, leader), 0);
	member = fork();
	CHECK(member >= 0);
	if (member == 0) {
		wait_go();
		CHECK_EQ(getpgrp(), leader);
		CHECK_EQ(getsid(0), getppid());
		_exit(0);
	}
	CHECK_EQ(setpgid(member, leader), 0);
	reap_ok(leader);
	return 0;
}

int main(void)
{
	pid_t session, first, second, orphaned;

	session = start(new_session, 0);
	first = start(join, 0);
	second = start(join, first);
	CHECK_EQ(getpgid(second), first);
	orphaned = start(dead_leader, 0);
	ready();
	wait_go();
	CHECK_EQ(getsid(session), session);
	CHECK_EQ(getpgid(session), session);
	CHECK_EQ(getpgid(first), first);
	CHECK_EQ(getpgid(second), first);
	CHECK_EQ(getsid(orphaned), orphaned);
	reap_ok(session);
	reap_ok(first);
	reap_ok(second);
	reap_ok(orphaned);
	pass();
}

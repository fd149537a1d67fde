/* Resource limits, nice value, scheduling policy, CPU affinity, I/O priority, oom_score_adj. */
#include "victim.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>

static int oom_score(void)
{
	char text[16] = "";
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	close(fd);
	return atoi(text);
}

int main(void)
{
	struct rlimit before[RLIM_NLIMITS], now, l;
	struct sched_param none = {0};
	cpu_set_t one, mask;
	long io;
	int last = -1, fd;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &l), 0);
	l.rlim_cur = 203;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &l), 0);
	l = (struct rlimit){1 << 20, 1 << 21};
	CHECK_EQ(setrlimit(RLIMIT_CORE, &l), 0);
	l = (struct rlimit){3l << 30, 4l << 30};
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &l), 0);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		CHECK_EQ(getrlimit(i, &before[i]), 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 7), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &none), 0);
	CHECK_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &mask))
			last = i;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
	io = 2 << 13 | 6; /* best effort, 6 */
	CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, io), 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "321", 3) == 3);
	close(fd);
	ready();
	wait_go();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		CHECK_EQ(getrlimit(i, &now), 0);
		CHECK_EQ(now.rlim_cur, before[i].rlim_cur);
		CHECK_EQ(now.rlim_max, before[i].rlim_max);
	}
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
	CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
	CHECK_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
	CHECK(CPU_EQUAL(&mask, &one));
	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), io);
	CHECK_EQ(oom_score(), 321);
	pass();
}

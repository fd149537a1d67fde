/* The restartable-sequence area stays registered: the kernel keeps writing the CPU number there. */
#include "victim.h"

#include <sched.h>
#include <sys/rseq.h>

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Moves over the allowed CPUs: the number in the area has to follow. */
static void check_follows(void)
{
	cpu_set_t allowed, one;

	CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
		CHECK_EQ(*(volatile uint32_t *)&area()->cpu_id, cpu);
		CHECK_EQ(*(volatile uint32_t *)&area()->cpu_id_start, cpu);
		/* A broken registration does not survive that the kernel looks. */
		area()->cpu_id = 12345;
		nap_ms(1);
		CHECK_EQ(*(volatile uint32_t *)&area()->cpu_id, cpu);
	}
	CHECK_EQ(sched_setaffinity(0, sizeof allowed, &allowed), 0);
}

static void *thread(void *arg)
{
	wait_go();
	check_follows();
	return arg;
}

int main(void)
{
	pthread_t other;

	if (__rseq_size == 0 || (int32_t)area()->cpu_id < 0)
		skip("no restartable sequences here");
	CHECK_EQ(pthread_create(&other, NULL, thread, NULL), 0);
	ready();
	wait_go();
	check_follows();
	CHECK_EQ(pthread_join(other, NULL), 0);
	/* Registered under the very same address: a second time is refused. */
	CHECK_EQ(syscall(SYS_rseq, area(), 32, 0, RSEQ_SIG), -1);
	CHECK_EQ(errno, EBUSY);
	pass();
}

/* POSIX timers: ids (with a hole), clocks, one-shot and periodic, to the process and to a thread, overrun. */
#include "victim.h"

#include <signal.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile sig_atomic_t values[4];
static volatile pid_t hit_thread;
static volatile int checked;

static void handler(int sig, siginfo_t *info, void *context)
{
	if (info->si_value.sival_int == 2)
		hit_thread = gettid();
	if (info->si_code == SI_TIMER && info->si_value.sival_int >= 0 && info->si_value.sival_int < 4)
		values[info->si_value.sival_int]++;
}

/* The kernel's own ids: the C library's timer_t hides them. */
static int create(clockid_t clock, int value, int signo, pid_t tid)
{
	struct sigevent event = {.sigev_notify = tid ? SIGEV_THREAD_ID : SIGEV_SIGNAL,
		.sigev_signo = signo, .sigev_value.sival_int = value};
	int id = -1;

	if (tid)
		event.sigev_notify_thread_id = tid;
	CHECK_EQ(syscall(SYS_timer_create, clock, &event, &id), 0);
	return id;
}

static void arm(int id, int64_t first_ns, int64_t interval_ns)
{
	struct itimerspec when = {{interval_ns / NSEC, interval_ns % NSEC},
		{first_ns / NSEC, first_ns % NSEC}};

	CHECK_EQ(syscall(SYS_timer_settime, id, 0, &when, NULL), 0);
}

static void *thread(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	while (!checked)
		nap_ms(5);
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerspec left;
	volatile pid_t tid = 0;
	pthread_t other;
	int ids[4], hole;
	sigset_t blocked;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + 3);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &blocked, NULL), 0);
	CHECK_EQ(pthread_create(&other, NULL, thread, (void *)&tid), 0);
	while (!tid)
		nap_ms(1);
	ids[0] = create(CLOCK_MONOTONIC, 0, SIGUSR1, 0);
	hole = create(CLOCK_REALTIME, 9, SIGUSR2, 0);
	ids[1] = create(CLOCK_REALTIME, 1, SIGUSR1, 0);
	ids[2] = create(CLOCK_MONOTONIC, 2, SIGUSR1, tid);
	ids[3] = create(CLOCK_PROCESS_CPUTIME_ID, 3, SIGUSR1, 0);
	CHECK_EQ(syscall(SYS_timer_delete, hole), 0);
	int64_t start = now_ns(CLOCK_MONOTONIC);
	arm(ids[0], 1500000000, 0);
	arm(ids[1], 5000 * NSEC, 3 * NSEC);
	ready();
	wait_go();
	CHECK_EQ(values[0], 0);
	CHECK_EQ(syscall(SYS_timer_gettime, ids[1], &left), 0);
	CHECK(left.it_value.tv_sec > 4900 && left.it_interval.tv_sec == 3);
	CHECK_EQ(syscall(SYS_timer_gettime, ids[2], &left), 0);
	CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
	CHECK_EQ(syscall(SYS_timer_gettime, hole, &left), -1);
	CHECK_EQ(errno, EINVAL);
	while (!values[0] && now_ns(CLOCK_MONOTONIC) - start < 10 * NSEC)
		nap_ms(2);
	int64_t took = now_ns(CLOCK_MONOTONIC) - start;
	if (took < 1490000000 || (took > 2100000000 && !new_pids()))
		CHECK_EQ(took / 1000000, 1500);
	/* Those that were not running still know where to go and what to bring. */
	arm(ids[2], 1000000, 0);
	arm(ids[3], 1000000, 0);
	for (start = now_ns(CLOCK_MONOTONIC); now_ns(CLOCK_MONOTONIC) - start < 5 * NSEC;)
		if (values[2] && values[3])
			break;
	CHECK_EQ(values[2], 1);
	CHECK_EQ(values[3], 1);
	if (!new_pids())
		CHECK_EQ(hit_thread, tid);
	checked = 1;
	CHECK_EQ(pthread_join(other, NULL), 0);
	pass();
}

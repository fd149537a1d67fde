/*
 * What becomes of the registers of a thread that was stopped in a system call.
 * The thread is made up; its memory is the test's own.
 */
#include "util.h"

#include "tracee/blocked.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#define RESTARTBLOCK (-516)
#define NOHAND (-514)
#define SYS (-512)

static uint64_t stack[256];

static struct user_regs_struct thread_in(long nr, long result)
{
	return (struct user_regs_struct){
		.orig_rax = (uint64_t)nr,
		.rax = (uint64_t)result,
		.rip = 0x401234,
		.rsp = (uint64_t)(uintptr_t)&stack[200],
	};
}

static void unchanged(struct user_regs_struct regs, int64_t blocked_ns, bool pending, bool restored)
{
	struct user_regs_struct before = regs;

	assert_int_equal(blocked_fix(&regs, getpid(), blocked_ns, pending, restored), 0);
	assert_memory_equal(&regs, &before, sizeof regs);
}

static void issued_again(struct user_regs_struct *regs, int64_t blocked_ns)
{
	long nr = (long)regs->orig_rax;

	assert_int_equal(blocked_fix(regs, getpid(), blocked_ns, false, true), 0);
	assert_int_equal((long)regs->orig_rax, nr);
	assert_int_equal((long)regs->rax, NOHAND);
}

static void what_the_kernel_does_itself_stays(void **state)
{
	unchanged(thread_in(-1, 0), 5, false, true);
	unchanged(thread_in(SYS_read, SYS), 5, false, true);
	unchanged(thread_in(SYS_read, 17), 5, false, true);
	unchanged(thread_in(SYS_select, NOHAND), 5, false, true);
	unchanged(thread_in(SYS_getpid, -EINTR), 5, false, true);
}

static void a_signal_makes_eintr_genuine(void **state)
{
	unchanged(thread_in(SYS_epoll_wait, -EINTR), 5, true, false);
}

/* In place, when it is not known how long it waited, the restart block is better. */
static void unknown_time_is_left_to_the_kernel(void **state)
{
	struct timespec ten = {10, 0}, now;
	struct user_regs_struct regs = thread_in(SYS_nanosleep, RESTARTBLOCK);

	regs.rdi = (uint64_t)(uintptr_t)&ten;
	unchanged(regs, -1, false, false);
	issued_again(&regs, -1); /* in a fresh process there is none: the whole time */
	memcpy(&now, (void *)(uintptr_t)regs.rdi, sizeof now);
	assert_int_equal(now.tv_sec, 10);
}

static void poll_waits_for_the_rest(void **state)
{
	struct user_regs_struct regs = thread_in(SYS_poll, RESTARTBLOCK);

	regs.rdx = 5000;
	issued_again(&regs, 3 * (int64_t)NS_PER_SEC);
	assert_int_equal(regs.rdx, 2000);
	regs = thread_in(SYS_poll, RESTARTBLOCK);
	regs.rdx = 5000;
	issued_again(&regs, 9 * (int64_t)NS_PER_SEC); /* over: looks once more */
	assert_int_equal(regs.rdx, 0);
	regs = thread_in(SYS_epoll_wait, -EINTR);
	regs.r10 = (uint64_t)-1;
	issued_again(&regs, 3 * (int64_t)NS_PER_SEC); /* for ever stays for ever */
	assert_int_equal((int)regs.r10, -1);
}

static void sleep_goes_on_below_the_red_zone(void **state)
{
	struct timespec asked = {10, 500000000}, left;
	struct user_regs_struct regs = thread_in(SYS_nanosleep, RESTARTBLOCK);
	uint64_t place;

	memset(stack, 0x55, sizeof stack);
	regs.rdi = (uint64_t)(uintptr_t)&asked;
	issued_again(&regs, 3 * (int64_t)NS_PER_SEC);
	place = regs.rdi;
	assert_true(place + sizeof left <= regs.rsp - 128);
	assert_true(place % 16 == 0);
	memcpy(&left, (void *)(uintptr_t)place, sizeof left);
	assert_int_equal(left.tv_sec, 7);
	assert_int_equal(left.tv_nsec, 500000000);
	assert_int_equal(asked.tv_sec, 10); /* the program's own stays */
	for (size_t i = 200 - 128 / 8; i < ARRAY_LEN(stack); i++)
		assert_int_equal(stack[i], 0x5555555555555555);
}

static void absolute_times_stay(void **state)
{
	struct timespec then = {1000, 0};
	struct user_regs_struct regs = thread_in(SYS_clock_nanosleep, RESTARTBLOCK);

	regs.rsi = TIMER_ABSTIME;
	regs.rdx = (uint64_t)(uintptr_t)&then;
	issued_again(&regs, 3 * (int64_t)NS_PER_SEC);
	assert_int_equal(regs.rdx, (uint64_t)(uintptr_t)&then);

	regs = thread_in(SYS_futex, RESTARTBLOCK);
	regs.rsi = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
	regs.r10 = (uint64_t)(uintptr_t)&then;
	issued_again(&regs, 3 * (int64_t)NS_PER_SEC);
	assert_int_equal(regs.r10, (uint64_t)(uintptr_t)&then);

	regs = thread_in(SYS_futex, RESTARTBLOCK);
	regs.rsi = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
	regs.r10 = (uint64_t)(uintptr_t)&then;
	issued_again(&regs, 3 * (int64_t)NS_PER_SEC);
	assert_true(regs.r10 != (uint64_t)(uintptr_t)&then);
	assert_int_equal(((struct timespec *)(uintptr_t)regs.r10)->tv_sec, 997);
}

static void unreadable_time_out_is_an_error(void **state)
{
	struct user_regs_struct regs = thread_in(SYS_nanosleep, RESTARTBLOCK);

	regs.rdi = 8;
	assert_int_equal(blocked_fix(&regs, getpid(), 5, false, true), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_kernel_does_itself_stays),
		cmocka_unit_test(a_signal_makes_eintr_genuine),
		cmocka_unit_test(unknown_time_is_left_to_the_kernel),
		cmocka_unit_test(poll_waits_for_the_rest),
		cmocka_unit_test(sleep_goes_on_below_the_red_zone),
		cmocka_unit_test(absolute_times_stay),
		cmocka_unit_test(unreadable_time_out_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

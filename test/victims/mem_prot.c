/* Areas that may be read only, not at all, executed, or only written: content and protection. */
#include "victim.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define SIZE (16 * 4096)

static sigjmp_buf out;

static void handler(int sig)
{
	siglongjmp(out, 1);
}

static bool faults(volatile char *place, bool writing)
{
	if (sigsetjmp(out, 1))
		return true;
	if (writing)
		*place = 1;
	else
		(void)*place;
	return false;
}

static unsigned char *area(void)
{
	unsigned char *a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(a != MAP_FAILED);
	for (int i = 0; i < SIZE; i++)
		a[i] = (unsigned char)(i * 7 + i / 4096);
	return a;
}

static void check_content(const unsigned char *a)
{
	for (int i = 0; i < SIZE; i++)
		CHECK_EQ(a[i], (unsigned char)(i * 7 + i / 4096));
}

int main(void)
{
	static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42,%eax; ret */
	unsigned char *read_only = area(), *none = area(), *runs = area(), *write_only = area();
	int (*function)(void);

	memcpy(runs, code, sizeof code);
	memcpy(&function, &runs, sizeof function);
	CHECK_EQ(mprotect(read_only, SIZE, PROT_READ), 0);
	CHECK_EQ(mprotect(none, SIZE, PROT_NONE), 0);
	CHECK_EQ(mprotect(runs, SIZE, PROT_READ | PROT_EXEC), 0);
	CHECK_EQ(mprotect(write_only, SIZE, PROT_WRITE), 0);
	ready();
	wait_go();
	signal(SIGSEGV, handler);
	CHECK(!faults((char *)read_only, false) && faults((char *)read_only, true));
	CHECK(faults((char *)none, false) && faults((char *)none, true));
	CHECK(!faults((char *)runs, false) && faults((char *)runs, true));
	CHECK_EQ(function(), 42);
	CHECK(!faults((char *)write_only + 1, true));
	CHECK_EQ(mprotect(none, SIZE, PROT_READ), 0);
	CHECK_EQ(mprotect(write_only, SIZE, PROT_READ), 0);
	check_content(read_only);
	check_content(none);
	CHECK_EQ(write_only[1], 1);
	CHECK_EQ(mprotect(write_only, SIZE, PROT_READ | PROT_WRITE), 0);
	write_only[1] = 7;
	check_content(write_only);
	pass();
}

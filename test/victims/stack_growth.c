/* The main stack still grows by itself, up to its limit, and a deep one comes back. */
#include "victim.h"

#include <sys/resource.h>

static int go_down(int depth, int (*check)(void))
{
	volatile char frame[4000];
	int below;

	for (int i = 0; i < (int)sizeof frame; i++)
		frame[i] = (char)(depth + i);
	below = depth > 0 ? go_down(depth - 1, check) : check();
	for (int i = 0; i < (int)sizeof frame; i++)
		CHECK_EQ(frame[i], (char)(depth + i));
	return below + 1;
}

static int at_the_bottom(void)
{
	ready();
	wait_go();
	return 0;
}

static int nothing(void)
{
	return 0;
}

int main(void)
{
	struct rlimit limit;

	CHECK_EQ(go_down(200, at_the_bottom), 201);
	CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
	/* Far below what has ever been touched: 5 MiB of the usual 8. */
	if (limit.rlim_cur >= 8 << 20)
		CHECK_EQ(go_down(1250, nothing), 1251);
	pass();
}

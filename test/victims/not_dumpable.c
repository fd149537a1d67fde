/* A program that made itself not dumpable is checkpointed like any other, and stays so. */
#include "victim.h"

#include <sys/prctl.h>

int main(void)
{
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
	ready();
	wait_go();
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	pass();
}

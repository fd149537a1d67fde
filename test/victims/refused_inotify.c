/* An inotify watch list: refused by name, and untouched by the attempt. */
#include "victim.h"

#include <fcntl.h>
#include <sys/inotify.h>

int main(void)
{
	char buffer[4096];
	int fd = inotify_init1(IN_NONBLOCK);

	CHECK(fd >= 0);
	CHECK(inotify_add_watch(fd, ".", IN_MOVED_TO | IN_CREATE) > 0);
	ready();
	wait_go();
	close(open("made", O_CREAT | O_WRONLY, 0600));
	CHECK(read(fd, buffer, sizeof buffer) >= (ssize_t)sizeof(struct inotify_event));
	pass();
}

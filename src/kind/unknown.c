/* Everything else: refused, with the name a user would know it by. */
#include "kind/kind.h"

#include <string.h>
#include <sys/socket.h>

static const struct {
	const char *prefix, *name;
} names[] = {
	{"anon_inode:[timerfd]", "a timerfd"},
	{"anon_inode:[signalfd]", "a signalfd"},
	{"anon_inode:inotify", "an inotify watch list"},
	{"anon_inode:[fanotify]", "a fanotify watch list"},
	{"anon_inode:[pidfd]", "a pidfd"},
	{"pidfd:", "a pidfd"},
	{"anon_inode:[io_uring]", "an io_uring"},
	{"anon_inode:[userfaultfd]", "a userfaultfd"},
	{"anon_inode:[perf_event]", "a performance counter"},
	{"anon_inode:bpf", "a BPF object"},
	{"anon_inode:kvm", "a virtual machine"},
	{"mnt:", "a namespace"},
	{"net:", "a namespace"},
	{"pid:", "a namespace"},
	{"user:", "a namespace"},
	{"mqueue:", "a POSIX message queue"},
};

/* The socket's family, for the message. */
static const char *socket_name(const struct fd_probe *p)
{
	struct sockaddr_storage_family {
		unsigned short family;
		char rest[126];
	} address;
	socklen_t len = sizeof address;

	if (p->copy < 0 || getsockname(p->copy, (struct sockaddr *)&address, &len) < 0)
		return "a socket";
	switch (address.family) {
	case AF_UNIX:
		return "a Unix socket";
	case AF_INET:
	case AF_INET6:
		return "an Internet socket";
	case AF_NETLINK:
		return "a netlink socket";
	default:
		return "a socket";
	}
}

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	if (S_ISSOCK(p->stat.st_mode)) {
		buf_printf(reason, "%s: not supported yet", socket_name(p));
		return REFUSED;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(p->link, names[i].prefix, strlen(names[i].prefix)) == 0) {
			buf_printf(reason, "%s: not supported yet", names[i].name);
			return REFUSED;
		}
	buf_printf(reason, "%s, a kind that cragon does not know", p->link);
	return REFUSED;
}

const struct kind kind_unknown = {.name = "unknown",
	.limits =
		"refused by name: every socket (Unix, Internet, netlink), timerfd, signalfd, "
		"inotify, "
		"fanotify, pidfd, io_uring, userfaultfd, performance counters, BPF, KVM, namespace "
		"descriptors, POSIX message queues",
	.claim = claim};

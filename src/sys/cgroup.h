/*
 * The memory controller of control groups, version 1 and 2, as far as an ordinary
 * user can read it. Formats: the kernel's Documentation/admin-guide/cgroup-v1/
 * memory.rst and cgroup-v2.rst; /proc/PID/cgroup: cgroups(7).
 */
#ifndef CRAGON_SYS_CGROUP_H
#define CRAGON_SYS_CGROUP_H

#include "base/defs.h"

#include <limits.h>
#include <sys/types.h>

struct cgroup {
	int version;	     /* 0: there is no memory controller here */
	size_t root_len;     /* the mount point's part of path */
	char path[PATH_MAX]; /* directory of the group */
};

#define CGROUP_NO_LIMIT UINT64_MAX

struct cgroup_memory {	      /* of the group whose limit is nearest, bytes */
	uint64_t used;	      /* what counts against the limit */
	uint64_t reclaimable; /* thereof inactive page cache, which goes first */
	uint64_t limit;	      /* CGROUP_NO_LIMIT */
	uint64_t oom_kills;   /* in the process's own group and below, since it was made */
};

/* 0 or -errno; no memory controller is not an error. */
int cgroup_find(pid_t pid, struct cgroup *ret);

/* The same on texts of /proc/PID/cgroup and /proc/self/mountinfo; the directory
 * need not exist. */
int cgroup_parse(const char *cgroups, const char *mounts, struct cgroup *ret);

int cgroup_memory(const struct cgroup *, struct cgroup_memory *ret);

#endif

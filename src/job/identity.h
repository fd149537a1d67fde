/*
 * Who and where: user and host for image names, and what tells this boot's
 * process N from another process N. No NSS: a static executable cannot load
 * the modules of LDAP or SSSD, so the name comes from $USER, $LOGNAME,
 * /etc/passwd, else it is the number.
 */
#ifndef CRAGON_JOB_IDENTITY_H
#define CRAGON_JOB_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct identity {
	char user[64]; /* letters, digits, "._-" only: part of a file name */
	char host[65];
	char boot_id[40];     /* "" when the kernel does not tell */
	char environment[33]; /* XXH3-128 of the sorted environment, hex */
	pid_t pid;
	uint64_t pid_start; /* clock ticks since boot */
};

void identity_self(struct identity *ret);

/* Is process `pid`, started at `pid_start` on `host` in boot `boot_id`, alive
 * here? false also when it is elsewhere. */
bool identity_alive(const struct identity *self, const char *host, const char *boot_id, pid_t pid,
	uint64_t start);

#endif

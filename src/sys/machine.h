/*
 * The machine as a whole, from /proc: counters since boot and present values.
 * Parsers work on text; what a kernel does not have stays 0, shares are -1.
 * Formats: proc(5), Documentation/admin-guide/iostats.rst,
 * Documentation/accounting/psi.rst.
 */
#ifndef CRAGON_SYS_MACHINE_H
#define CRAGON_SYS_MACHINE_H

#include "base/defs.h"

#define MACHINE_CORES_MAX 512

struct machine_core { /* clock ticks since boot */
	uint64_t busy, total;
};

struct machine_sample {
	struct machine_core all;
	struct machine_core core[MACHINE_CORES_MAX];
	unsigned n_cores;
	uint64_t memory_total, memory_available, swap_total, swap_free; /* bytes */
	double psi_cpu, psi_memory, psi_io; /* percent of the last 10 s, some task waited; -1 */
	uint64_t disk_read, disk_written;   /* bytes, whole disks */
	uint64_t net_received, net_sent;    /* bytes, all interfaces but lo */
	double load_1;
};

struct machine { /* files that stay open */
	int fd[8];
};

void machine_open(struct machine *);
void machine_done(struct machine *);
void machine_read(const struct machine *, struct machine_sample *ret);
/* Only the memory's part of it. */
void machine_read_memory(const struct machine *, struct machine_sample *ret);

void machine_parse_stat(const char *text, struct machine_sample *);
void machine_parse_meminfo(const char *text, struct machine_sample *);
double machine_parse_psi(const char *text);
void machine_parse_diskstats(const char *text, struct machine_sample *);
void machine_parse_net(const char *text, struct machine_sample *);

#endif

/* Looks at the machine for the facts. What cannot be read stays unknown. */
#ifndef CRAGON_DIAG_COLLECT_H
#define CRAGON_DIAG_COLLECT_H

#include "diag/diag.h"

#include <sys/types.h>

/* Limits of process `pid` as they are now. */
void collect_limits(struct diag_facts *, pid_t pid);

/* Memory of the machine; host and boot the facts are seen from. */
void collect_machine(struct diag_facts *);

/* Our own cgroup, which is the job's: the limit that holds (of it or of one
 * above), what is used of it, and how often the OOM killer struck. */
void collect_cgroup(struct diag_facts *, uint64_t *ret_oom_kills);

/* The file system of `path`, named `what`; one that is known already is not
 * added again. */
void collect_disk(struct diag_facts *, const char *what, const char *path);

/* Lines of the kernel's log since monotonic time `since_ns` about the process
 * facts->pid or a program of that name. Often only root may read it. */
void collect_kernel_log(struct diag_facts *, uint64_t since_ns);

/* The same for one record of /dev/kmsg ("6,339,5140900,-;text"), for tests. */
void kernel_log_record(struct diag_facts *, uint64_t since_ns, const char *record);

#endif

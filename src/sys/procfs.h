/*
 * Reading /proc. The parsers work on text, so that unit tests and fuzzers run
 * them on captured files; the readers fetch the text of one process. /proc
 * paths take ids as cragon sees them. Formats: proc(5) and the kernel's
 * Documentation/filesystems/proc.rst.
 */
#ifndef CRAGON_SYS_PROCFS_H
#define CRAGON_SYS_PROCFS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define PROC_FILE_MAX (256 * MIB) /* smaps of 100,000 VMAs is about 70 MiB */

/* /proc/PID/<name>, at most PROC_FILE_MAX; text is NUL-terminated. 0 or -errno. */
int proc_read(pid_t pid, const char *name, struct buf *ret);
int proc_read_task(pid_t pid, pid_t tid, const char *name, struct buf *ret);

/* readlink of /proc/PID/<name>; `ret` is appended to and NUL-terminated. */
int proc_link(pid_t pid, const char *name, struct buf *ret);

struct proc_stat {
	char comm[64];
	char state; /* R S D T t Z X I */
	pid_t ppid, pgid, sid;
	int tty;
	int exit_signal;
	uint64_t start_time; /* clock ticks since boot */
	uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	int processor; /* CPU it last ran on */
	int exit_code; /* wait status */
};
int proc_parse_stat(const char *text, struct proc_stat *ret);
int proc_stat(pid_t pid, struct proc_stat *ret);
int proc_stat_task(pid_t pid, pid_t tid, struct proc_stat *ret);

struct proc_status {
	unsigned umask;
	pid_t ns_pid, ns_pgid, ns_sid; /* in the innermost PID namespace */
	int ns_levels;                 /* PID namespaces the process is visible in */
	uint32_t uid[4], gid[4];
	uint32_t *groups; /* malloc'd */
	size_t n_groups;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	bool no_new_privs;
	int seccomp; /* 0 none, 1 strict, 2 filter */
	int seccomp_filters;
	int threads;
	uint64_t vm_locked_kib;
	bool thp_enabled;
};
void proc_status_done(struct proc_status *);
int proc_parse_status(const char *text, struct proc_status *ret);
int proc_status(pid_t pid, struct proc_status *ret);
int proc_status_task(pid_t pid, pid_t tid, struct proc_status *ret);

/* One entry of maps or smaps. */
struct proc_vma {
	uint64_t start, end, offset;
	int protection;   /* PROT_* */
	bool shared;
	bool deleted;     /* the path ended in " (deleted)", which is cut off */
	uint64_t device;  /* makedev(major, minor) */
	uint64_t inode;
	const char *path; /* into the text, NUL-terminated; "" when anonymous */
	char flags[160];  /* VmFlags: space-separated two-letter codes; "" from maps */
};
/* Walks the text, which is modified. 1: *ret is filled, 0: end, -EPROTO: garbage.
 * *cursor starts at the text. */
int proc_next_vma(char **cursor, struct proc_vma *ret);
bool proc_vma_flag(const struct proc_vma *, const char code[static 2]);

/* "key:\tvalue" of an fdinfo text: pointer to the value or NULL. */
const char *proc_field(const char *text, const char *key);

/* Thread ids, or child process ids of all threads. Caller frees *ret. Count or -errno. */
int proc_tasks(pid_t pid, pid_t **ret);
int proc_children(pid_t pid, pid_t **ret);

/* Descriptor numbers, ascending. Caller frees *ret. Count or -errno. */
int proc_fds(pid_t pid, int **ret);

/* When the thread last went on or off a CPU, in nanoseconds of that CPU's own
 * clock (see tracee/waited.h). -ENOENT where the kernel has no sched debug. */
int proc_sched_ns(pid_t pid, pid_t tid, uint64_t *ret);

#endif

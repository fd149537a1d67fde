/*
 * System calls that glibc 2.36 does not wrap (or wraps with policy), and the
 * kernel constants of newer headers. Thin: arguments in, result or -errno out.
 */
#ifndef CRAGON_SYS_CALLS_H
#define CRAGON_SYS_CALLS_H

#include "base/defs.h"

#include <sched.h>
#include <stdbool.h>
#include <signal.h>
#include <sys/types.h>
#include <linux/sched.h>

/* Whether the tester asked us to do as if this kernel lacked something, so that
 * every fall-back can be exercised: CRAGON_WITHOUT holds a comma-separated list
 * of pidns, timens, set_tid, pidfd_getfd, close_range, pagemap_scan, vdso,
 * timer_ids, sched. */
bool sys_without(const char *feature);

/* kcmp(2): 0 same, 1 or 2 ordered, 3 unequal; -errno. idx are descriptors for KCMP_FILE. */
enum { SYS_KCMP_FILE, SYS_KCMP_VM, SYS_KCMP_FILES, SYS_KCMP_FS, SYS_KCMP_SIGHAND, SYS_KCMP_IO,
	SYS_KCMP_SYSVSEM, SYS_KCMP_EPOLL_TFD };
int sys_kcmp(pid_t a, pid_t b, int type, unsigned long idx1, unsigned long idx2);

int sys_pidfd_open(pid_t pid);              /* descriptor or -errno; O_CLOEXEC */
int sys_pidfd_getfd(int pidfd, int fd);     /* a duplicate of the other's descriptor */
int sys_close_range(unsigned first, unsigned last); /* with a fall-back for kernels < 5.9 */
int sys_get_robust_list(pid_t tid, uint64_t *ret_head, uint64_t *ret_bytes);
int sys_ioprio_get(pid_t tid);

/* fork through clone3 with flags; returns as fork does, or -errno. */
pid_t sys_fork(uint64_t flags);

/* PAGEMAP_SCAN, kernel >= 6.7 (include/uapi/linux/fs.h) */
struct sys_page_region {
	uint64_t start, end, categories;
};
struct sys_pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SYS_PAGEMAP_SCAN _IOWR('f', 16, struct sys_pm_scan_arg)
#define SYS_PAGE_IS_FILE (1u << 2)
#define SYS_PAGE_IS_PRESENT (1u << 3)
#define SYS_PAGE_IS_SWAPPED (1u << 4)
#define SYS_PAGE_IS_PFNZERO (1u << 5)

/* prctl(2) numbers */
#define SYS_PR_GET_TID_ADDRESS 40
#define SYS_PR_TIMER_CREATE_RESTORE_IDS 77 /* kernel >= 6.15 */

/* The kernel's struct sigaction on x86-64. */
struct sys_sigaction {
	uint64_t handler, flags, restorer, mask;
};

#endif

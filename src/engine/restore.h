/*
 * A restore in the making: what the steps of restore.c share.
 *
 * Order: check (nothing exists yet); open all files in cragon; start the
 * reaper; build the tree of empty processes (tree.c); give each its address
 * space (space.c); fill memory; give each its other state (task.c); cut files
 * back; let go. A failure at any step kills what was built and leaves files as
 * they were.
 */
#ifndef CRAGON_ENGINE_RESTORE_H
#define CRAGON_ENGINE_RESTORE_H

#include "engine/job.h"
#include "engine/outputs_restore.h"
#include "kind/files.h"
#include "tracee/tracee.h"

#include <sys/resource.h>

#define SCRATCH_BYTES 65536ull
#define SCRATCH_CLONE 0	  /* struct clone_args and the wanted id */
#define SCRATCH_DATA 4096 /* arguments, strings, structures */

struct restored {
	const Cragon__Process *process;
	struct tracee *threads; /* leader first; threads[0] is the process while it is built */
	size_t n_threads;	/* created so far */
	pid_t inner;		/* id inside; the image's own when ids can be chosen */
	bool created;
	taddr scratch;
};

struct restore {
	struct image *image;
	const Cragon__Image *meta;
	struct notes notes;
	struct files_restore files;
	struct outputs_restore outputs;
	struct buf remarks; /* lines for the log */
	struct reaper reaper;
	struct tracee above;	    /* the reaper as a tracee */
	struct restored *processes; /* as many as meta->n_process */
	int fd_base;
	const struct rlimit *limits; /* RLIM_NLIMITS, of where restart was called; may be NULL */
	bool choose_ids;
	bool new_vdso; /* this kernel's vdso differs: jump stubs */
};

/* check.c: is this image for this machine, and are its files still there? */
int restore_check(struct restore *, struct err *);
/* check_files.c: those it only reads must be what they were. */
int restore_check_files(const struct restore *, struct err *);

/* tree.c */
int restore_tree(struct restore *, struct err *);
int restore_zombies(struct restore *, struct err *);
int restore_stopped(struct restore *, struct err *);
/* The new id of what the image calls `pid`; 0 stays 0. */
pid_t restore_id(const struct restore *, pid_t pid);

/* space.c */
int restore_exec(struct restore *, struct restored *, struct err *);
int restore_space(struct restore *, struct restored *, struct err *);
int restore_fill(struct restore *, struct err *);
int restore_protect(struct restored *, struct err *);

/* vdso.c: machine code of `image_vdso` patched so that each of its entry points
 * jumps to the same function of the vdso at `there` (`now`, of `now_len` bytes). */
int vdso_make_stubs(
	uint8_t *image_vdso, size_t image_len, const uint8_t *now, size_t now_len, uint64_t there);

/* limits.c */
void restore_limits(struct restore *, struct restored *);
void restore_outside_limits(const struct restore *);

/* owners.c: locks that name their owner, when threads have new ids */
int restore_owners(struct restore *, struct err *);

/* task.c */
int restore_process_state(struct restore *, struct restored *, struct err *);
int restore_threads(struct restore *, struct restored *, struct err *);
int restore_signals(struct restore *, struct restored *, struct err *);

/* clone in the tracee `by`, whose scratch area is at `scratch`: the new task gets
 * the id `wanted` where ids can be chosen (clone3, kernel >= 5.5; before that by
 * way of ns_last_pid). The child is adopted and prepared. 0 or -errno. */
int restore_clone(struct restore *, struct tracee *by, taddr scratch, uint64_t flags,
	int exit_signal, pid_t wanted, struct tracee *child, struct err *);

/* Writes to the process's scratch area at `offset`; its address. 0 or -errno. */
int scratch_put(struct restored *, uint64_t offset, const void *data, size_t len);

#endif

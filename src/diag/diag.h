/*
 * Why a run ended. `struct diag_facts` is what was seen at the end of an attempt;
 * it is kept in job.json (attempts[].facts), so that the answer is the same a
 * year later. diag_evaluate() makes the answer of it: pure, no I/O, one table of
 * rules in order of priority (rules.c).
 *
 * In the facts, 0 and "" mean "not known" unless said otherwise. Times are real
 * time in nanoseconds.
 */
#ifndef CRAGON_DIAG_DIAG_H
#define CRAGON_DIAG_DIAG_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* name, text, resumed by itself (product contract) */
#define DIAG_CAUSES(X)                                           \
	X(DONE, "done", false)                                   \
	X(EXIT_NONZERO, "exit-nonzero", false)                   \
	X(ALLOCATION_FAILED, "allocation-failed", true)          \
	X(OOM_KILLED, "oom-killed", true)                        \
	X(MEMORY_LIMIT, "memory-limit", true)                    \
	X(TIME_LIMIT, "time-limit", true)                        \
	X(CPU_LIMIT, "cpu-limit", false)                         \
	X(FILE_SIZE_LIMIT, "file-size-limit", false)             \
	X(DISK_FULL, "disk-full", true) /* once space is back */ \
	X(CRASH, "crash", false)                                 \
	X(ABORT, "abort", false)                                 \
	X(PREEMPTED, "preempted", true)                          \
	X(CANCELLED, "cancelled-by-user", false)                 \
	X(NODE_LOST, "node-lost", true)                          \
	X(MISSING, "missing-library-or-file", false)             \
	X(CPU_FEATURE, "cpu-feature", false)                     \
	X(HUNG, "hung", false)                                   \
	X(UNKNOWN, "unknown", false)

enum diag_cause {
#define X(name, text, recoverable) DIAG_##name,
	DIAG_CAUSES(X)
#undef X
		DIAG_CAUSE_COUNT
};

enum diag_how { DIAG_RUNNING, DIAG_EXIT, DIAG_SIGNAL, DIAG_STOPPED, DIAG_LOST };

/* Why Cragon ended the job itself; the texts are job.json's (job/supervise.h). */
#define DIAG_STOPS(X)                   \
	X(NONE, "none")                 \
	X(REQUEST, "request")           \
	X(TIME_LIMIT, "time-limit")     \
	X(CPU_LIMIT, "cpu-limit")       \
	X(MEMORY_LIMIT, "memory-limit") \
	X(ALLOCATION, "allocation")     \
	X(SCHEDULER, "scheduler")       \
	X(USER, "user")                 \
	X(HANG, "hang")

enum diag_stop {
#define X(name, text) DIAG_STOP_##name,
	DIAG_STOPS(X)
#undef X
};

/* name in JSON, resource, what "ulimit" calls it */
#define DIAG_LIMITS(X)                 \
	X(AS, "as", "ulimit -v")       \
	X(DATA, "data", "ulimit -d")   \
	X(STACK, "stack", "ulimit -s") \
	X(CPU, "cpu", "ulimit -t")     \
	X(FSIZE, "fsize", "ulimit -f") \
	X(NOFILE, "nofile", "ulimit -n")

enum diag_resource {
#define X(name, text, shell) DIAG_LIMIT_##name,
	DIAG_LIMITS(X)
#undef X
		DIAG_LIMIT_COUNT
};

#define DIAG_UNLIMITED UINT64_MAX

struct diag_limit { /* bytes, seconds or files; of COMMAND */
	bool known;
	uint64_t soft, hard; /* DIAG_UNLIMITED */
};

struct diag_memory { /* bytes; the last that was seen */
	uint64_t job_rss, job_peak, growth_per_s;
	uint64_t available, total, swap_free, swap_total; /* machine */
	uint64_t cgroup_current, cgroup_limit;
	uint64_t oom_kills_before, oom_kills_after; /* of the cgroup, 0 if unknown */
	uint64_t memory_max;			    /* --memory-max */
};

struct diag_signal { /* one that came to cragon and was meant for the job */
	int number;
	pid_t pid; /* of the sender, 0: the kernel or another namespace */
	uid_t uid;
	bool terminal; /* Ctrl-C, hang-up */
	uint64_t time_ns;
};

struct diag_call { /* a failed allocation */
	char function[24];
	uint64_t bytes;
	int error; /* errno */
	bool held;
	uint64_t time_ns;
};

struct diag_disk {     /* a file system that matters; known when path is set */
	char what[24]; /* "job directory", "current directory", "TMPDIR" */
	char path[256];
	uint64_t free_bytes, total_bytes, free_inodes, total_inodes;
};

/* Where the address of a fault is. */
enum diag_place {
	PLACE_UNKNOWN,
	PLACE_NULL,	     /* in or near page 0 */
	PLACE_STACK,	     /* right below the stack: overflow */
	PLACE_WILD,	     /* no mapping */
	PLACE_MAPPED,	     /* mapped, but not for this access */
	PLACE_NOT_CANONICAL, /* no address at all; the kernel tells 0 */
};

struct diag_crash { /* known when signal is set */
	int signal, code;
	pid_t pid, sender; /* sender: code <= 0 */
	uint64_t address, ip, sp, time_ns;
	char access; /* r, w, x, or 0: unknown */
	enum diag_place place;
	char target[200];	       /* mapping of the address: path or "[heap]" */
	char target_mode[8];	       /* "r-xp" */
	uint64_t target_beyond;	       /* SIGBUS: bytes behind the end of the file */
	char module[256];	       /* file of the instruction */
	uint64_t offset;	       /* in the file */
	char function[128], line[256]; /* "main", "solver.c:42" */
	uint8_t bytes[16];
	uint8_t n_bytes;
	char feature[24];     /* what the instruction needs of the CPU: "AVX-512F" */
	bool feature_lacking; /* and this CPU does not have it */
	char message[256];    /* of abort(), an assertion */
};

#define DIAG_SIGNALS_MAX 4
#define DIAG_CALLS_MAX 4
#define DIAG_DISKS_MAX 4
#define DIAG_STDERR_MAX 4096

struct diag_facts {
	enum diag_how how;
	int exit_code; /* DIAG_EXIT: COMMAND's */
	int signal;    /* DIAG_SIGNAL */
	enum diag_stop stop;
	uint64_t wanted_bytes;		      /* DIAG_STOP_ALLOCATION */
	uint64_t image;			      /* newest to resume from, 0: none */
	uint64_t from_image;		      /* this attempt was resumed from it */
	char host[65], boot_id[40];	      /* of the attempt */
	char seen_host[65], seen_boot_id[40]; /* where the facts were gathered */
	uint64_t started_ns, ended_ns;
	uint64_t cpu_ns; /* all processes of the job */
	pid_t pid;	 /* of COMMAND, as the kernel's log names it */
	char program[64];
	struct diag_limit limit[DIAG_LIMIT_COUNT];
	struct diag_memory memory;
	struct diag_signal signals[DIAG_SIGNALS_MAX]; /* the last ones, oldest first */
	size_t n_signals;
	struct diag_call calls[DIAG_CALLS_MAX];
	size_t n_calls;
	uint64_t failed_calls; /* all of them */
	struct diag_disk disks[DIAG_DISKS_MAX];
	size_t n_disks;
	char scheduler[16];   /* "slurm"; "": none */
	uint64_t time_end_ns; /* end of the time limit, of whoever set it */
	char kernel_oom[256]; /* line of the kernel's log about this job */
	char kernel_fault[256];
	struct diag_crash crash;
	char stderr_tail[DIAG_STDERR_MAX + 1];
};

#define DIAG_EVIDENCE_MAX 12
#define DIAG_LINE_MAX 320

struct diagnosis {
	enum diag_cause cause;
	bool recoverable;
	char evidence[DIAG_EVIDENCE_MAX][DIAG_LINE_MAX];
	size_t n_evidence;
	char remedy[DIAG_LINE_MAX];
};

const char *diag_cause_name(enum diag_cause);
bool diag_cause_recoverable(enum diag_cause);
/* DIAG_UNKNOWN for what is no cause. */
enum diag_cause diag_cause_of(const char *name);
const char *diag_stop_name(enum diag_stop);
enum diag_stop diag_stop_of(const char *name);

/* NULL when out of memory. What is not known is left out. */
json_t *diag_facts_to_json(const struct diag_facts *);
/* Fills *ret (zeroed first) with what has the right type and size; a damaged
 * value counts as not known. */
void diag_facts_from_json(const json_t *, struct diag_facts *ret);

void diag_evaluate(const struct diag_facts *, struct diagnosis *ret);

json_t *diag_to_json(const struct diagnosis *);
int diag_from_json(const json_t *, struct diagnosis *ret); /* -EPROTO: not a diagnosis */
/* Lines for a person: cause, evidence, remedy. */
void diag_print(const struct diagnosis *, struct buf *out);

/* Keeps the last DIAG_STDERR_MAX bytes, from the beginning of a line on; bytes
 * that are no text become '?'. */
void diag_set_stderr(struct diag_facts *, const char *text, size_t len);
void diag_add_signal(struct diag_facts *, const struct diag_signal *);
void diag_add_call(struct diag_facts *, const struct diag_call *);

#endif

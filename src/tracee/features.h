/*
 * What this kernel lets us do, found by trying, never by version number. The
 * probes run in short-lived children, so that nothing of the caller changes.
 */
#ifndef CRAGON_SYS_FEATURES_H
#define CRAGON_SYS_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

/* 0: works; else the negative errno of the step that failed. */
struct features {
	int ptrace;	/* seize, stop and read a child's registers */
	int yama_scope; /* 0..3; -1: no Yama */
	int rseq;	/* PTRACE_GET_RSEQ_CONFIGURATION */
	int vm_readv;	/* process_vm_readv of a child */
	int kcmp;
	int pidfd_getfd;
	int sched_times;    /* /proc/PID/task/TID/sched */
	int user_namespace; /* with our id mapped */
	int pid_namespace;  /* inside a user namespace of our own */
	int own_proc;	    /* /proc mounted in there */
	int set_tid;	    /* clone3 with a chosen id in there */
	int time_namespace; /* unshared in there, offsets written */
	int pagemap_scan;
	int overcommit; /* /proc/sys/vm/overcommit_memory; -1 unknown */
};

void features_probe(struct features *ret);

#endif

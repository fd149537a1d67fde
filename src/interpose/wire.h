/*
 * What the preloaded object and cragon tell each other. One record per failed
 * call goes through the FIFO `calls`; records are smaller than PIPE_BUF, so that
 * writers never mix (pipe(7)). Both sides come from one build, but a job resumed
 * by a newer cragon has the older object: new functions are added at the end,
 * and `version` changes when the layout does.
 *
 * Environment of the job: CRAGON_INTERCEPT=hold:DIR or fail:DIR. In DIR:
 *   calls      FIFO, object to cragon
 *   hold       FIFO that held threads read: end of file lets them try again
 *   pass       when it exists, failures are not held (any more)
 *   crash.PID  written when a process dies of a fault
 */
#ifndef CRAGON_INTERPOSE_WIRE_H
#define CRAGON_INTERPOSE_WIRE_H

#include <stdint.h>

#define WIRE_ENVIRONMENT "CRAGON_INTERCEPT"
#define WIRE_CALLS "calls"
#define WIRE_HOLD "hold"
#define WIRE_PASS "pass"
#define WIRE_CRASH "crash."
#define WIRE_MAGIC 0x6c6c6163u /* "call" */
#define WIRE_VERSION 1

/* name, arguments that are reported, what it returns ("errno": the number) */
#define WIRE_FUNCTIONS(X)             \
	X(malloc, 1, "0x0")           \
	X(calloc, 2, "0x0")           \
	X(realloc, 2, "0x0")          \
	X(reallocarray, 3, "0x0")     \
	X(posix_memalign, 2, "errno") \
	X(aligned_alloc, 2, "0x0")    \
	X(memalign, 2, "0x0")         \
	X(valloc, 1, "0x0")           \
	X(pvalloc, 1, "0x0")          \
	X(mmap, 5, "-1")              \
	X(mmap64, 5, "-1")            \
	X(mremap, 4, "-1")            \
	X(brk, 1, "-1")               \
	X(sbrk, 1, "-1")              \
	X(pthread_create, 1, "errno")

enum wire_function {
#define X(name, arguments, returned) CALL_##name,
	WIRE_FUNCTIONS(X)
#undef X
		CALL_COUNT
};

/* Why a failure was not held. */
#define WIRE_REASONS(X)                               \
	X(HELD, "held")                               \
	X(OTHER_ERROR, "not for lack of memory")      \
	X(ABSURD, "larger than the machine's memory") \
	X(RESERVATION, "a reservation of addresses")  \
	X(IN_PLACE, "growth in place only")           \
	X(LAYOUT, "no room at that address")          \
	X(THREADS, "too many threads or processes")   \
	X(MODE, "--on-memory fail")                   \
	X(PASSED, "could not be held any longer")     \
	X(UNREACHABLE, "cragon could not be reached")

enum wire_reason {
#define X(name, text) REASON_##name,
	WIRE_REASONS(X)
#undef X
		REASON_COUNT
};

struct wire_call {
	uint32_t magic;
	uint16_t version, function; /* enum wire_function */
	int32_t pid, tid;	    /* as the job sees them */
	int32_t error;		    /* errno */
	uint32_t reason;	    /* enum wire_reason; REASON_HELD: a thread waits */
	uint64_t bytes;		    /* wanted, 0 when not to be told */
	uint64_t argument[5];
	uint64_t caller;    /* return address */
	uint64_t dropped;   /* records of this process that found the FIFO full */
	uint64_t waits_for; /* held: inode of the FIFO `hold` that the thread reads */
};

#endif

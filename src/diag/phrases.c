/*
 * What programs write to standard error about what ended them: texts of the C
 * library (always in English: only the C locale is looked for), of language
 * runtimes and of common libraries.
 */
#include "diag/rules.h"
#include "diag/text.h"

#include <string.h>

#define LAST 12 /* lines: weak phrases count only close to the end */

#define JAVA_HEAP "raise the Java heap with -Xmx; that is the JVM's own limit, not the machine's"
#define CUDA "this is the GPU's memory, not the machine's: a smaller batch or another device"
#define INSTALL "install it, or load its module, and run again"
#define LIBRARY                                                                                 \
	"install the library, or name its directory in LD_LIBRARY_PATH (module load), and run " \
	"again"

static const struct phrase phrases[] = {
	{DIAG_ALLOCATION_FAILED, "java.lang.OutOfMemoryError", 0, JAVA_HEAP},
	{DIAG_ALLOCATION_FAILED, "CUDA out of memory", 0, CUDA},
	{DIAG_ALLOCATION_FAILED, "CUDA_ERROR_OUT_OF_MEMORY", 0, CUDA},
	{DIAG_ALLOCATION_FAILED, "std::bad_alloc", 0, NULL},
	{DIAG_ALLOCATION_FAILED, "MemoryError", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "_ArrayMemoryError", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "Cannot allocate memory", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "runtime: out of memory", 0, NULL},
	{DIAG_ALLOCATION_FAILED, "runtime: cannot allocate memory", 0, NULL},
	{DIAG_ALLOCATION_FAILED, "Allocation would exceed memory limit", 0, NULL},
	{DIAG_ALLOCATION_FAILED, "Error allocating", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "insufficient virtual memory", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "annot allocate vector", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "memory exhausted", LAST, NULL},
	{DIAG_ALLOCATION_FAILED, "memory allocation of ", LAST, NULL}, /* Rust */
	{DIAG_ALLOCATION_FAILED, "JavaScript heap out of memory", 0,
		"raise the heap with --max-old-space-size; that is node's own limit"},
	{DIAG_ALLOCATION_FAILED, "ut of memory", LAST, NULL},

	{DIAG_DISK_FULL, "No space left on device", LAST, NULL},
	{DIAG_DISK_FULL, "Disk quota exceeded", LAST,
		"delete files of yours or ask for more quota; cragon restart continues then"},
	{DIAG_DISK_FULL, "Errno 28]", LAST, NULL},
	{DIAG_DISK_FULL, "Errno 122]", LAST, NULL},

	{DIAG_FILE_SIZE_LIMIT, "File too large", LAST, NULL},
	{DIAG_FILE_SIZE_LIMIT, "File size limit exceeded", LAST, NULL},

	{DIAG_CPU_FEATURE, "CPU does not support x86-64-v", 0, NULL}, /* glibc */
	{DIAG_CPU_FEATURE, "CPU ISA level is lower than required", 0, NULL},
	{DIAG_CPU_FEATURE, "operating system and the processor support Intel", 0, NULL},
	{DIAG_CPU_FEATURE, "processor does not have the exact support expected", 0, NULL},
	{DIAG_CPU_FEATURE, "baseline optimizations", LAST, NULL}, /* numpy */
	{DIAG_CPU_FEATURE, "Illegal instruction", LAST, NULL},

	{DIAG_MISSING, "error while loading shared libraries", LAST, LIBRARY},
	{DIAG_MISSING, "cannot open shared object file", LAST, LIBRARY},
	{DIAG_MISSING, "symbol lookup error", LAST,
		"another version of the library is found than the program was built with: see ldd"},
	{DIAG_MISSING, "' not found (required by", LAST,
		"the program was built on a newer system: build it here, or run it there"},
	{DIAG_MISSING, "ModuleNotFoundError", LAST, INSTALL},
	{DIAG_MISSING, "ImportError", LAST, INSTALL},
	{DIAG_MISSING, "there is no package called", LAST, INSTALL}, /* R */
	{DIAG_MISSING, "Can't locate ", LAST, INSTALL},		     /* Perl */
	{DIAG_MISSING, "ClassNotFoundException", LAST, INSTALL},
	{DIAG_MISSING, "Could not find or load main class", LAST, INSTALL},
	{DIAG_MISSING, "Unable to access jarfile", LAST, NULL},
	{DIAG_MISSING, "FileNotFoundError", LAST, NULL},
	{DIAG_MISSING, "command not found", LAST, INSTALL},
	{DIAG_MISSING, ": not found", 2, INSTALL}, /* dash */
	{DIAG_MISSING, "No such file or directory", 4, NULL},

	/* The program's own words for giving up, in the order of how much they say. */
	{DIAG_ABORT, "Assertion `", 0, NULL}, /* glibc: assert() */
	{DIAG_ABORT, "terminate called", 0, NULL},
	{DIAG_ABORT, "what():", 0, NULL},
	{DIAG_ABORT, "panicked at", 0, NULL},
	{DIAG_ABORT, "*** stack smashing detected", 0, NULL},
	{DIAG_ABORT, "*** buffer overflow detected", 0, NULL},
	{DIAG_ABORT, "free(): ", 0, NULL},
	{DIAG_ABORT, "malloc(): ", 0, NULL},
	{DIAG_ABORT, "corrupted ", 0, NULL},
	{DIAG_ABORT, "Fatal Python error", 0, NULL},
	{DIAG_ABORT, "Assertion", 0, NULL},
};

static const char *phrase_at(const struct diag_facts *f, const struct phrase *p)
{
	const char *from = p->lines ? text_last_lines(f->stderr_tail, p->lines) : f->stderr_tail;

	return strstr(from, p->text);
}

const struct phrase *phrase_find(const struct diag_facts *f, enum diag_cause cause)
{
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].cause == cause && phrase_at(f, &phrases[i]))
			return &phrases[i];
	return NULL;
}

void phrase_line(const struct diag_facts *f, const struct phrase *p, char *to, size_t cap)
{
	const char *at = phrase_at(f, p);

	*to = 0;
	if (at)
		text_line_at(f->stderr_tail, at, to, cap);
}

/* A fault in words: what was accessed, where that is, which instruction. */
#include "diag/crash.h"
#include "diag/text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

static void say(struct diagnosis *d, const char *fmt, ...) printf_like(2, 3);
static void say(struct diagnosis *d, const char *fmt, ...)
{
	char line[2 * DIAG_LINE_MAX];
	va_list ap;

	if (d->n_evidence == DIAG_EVIDENCE_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	text_copy(d->evidence[d->n_evidence++], DIAG_LINE_MAX, line, sizeof line);
}

static const char *access_text(char access)
{
	switch (access) {
	case 'r':
		return "reading";
	case 'w':
		return "writing";
	case 'x':
		return "executing";
	default:
		return "using";
	}
}

static void mapped_words(const struct diag_crash *c, char *to, size_t cap)
{
	if (c->access == 'w' && !strchr(c->target_mode, 'w'))
		snprintf(to, cap, "in read-only memory of %s", c->target);
	else if (c->access == 'x')
		snprintf(to, cap, "in data, not code, of %s", c->target);
	else if (!strcmp(c->target_mode, "---"))
		snprintf(to, cap, "in memory without access rights of %s", c->target);
	else
		snprintf(to, cap, "in %s (%s)", c->target, c->target_mode);
}

static void place_words(const struct diag_crash *c, char *to, size_t cap)
{
	switch (c->place) {
	case PLACE_NULL:
		snprintf(to, cap,
			c->address ? "close to 0: a member of what a null pointer points to"
				   : "a null pointer");
		break;
	case PLACE_STACK:
		snprintf(to, cap,
			"right below the stack: it overflowed (endless recursion, or large local "
			"arrays: "
			"ulimit -s)");
		break;
	case PLACE_WILD:
		snprintf(to, cap, "where nothing is mapped: a wild or dangling pointer");
		break;
	case PLACE_MAPPED:
		mapped_words(c, to, cap);
		break;
	case PLACE_NOT_CANONICAL:
	case PLACE_UNKNOWN:
		*to = 0;
		break;
	}
}

static void bus_words(const struct diag_crash *c, struct diagnosis *d)
{
	if (c->code == BUS_ADRALN)
		say(d, "SIGBUS: an address that is not aligned as the instruction needs it");
	else if (c->target_beyond)
		say(d,
			"SIGBUS: %s address 0x%" PRIx64 ", %" PRIu64
			" bytes beyond the end of the mapped file %s: it was cut back",
			access_text(c->access), c->address, c->target_beyond, c->target);
	else if (c->target[0])
		say(d,
			"SIGBUS: %s address 0x%" PRIx64
			" of the mapped file %s: the file was shorter, "
			"its disk full, or its device failed",
			access_text(c->access), c->address, c->target);
	else
		say(d, "SIGBUS at address 0x%" PRIx64, c->address);
}

static void fpe_words(const struct diag_crash *c, struct diagnosis *d)
{
	static const char *const codes[] = {[FPE_INTDIV] = "integer division by zero",
		[FPE_INTOVF] = "integer overflow",
		[FPE_FLTDIV] = "floating-point division by zero",
		[FPE_FLTOVF] = "floating-point overflow",
		[FPE_FLTUND] = "floating-point underflow",
		[FPE_FLTRES] = "inexact floating-point result",
		[FPE_FLTINV] = "invalid floating-point operation"};

	if (c->code > 0 && (size_t)c->code < ARRAY_LEN(codes))
		say(d, "SIGFPE: %s", codes[c->code]);
	else
		say(d, "SIGFPE");
}

static void ill_words(const struct diag_crash *c, struct diagnosis *d)
{
	char bytes[3 * sizeof c->bytes + 1] = "?";

	for (size_t i = 0; i < c->n_bytes; i++)
		snprintf(bytes + 3 * i, 4, "%02x ", c->bytes[i]);
	bytes[c->n_bytes ? 3 * c->n_bytes - 1 : 1] = 0;
	if (insn_is_trap(c->bytes, c->n_bytes))
		say(d,
			"SIGILL: an instruction that a compiler puts where the program must not "
			"come "
			"(failed check, unreachable code): %s",
			bytes);
	else
		say(d, "SIGILL: the processor does not know the instruction %s", bytes);
	if (!c->feature[0])
		return;
	say(d, "it belongs to %s%s", c->feature,
		c->feature_lacking ? ", which this processor does not have" : "");
	if (*insn_missing_on(c->feature))
		say(d, "without %s: %s", c->feature, insn_missing_on(c->feature));
}

static void segv_words(const struct diag_crash *c, struct diagnosis *d)
{
	char place[2 * DIAG_LINE_MAX];

	place_words(c, place, sizeof place);
	if (c->place == PLACE_NOT_CANONICAL)
		say(d, "SIGSEGV: an address that no memory can have: a corrupted pointer, or "
		       "misaligned SSE data");
	else
		say(d, "SIGSEGV: %s address 0x%" PRIx64 "%s%s%s", access_text(c->access),
			c->address, *place ? " (" : "", place, *place ? ")" : "");
}

static void where(const struct diag_crash *c, struct diagnosis *d)
{
	if (!c->module[0] && c->ip && c->n_bytes == 0)
		say(d, "the instruction pointer was 0x%" PRIx64, c->ip);
	else if (!c->module[0] && c->ip)
		say(d, "the instruction pointer was 0x%" PRIx64 ", where no file is mapped", c->ip);
	else if (c->module[0])
		say(d, "in %s%s%s%s%s+0x%" PRIx64, c->function, c->function[0] ? " " : "", c->line,
			c->line[0] ? ", " : "", c->module, c->offset);
}

/* The place says nothing then: it is where the signal was sent. */
static void sent_words(const struct diag_crash *c, struct diagnosis *d)
{
	if (c->sender == c->pid)
		say(d, "the program sent the signal to itself, as a handler of its own does after "
		       "a fault");
	else
		say(d, "the signal was sent by process %d", (int)c->sender);
}

void crash_words(const struct diag_crash *c, struct diagnosis *d)
{
	if (c->code <= 0) {
		sent_words(c, d);
		return;
	}
	if (c->signal == SIGSEGV)
		segv_words(c, d);
	else if (c->signal == SIGBUS)
		bus_words(c, d);
	else if (c->signal == SIGFPE)
		fpe_words(c, d);
	else if (c->signal == SIGILL)
		ill_words(c, d);
	where(c, d);
}

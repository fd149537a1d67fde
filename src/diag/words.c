/*
 * Evidence and remedy in words, a function per rule. A line of evidence is one
 * thing that was seen; the remedy is one thing to do.
 */
#include "diag/crash.h"
#include "diag/rules.h"
#include "diag/text.h"
#include "base/units.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

static void say(struct diagnosis *d, const char *fmt, ...) printf_like(2, 3);
static void remedy(struct diagnosis *d, const char *fmt, ...) printf_like(2, 3);

/* Through text_copy(), so that nothing is cut in the middle of a character. */
static void printf_like(2, 0) add_text(char *to, const char *fmt, va_list ap)
{
	char line[2 * DIAG_LINE_MAX];

	vsnprintf(line, sizeof line, fmt, ap);
	text_copy(to, DIAG_LINE_MAX, line, sizeof line);
}

static void say(struct diagnosis *d, const char *fmt, ...)
{
	va_list ap;

	if (d->n_evidence == DIAG_EVIDENCE_MAX)
		return;
	va_start(ap, fmt);
	add_text(d->evidence[d->n_evidence++], fmt, ap);
	va_end(ap);
}

static void remedy(struct diagnosis *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_text(d->remedy, fmt, ap);
	va_end(ap);
}

/* "SIGSEGV (Segmentation fault)" */
static const char *signal_text(int sig, char out[static 64])
{
	const char *name = sigabbrev_np(sig), *what = sigdescr_np(sig);

	snprintf(out, 64, "%s%s (%s)", name ? "SIG" : "signal ", name ? name : "",
		what ? what : "unknown");
	if (!name)
		snprintf(out, 64, "signal %d", sig);
	return out;
}

/* ---- lines that several causes share ------------------------------------------------ */

static void say_ending(const struct diag_facts *f, struct diagnosis *d)
{
	char text[64];
	int sig = rules_signal(f);

	if (f->how == DIAG_SIGNAL)
		say(d, "the command was killed by %s", signal_text(f->signal, text));
	else if (f->how == DIAG_EXIT && sig)
		say(d,
			"the command exited with %d, as a shell or wrapper does whose child was "
			"killed by %s",
			f->exit_code, signal_text(sig, text));
	else if (f->how == DIAG_EXIT)
		say(d, "the command exited with %d", f->exit_code);
}

static void say_phrase(const struct diag_facts *f, struct diagnosis *d, enum diag_cause cause)
{
	const struct phrase *p = phrase_find(f, cause);
	char line[DIAG_LINE_MAX - 32];

	if (!p)
		return;
	phrase_line(f, p, line, sizeof line);
	say(d, "standard error: %s", line);
	if (p->remedy)
		remedy(d, "%s", p->remedy);
}

static void say_stderr(const struct diag_facts *f, struct diagnosis *d, unsigned lines)
{
	const char *at = text_last_lines(f->stderr_tail, lines);
	char line[DIAG_LINE_MAX - 32];

	for (; lines && *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (!strcspn(at, "\n"))
			continue;
		text_copy(line, sizeof line, at, strcspn(at, "\n"));
		say(d, "standard error: %s", line);
		lines--;
	}
}

static void say_memory(const struct diag_facts *f, struct diagnosis *d)
{
	const struct diag_memory *m = &f->memory;
	char a[32], b[32], c[32];

	if (m->job_peak || m->job_rss) {
		size_format(m->job_rss, a);
		size_format(MAX(m->job_peak, m->job_rss), b);
		size_format(m->growth_per_s, c);
		if (m->job_rss && m->growth_per_s)
			say(d, "the job had %s in memory, at most %s, growing by %s per second", a,
				b, c);
		else
			say(d, "the job had at most %s in memory", b);
	}
	if (m->memory_max) {
		size_format(m->memory_max, a);
		say(d, "it may have %s (--memory-max)", a);
	}
	if (m->cgroup_limit) {
		size_format(m->cgroup_current, a);
		size_format(m->cgroup_limit, b);
		say(d, "its cgroup may use %s and used %s", b, a);
	}
	if (m->available && m->total) {
		size_format(m->available, a);
		size_format(m->total, b);
		size_format(m->swap_free, c);
		say(d, "the machine has %s of memory, %s available, %s of swap free", b, a, c);
	}
}

static void say_limit(const struct diag_facts *f, struct diagnosis *d, enum diag_resource r)
{
	static const char *const shell[] = {
#define X(name, text, shell) shell,
		DIAG_LIMITS(X)
#undef X
	};
	const struct diag_limit *l = &f->limit[r];
	char soft[32], hard[32] = "unlimited";

	if (!l->known || l->soft == DIAG_UNLIMITED)
		return;
	if (r == DIAG_LIMIT_CPU) {
		duration_format(l->soft * NS_PER_SEC, soft);
		if (l->hard != DIAG_UNLIMITED)
			duration_format(l->hard * NS_PER_SEC, hard);
	} else {
		size_format(l->soft, soft);
		if (l->hard != DIAG_UNLIMITED)
			size_format(l->hard, hard);
	}
	say(d, "its limit (%s) is %s, the hard limit %s", shell[r], soft, hard);
}

static void say_disk(const struct diag_disk *disk, struct diagnosis *d)
{
	char free_text[32], total[32];

	size_format(disk->free_bytes, free_text);
	size_format(disk->total_bytes, total);
	if (disk->total_inodes && !disk->free_inodes && disk->free_bytes >= MIB)
		say(d,
			"no more files fit on the file system of %s (%s): all %" PRIu64
			" inodes are taken",
			disk->path, disk->what, disk->total_inodes);
	else
		say(d, "%s free of %s on the file system of %s (%s)", free_text, total, disk->path,
			disk->what);
}

static void say_crash(const struct diag_facts *f, struct diagnosis *d)
{
	const struct diag_crash *c = rules_crash(f);

	if (c && c->signal != SIGABRT)
		crash_words(c, d);
}

/* "; cragon restart continues from image 7" */
static const char *continues(const struct diag_facts *f, char out[static 64])
{
	if (f->image)
		snprintf(out, 64, "; cragon restart continues from image %" PRIu64, f->image);
	else
		snprintf(out, 64, "; there is no image: cragon run starts anew");
	return out;
}

/* ---- what Cragon did ------------------------------------------------------------------ */

void words_running(const struct diag_facts *f, struct diagnosis *d)
{
	say(d, "the job is running: nothing has ended yet");
	remedy(d, "cragon status shows how it goes");
}

static void say_allocation(const struct diag_facts *f, struct diagnosis *d)
{
	const struct diag_call *c = rules_failed_call(f);
	char size[32];

	if (c) {
		size_format(c->bytes, size);
		say(d, "%s of %s failed: %s%s%s", c->function, size, strerrordesc_np(c->error),
			c->held ? "; the call was held" : "",
			f->failed_calls > 1 ? ", and others (see intercepted.log)" : "");
	} else if (f->wanted_bytes) {
		size_format(f->wanted_bytes, size);
		say(d, "an allocation of %s failed and was held", size);
	}
	say_limit(f, d, DIAG_LIMIT_AS);
	say_limit(f, d, DIAG_LIMIT_DATA);
	say_memory(f, d);
}

void words_stopped(const struct diag_facts *f, struct diagnosis *d)
{
	static const struct {
		const char *seen, *todo;
	} all[] = {
		[DIAG_STOP_NONE] = {"Cragon stopped the job", NULL},
		[DIAG_STOP_REQUEST] =
			{"somebody asked Cragon to stop the job (cragon checkpoint --stop)", NULL},
		[DIAG_STOP_TIME_LIMIT] = {"Cragon stopped the job before its time limit",
			"give it more time, or run it in several steps"},
		[DIAG_STOP_CPU_LIMIT] = {"Cragon stopped the job before its limit of CPU time",
			"raise the limit of CPU time (ulimit -t)"},
		[DIAG_STOP_MEMORY_LIMIT] = {"Cragon stopped the job before it ran out of memory",
			"give it more memory"},
		[DIAG_STOP_ALLOCATION] =
			{"Cragon stopped the job while its failed allocation waited",
				"give it more memory (ulimit -v, or a larger machine)"},
		[DIAG_STOP_SCHEDULER] =
			{"Cragon stopped the job because the batch system asked for it", NULL},
		[DIAG_STOP_USER] = {"Cragon stopped the job because a signal asked for it", NULL},
		[DIAG_STOP_HANG] = {"Cragon stopped the job because it made no progress: no CPU "
				    "time, no input or output",
			"look what it waits for (cragon inspect of the image); an older image may "
			"help"},
	};
	char text[64];

	if (f->image)
		say(d, "%s, with image %" PRIu64, all[f->stop].seen, f->image);
	else
		say(d, "%s", all[f->stop].seen);
	if (f->stop == DIAG_STOP_ALLOCATION)
		say_allocation(f, d);
	if (f->stop == DIAG_STOP_MEMORY_LIMIT)
		say_memory(f, d);
	if (f->stop == DIAG_STOP_CPU_LIMIT)
		say_limit(f, d, DIAG_LIMIT_CPU);
	continues(f, text);
	remedy(d, "%s%s", all[f->stop].todo ? all[f->stop].todo : "nothing is wrong", text);
}

void words_lost(const struct diag_facts *f, struct diagnosis *d)
{
	bool same_host = !strcmp(f->host, f->seen_host);
	char text[64];

	if (d->cause == DIAG_OOM_KILLED)
		say(d, "the job and its cragon ended without a word while the kernel ran out of "
		       "memory");
	else if (d->cause == DIAG_TIME_LIMIT)
		say(d, "the job ended without a word at its time limit");
	else if (d->cause == DIAG_PREEMPTED)
		say(d, "cragon or the job's reaper was killed (SIGKILL), the machine still runs");
	else if (same_host)
		say(d, "%s has been started anew since: it crashed, was switched off or rebooted",
			f->host);
	else
		say(d, "the attempt ran on %s and has no end; seen from %s",
			f->host[0] ? f->host : "another machine", f->seen_host);
	if (f->kernel_oom[0])
		say(d, "kernel: %s", f->kernel_oom);
	if (d->cause == DIAG_OOM_KILLED)
		say_memory(f, d);
	remedy(d, "%s%s",
		d->cause == DIAG_OOM_KILLED   ? "give it more memory"
		: d->cause == DIAG_TIME_LIMIT ? "give it more time"
		: d->cause == DIAG_NODE_LOST && !same_host
			? "make sure that it does not run there any more"
			: "nothing is known to be wrong with the program",
		continues(f, text));
}

void words_done(const struct diag_facts *f, struct diagnosis *d)
{
	say(d, "the command exited with 0");
	if (f->memory.oom_kills_after > f->memory.oom_kills_before)
		say(d, "meanwhile the kernel killed a process of the cgroup for lack of memory");
}

/* ---- what the kernel did ---------------------------------------------------------------- */

void words_cpu_limit(const struct diag_facts *f, struct diagnosis *d)
{
	char text[32], more[64];

	say_ending(f, d);
	if (f->cpu_ns) {
		duration_format(f->cpu_ns, text);
		say(d, "its processes had used %s of CPU time", text);
	}
	say_limit(f, d, DIAG_LIMIT_CPU);
	remedy(d, "raise the limit of CPU time (ulimit -t)%s", continues(f, more));
}

void words_file_size(const struct diag_facts *f, struct diagnosis *d)
{
	char more[64];

	say_ending(f, d);
	say_phrase(f, d, DIAG_FILE_SIZE_LIMIT);
	say_limit(f, d, DIAG_LIMIT_FSIZE);
	remedy(d, "raise the limit of file size (ulimit -f)%s", continues(f, more));
}

void words_oom(const struct diag_facts *f, struct diagnosis *d)
{
	char more[64];

	say_ending(f, d);
	if (f->kernel_oom[0])
		say(d, "kernel: %s", f->kernel_oom);
	if (f->memory.oom_kills_after > f->memory.oom_kills_before)
		say(d,
			"the OOM killer struck in its cgroup: %" PRIu64 " killed before, %" PRIu64
			" after",
			f->memory.oom_kills_before, f->memory.oom_kills_after);
	else if (!f->kernel_oom[0])
		say(d, "nobody is known to have sent it, and memory had nearly run out");
	say_memory(f, d);
	remedy(d, "give it more memory, or set --memory-max so that Cragon stops it in time%s",
		continues(f, more));
}

void words_time_limit(const struct diag_facts *f, struct diagnosis *d)
{
	uint64_t apart = f->ended_ns > f->time_end_ns ? f->ended_ns - f->time_end_ns
						      : f->time_end_ns - f->ended_ns;
	char text[32], more[64];

	say_ending(f, d);
	duration_format(apart, text);
	say(d, "that was %s %s the end of its time limit%s%s", text,
		f->ended_ns > f->time_end_ns ? "after" : "before", f->scheduler[0] ? " of " : "",
		f->scheduler);
	remedy(d, "give it more time, or name the limit with --max-time%s", continues(f, more));
}

static void say_request(const struct diag_facts *f, struct diagnosis *d)
{
	const struct diag_signal *s = rules_request(f);
	char text[64];

	if (!s)
		say(d, "it was sent to the command itself, not through Cragon");
	else if (s->terminal)
		say(d, "%s came from the terminal", signal_text(s->number, text));
	else if (s->pid)
		say(d, "%s came from process %d of user %u and was passed on",
			signal_text(s->number, text), (int)s->pid, (unsigned)s->uid);
	else
		say(d, "%s came from outside and was passed on", signal_text(s->number, text));
}

void words_request(const struct diag_facts *f, struct diagnosis *d)
{
	char more[64];

	say_ending(f, d);
	say_request(f, d);
	if (d->cause == DIAG_PREEMPTED) {
		say(d,
			f->scheduler[0] ? "the job runs under %s"
					: "process 1 shuts the machine down%s",
			f->scheduler);
		remedy(d, "nothing is wrong with the program%s", continues(f, more));
	} else {
		remedy(d, "somebody wanted it to end%s", continues(f, more));
	}
}

void words_killed(const struct diag_facts *f, struct diagnosis *d)
{
	char more[64];

	say_ending(f, d);
	say(d, "killed from outside by SIGKILL; Cragon did not send it, memory was not short");
	remedy(d, "nothing is known to be wrong with the program%s", continues(f, more));
}

/* ---- what the program did ----------------------------------------------------------------- */

void words_allocation(const struct diag_facts *f, struct diagnosis *d)
{
	char more[64];

	say_ending(f, d);
	remedy(d, "give it more memory (ulimit -v, cgroup, or a larger machine)%s",
		continues(f, more));
	say_phrase(f, d, DIAG_ALLOCATION_FAILED);
	say_crash(f, d);
	say_allocation(f, d);
}

void words_cpu_feature(const struct diag_facts *f, struct diagnosis *d)
{
	say_ending(f, d);
	remedy(d, "build it for this CPU (-march), load the module for it, or run it on a machine "
		  "that has the feature");
	say_phrase(f, d, DIAG_CPU_FEATURE);
	say_crash(f, d);
}

void words_disk(const struct diag_facts *f, struct diagnosis *d)
{
	const struct diag_disk *full = rules_full_disk(f);
	char more[64];

	say_ending(f, d);
	remedy(d, "make space on the disk%s", continues(f, more));
	say_phrase(f, d, DIAG_DISK_FULL);
	if (full)
		say_disk(full, d);
	for (size_t i = 0; !full && i < f->n_disks; i++)
		say_disk(&f->disks[i], d);
	say_crash(f, d);
}

static void say_kernel_fault(const struct diag_facts *f, struct diagnosis *d)
{
	struct diag_crash c;

	if (rules_signal(f) == SIGSEGV && crash_of_kernel(f->kernel_fault, &c))
		crash_words(&c, d);
	say(d, "kernel: %s", f->kernel_fault);
}

void words_crash(const struct diag_facts *f, struct diagnosis *d)
{
	say_ending(f, d);
	remedy(d, "a defect of the program, or of its input: another try would end the same way");
	if (rules_crash(f))
		say_crash(f, d);
	else if (f->kernel_fault[0])
		say_kernel_fault(f, d);
	else
		say(d, "nothing more is known: the program is static, set a handler of its own, "
		       "overflowed its stack or "
		       "was started with --no-intercept");
	if (rules_signal(f) == SIGSEGV && !rules_crash(f))
		say_limit(f, d, DIAG_LIMIT_STACK);
	if (phrase_find(f, DIAG_ABORT))
		say_phrase(f, d, DIAG_ABORT);
	say_stderr(f, d, 2);
}

void words_abort(const struct diag_facts *f, struct diagnosis *d)
{
	const struct phrase *p = phrase_find(f, DIAG_ABORT);
	const struct diag_crash *c = rules_crash(f);

	say_ending(f, d);
	remedy(d, "the program gave up by itself: see its message; another try would end the same "
		  "way");
	if (c && c->message[0])
		say(d, "its message: %s", c->message);
	else if (p)
		say_phrase(f, d, DIAG_ABORT);
	else
		say_stderr(f, d, 3);
	if (c && c->code <= 0 && c->sender && c->sender != c->pid)
		say(d, "the signal was sent by process %d", (int)c->sender);
}

void words_missing(const struct diag_facts *f, struct diagnosis *d)
{
	say_ending(f, d);
	remedy(d, "put the file where the program looks for it, or name another, and run again");
	say_phrase(f, d, DIAG_MISSING);
	if (f->exit_code == 127 && !phrase_find(f, DIAG_MISSING)) {
		say(d, "127 is what a shell says for a command that it does not find");
		say_stderr(f, d, 2);
	}
}

void words_exit(const struct diag_facts *f, struct diagnosis *d)
{
	char text[64];

	say_ending(f, d);
	if (rules_signal(f) == SIGPIPE)
		say(d, "the reader of its output had ended");
	if (f->crash.signal && f->crash.time_ns + NS_PER_SEC * 30 >= f->ended_ns) {
		say(d, "process %d of the job had died of %s", (int)f->crash.pid,
			signal_text(f->crash.signal, text));
		crash_words(&f->crash, d);
	}
	say_stderr(f, d, 4);
	remedy(d, f->stderr_tail[0] ? "see what the program said"
				    : "see the program's own output for its reason");
}

void words_unknown(const struct diag_facts *f, struct diagnosis *d)
{
	say_ending(f, d);
	say_stderr(f, d, 4);
	remedy(d, "see cragon.log in the job directory, and the program's output");
}

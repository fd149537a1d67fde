/*
 * When the program dies of a fault, what only it can tell is written down: the
 * fault's address, registers, bytes of the instruction, the mappings. Then the
 * fault happens again with the default action, so that the program dies as it
 * would have, with its core file and its exit status.
 *
 * The handler stands only where the program has the default action, and the
 * program does not see it: sigaction() and signal() answer SIG_DFL. execve resets
 * it (signal(7)), the new program's own copy of this object sets it again.
 * Without an alternate stack an overflow of the stack cannot be told: the kernel
 * ends the program at once.
 */
#include "interpose/inside.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define CODE_BYTES 16
#define MAPS_MAX (8u << 20)

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define FAULTS (sizeof faults / sizeof *faults)

struct text { /* a line at a time, into the file */
	int fd;
	size_t n;
	char line[512];
};

static void add(struct text *t, const char *s)
{
	while (*s && t->n < sizeof t->line - 1)
		t->line[t->n++] = *s++;
}

static void add_decimal(struct text *t, long v)
{
	char digits[24];
	size_t n = sizeof digits;
	unsigned long u = v < 0 ? -(unsigned long)v : (unsigned long)v;

	digits[--n] = 0;
	do
		digits[--n] = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		digits[--n] = '-';
	add(t, digits + n);
}

static void add_hex(struct text *t, unsigned long v, int digits)
{
	char c[2] = {0};

	for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
		c[0] = "0123456789abcdef"[(v >> shift) & 15];
		add(t, c);
	}
}

static void end_line(struct text *t)
{
	t->line[t->n++] = '\n';
	(void)!syscall(SYS_write, t->fd, t->line, t->n);
	t->n = 0;
}

static void decimal_line(struct text *t, const char *name, long v)
{
	add(t, name);
	add(t, " ");
	add_decimal(t, v);
	end_line(t);
}

static void hex_line(struct text *t, const char *name, unsigned long v)
{
	add(t, name);
	add(t, " 0x");
	add_hex(t, v, 16);
	end_line(t);
}

static void text_line(struct text *t, const char *name, const char *value)
{
	add(t, name);
	add(t, " ");
	for (; *value && t->n < sizeof t->line - 2; value++)
		t->line[t->n++] = *value == '\n' ? ' ' : *value;
	end_line(t);
}

static void registers(struct text *t, const greg_t *g)
{
	static const struct {
		const char *name;
		int number;
	} all[] = {{"ip", REG_RIP}, {"sp", REG_RSP}, {"ax", REG_RAX}, {"bx", REG_RBX},
		{"cx", REG_RCX}, {"dx", REG_RDX}, {"si", REG_RSI}, {"di", REG_RDI}, {"bp", REG_RBP},
		{"r8", REG_R8}, {"r9", REG_R9}, {"r10", REG_R10}, {"r11", REG_R11},
		{"r12", REG_R12}, {"r13", REG_R13}, {"r14", REG_R14}, {"r15", REG_R15},
		{"error", REG_ERR}, {"trap", REG_TRAPNO}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		hex_line(t, all[i].name, (unsigned long)g[all[i].number]);
}

/* The instruction pointer may be what is wrong: the kernel reads for us. */
static void code(struct text *t, unsigned long ip)
{
	unsigned char bytes[CODE_BYTES];
	struct iovec here = {bytes, sizeof bytes}, there = {(void *)ip, sizeof bytes};
	long n = syscall(SYS_process_vm_readv, syscall(SYS_getpid), &here, 1, &there, 1, 0);

	if (n <= 0)
		return;
	add(t, "code-bytes");
	for (long i = 0; i < n; i++) {
		add(t, " ");
		add_hex(t, bytes[i], 2);
	}
	end_line(t);
}

static void copy_file(struct text *t, const char *path, size_t max)
{
	char block[4096];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long n;

	while (fd >= 0 && max > 0 && (n = syscall(SYS_read, fd, block, sizeof block)) > 0) {
		(void)!syscall(SYS_write, t->fd, block, (size_t)n);
		max -= (size_t)n < max ? (size_t)n : max;
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
}

static void link_line(struct text *t, const char *name, const char *path)
{
	char target[400];
	long n = syscall(SYS_readlinkat, AT_FDCWD, path, target, sizeof target - 1);

	if (n <= 0)
		return;
	target[n] = 0;
	text_line(t, name, target);
}

/* glibc keeps the text of a failed assertion, or of its own complaint, for core
 * files: struct abort_msg_s, { unsigned size; char msg[] }. */
struct abort_message {
	unsigned size;
	char text[];
};
static struct abort_message **abort_message;

static void write_record(struct text *t, int sig, const siginfo_t *info, const ucontext_t *context)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	decimal_line(t, "signal", sig);
	decimal_line(t, "code", info->si_code);
	if (info->si_code > 0)
		hex_line(t, "address", (unsigned long)info->si_addr);
	else
		decimal_line(t, "sender", info->si_pid);
	decimal_line(t, "pid", syscall(SYS_getpid));
	decimal_line(t, "tid", syscall(SYS_gettid));
	decimal_line(t, "time", now.tv_sec);
	link_line(t, "exe", "/proc/self/exe");
	registers(t, context->uc_mcontext.gregs);
	code(t, (unsigned long)context->uc_mcontext.gregs[REG_RIP]);
	if (sig == SIGABRT && abort_message && *abort_message)
		text_line(t, "abort-message", (*abort_message)->text);
	end_line(t);
	copy_file(t, "/proc/self/maps", MAPS_MAX);
}

static void record(int sig, const siginfo_t *info, const ucontext_t *context)
{
	char path[PATH_BYTES], temporary[PATH_BYTES];
	struct text t = {.fd = -1};

	add(&t, WIRE_CRASH);
	add_decimal(&t, syscall(SYS_getpid));
	t.line[t.n] = 0;
	if (!wire_path(path, sizeof path, t.line))
		return;
	add(&t, ".new");
	t.line[t.n] = 0;
	if (!wire_path(temporary, sizeof temporary, t.line))
		return;
	t.n = 0;
	t.fd = (int)syscall(SYS_openat, AT_FDCWD, temporary,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t.fd < 0)
		return;
	write_record(&t, sig, info, context);
	syscall(SYS_close, t.fd);
	syscall(SYS_renameat, AT_FDCWD, temporary, AT_FDCWD, path);
}

static int (*next_sigaction)(int, const struct sigaction *, struct sigaction *);

static void on_fault(int sig, siginfo_t *info, void *context)
{
	static int first;
	struct sigaction normal = {.sa_handler = SIG_DFL};
	int saved = errno;

	if (__atomic_exchange_n(&first, 1, __ATOMIC_ACQ_REL) == 0)
		record(sig, info, context);
	else
		/* Another thread is writing, and will end us all. */
		for (int i = 0; i < 20; i++)
			syscall(SYS_poll, NULL, 0, 50);
	next_sigaction(sig, &normal, NULL);
	errno = saved;
	/* A fault happens again by itself; what was sent has to be sent again. It is
	 * blocked until we return, so that it finds the registers as they were. */
	if (info->si_code <= 0 || sig == SIGABRT)
		syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), sig);
}

static bool is_ours(const struct sigaction *a)
{
	return (a->sa_flags & SA_SIGINFO) && a->sa_sigaction == on_fault;
}

static bool is_fault(int sig)
{
	for (size_t i = 0; i < FAULTS; i++)
		if (faults[i] == sig)
			return true;
	return false;
}

static struct sigaction our_action(void)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	/* Nothing that the program handles comes between. */
	sigfillset(&a.sa_mask);
	return a;
}

static __attribute__((constructor)) void watch_faults(void)
{
	struct sigaction ours = our_action(), old;
	char path[PATH_BYTES];

	if (!next_sigaction)
		*(void **)&next_sigaction = next_function("sigaction");
	*(void **)&abort_message = dlsym(RTLD_DEFAULT, "__abort_msg");
	if (!next_sigaction || !wire_path(path, sizeof path, WIRE_CRASH))
		return;
	for (size_t i = 0; i < FAULTS; i++)
		if (next_sigaction(faults[i], NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
			old.sa_handler == SIG_DFL)
			next_sigaction(faults[i], &ours, NULL);
}

static bool watching(void)
{
	char path[PATH_BYTES];

	return wire_path(path, sizeof path, WIRE_CRASH);
}

EXPORT int sigaction(int sig, const struct sigaction *restrict new, struct sigaction *restrict old)
{
	struct sigaction replaced, ours = our_action();
	int r;

	if (!next_sigaction)
		*(void **)&next_sigaction = next_function("sigaction");
	if (!next_sigaction) {
		errno = EAGAIN;
		return -1;
	}
	if (!is_fault(sig) || !watching())
		return next_sigaction(sig, new, old);
	if (new && !(new->sa_flags &SA_SIGINFO) && new->sa_handler == SIG_DFL)
		new = &ours;
	r = next_sigaction(sig, new, &replaced);
	if (r == 0 && old) {
		*old = replaced;
		if (is_ours(&replaced))
			*old = (struct sigaction){.sa_handler = SIG_DFL};
	}
	return r;
}

EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	struct sigaction new = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
	static sighandler_t (*next_signal)(int, sighandler_t);

	if (is_fault(sig) && watching() && handler != SIG_ERR) {
		sigemptyset(&new.sa_mask);
		sigaddset(&new.sa_mask, sig);
		return sigaction(sig, &new, &old) < 0 ? SIG_ERR : old.sa_handler;
	}
	if (!next_signal)
		*(void **)&next_signal = next_function("signal");
	return next_signal ? next_signal(sig, handler) : SIG_ERR;
}

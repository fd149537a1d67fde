/* x86-64: see arch.h. The syscall ABI is in syscall(2); -512..-516 are the
 * kernel's internal restart codes (include/linux/errno.h). */
#include "tracee/arch.h"
#include "sys/procfs.h"

#include <errno.h>
#include <string.h>

#define VDSO_MAX (64 * 1024)
#define USER32_CS 0x23
#define ERESTARTNOHAND 514

static int vdso_range(pid_t pid, uint64_t *start, uint64_t *end)
{
	cleanup_buf struct buf text = {0};
	struct proc_vma v;
	char *cursor;
	int r = proc_read(pid, "maps", &text);

	if (r < 0)
		return r;
	for (cursor = text.data; (r = proc_next_vma(&cursor, &v)) > 0;)
		if (strcmp(v.path, "[vdso]") == 0) {
			*start = v.start;
			*end = v.end;
			return 0;
		}
	return r < 0 ? r : -ENOENT;
}

int arch_find_gadget(pid_t pid, taddr *ret, struct err *e)
{
	static const unsigned char syscall_insn[] = {0x0f, 0x05};
	cleanup_free unsigned char *code = NULL;
	uint64_t start, end;
	const unsigned char *found;
	int r = vdso_range(pid, &start, &end);

	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
			"process %d has no vdso mapped: it cannot be steered", pid);
	if (r < 0)
		return err_sys(e, r, "cannot read the memory map of process %d", pid);
	if (end - start > VDSO_MAX)
		return err_set(e, -EPROTO, WHY_SYSTEM, "the vdso of process %d is absurdly large", pid);
	code = malloc(end - start);
	if (!code)
		return err_sys(e, -ENOMEM, "reading the vdso");
	r = tracee_read(pid, start, code, end - start);
	if (r < 0)
		return err_sys(e, r, "cannot read memory of process %d", pid);
	found = memmem(code, end - start, syscall_insn, sizeof syscall_insn);
	if (!found)
		return err_set(e, -ENOTSUP, WHY_UNSUPPORTED,
			"the vdso of process %d holds no system call instruction", pid);
	*ret = start + (uint64_t)(found - code);
	return 0;
}

void arch_set_call(struct user_regs_struct *regs, taddr gadget, long nr, const uint64_t *args)
{
	regs->rip = gadget;
	regs->rax = (uint64_t)nr;
	regs->orig_rax = (uint64_t)-1;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}

long arch_call_result(const struct user_regs_struct *regs)
{
	return (long)regs->rax;
}

bool arch_is_compat(const struct user_regs_struct *regs)
{
	return regs->cs == USER32_CS;
}

long arch_blocked_call(const struct user_regs_struct *regs, long *ret_result)
{
	*ret_result = (long)regs->rax;
	return (long)regs->orig_rax;
}

void arch_restart_call(struct user_regs_struct *regs, long nr)
{
	regs->orig_rax = (uint64_t)nr;
	regs->rax = (uint64_t)-ERESTARTNOHAND;
}

/* include/uapi/linux/rseq.h: the pointer to the active sequence is at offset 8
 * of the area. */
int arch_abort_rseq(struct user_regs_struct *regs, pid_t pid, taddr rseq)
{
	struct {
		uint32_t version, flags;
		uint64_t start_ip, post_commit_offset, abort_ip;
	} sequence;
	uint64_t active = 0;
	int r = rseq ? tracee_read(pid, rseq + 8, &active, sizeof active) : 0;

	if (r < 0 || !active)
		return r;
	r = tracee_read(pid, active, &sequence, sizeof sequence);
	if (r == 0 && regs->rip - sequence.start_ip < sequence.post_commit_offset)
		regs->rip = sequence.abort_ip;
	return r;
}

static unsigned long long *arg_register(struct user_regs_struct *regs, int index)
{
	switch (index) {
	case 0:
		return &regs->rdi;
	case 1:
		return &regs->rsi;
	case 2:
		return &regs->rdx;
	case 3:
		return &regs->r10;
	case 4:
		return &regs->r8;
	default:
		return &regs->r9;
	}
}

uint64_t arch_get_arg(const struct user_regs_struct *regs, int index)
{
	return *arg_register((struct user_regs_struct *)regs, index);
}

void arch_set_arg(struct user_regs_struct *regs, int index, uint64_t value)
{
	*arg_register(regs, index) = value;
}

taddr arch_stack_pointer(const struct user_regs_struct *regs)
{
	return regs->rsp;
}

taddr arch_instruction_pointer(const struct user_regs_struct *regs)
{
	return regs->rip;
}

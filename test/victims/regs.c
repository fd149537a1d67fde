/*
 * General, SSE, AVX and AVX-512 registers, the x87 control word and MXCSR of a
 * loop that never enters the kernel: whatever it finds changed was changed by
 * the checkpoint. A second thread keeps another rounding mode.
 */
#include "victim.h"

#include <cpuid.h>
#include <fenv.h>
#include <immintrin.h>

static volatile int go;

static void *waiter(void *arg)
{
	ready();
	wait_go();
	go = 1;
	return arg;
}

/* Spins with a pattern in every general register but rsp, rdi (the flag) and
 * rsi (the verdict); returns the number of differences. */
static long spin_general(volatile int *flag)
{
	long bad = 0;

	__asm__ volatile("push %%rbp\n\t"
			 "mov $0x1111111111111111, %%rax\n\t"
			 "mov $0x2222222222222222, %%rbx\n\t"
			 "mov $0x3333333333333333, %%rcx\n\t"
			 "mov $0x4444444444444444, %%rdx\n\t"
			 "mov $0x5555555555555555, %%rbp\n\t"
			 "mov $0x8888888888888888, %%r8\n\t"
			 "mov $0x9999999999999999, %%r9\n\t"
			 "mov $0xaaaaaaaaaaaaaaaa, %%r10\n\t"
			 "mov $0xbbbbbbbbbbbbbbbb, %%r11\n\t"
			 "mov $0xcccccccccccccccc, %%r12\n\t"
			 "mov $0xdddddddddddddddd, %%r13\n\t"
			 "mov $0xeeeeeeeeeeeeeeee, %%r14\n\t"
			 "mov $0xffffffffffffffff, %%r15\n\t"
			 "std\n"
			 "1:\n\t"
			 "pause\n\t"
			 "cmpl $0, (%%rdi)\n\t"
			 "je 1b\n\t"
			 "pushfq\n\t"
			 "cld\n\t"
			 "btq $10, (%%rsp)\n\t"
			 "sbb $-1, %%rsi\n\t"
			 "add $8, %%rsp\n\t"
#define SAME(register, value)                                                                      \
	"movabs $" value ", %%rdi\n\t"                                                             \
	"cmp %%rdi, %%" register "\n\t"                                                            \
	"setne %%dil\n\tmovzbl %%dil, %%edi\n\tadd %%rdi, %%rsi\n\t"
			 SAME("rax", "0x1111111111111111") SAME("rbx", "0x2222222222222222")
			 SAME("rcx", "0x3333333333333333") SAME("rdx", "0x4444444444444444")
			 SAME("rbp", "0x5555555555555555") SAME("r8", "0x8888888888888888")
			 SAME("r9", "0x9999999999999999") SAME("r10", "0xaaaaaaaaaaaaaaaa")
			 SAME("r11", "0xbbbbbbbbbbbbbbbb") SAME("r12", "0xcccccccccccccccc")
			 SAME("r13", "0xdddddddddddddddd") SAME("r14", "0xeeeeeeeeeeeeeeee")
			 SAME("r15", "0xffffffffffffffff")
			 "pop %%rbp\n\t"
			 : "+S"(bad), "+D"(flag)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			 "r15", "memory", "cc");
	return bad;
}

static void *spin_sse(void *arg)
{
	unsigned char out[16][16];

	fesetround(FE_DOWNWARD);
	for (int i = 0; i < 16; i++)
		memset(out[i], i + 1, 16);
#define EACH(what)                                                                                 \
	what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) what(8) what(9) what(10)   \
		what(11) what(12) what(13) what(14) what(15)
#define LOAD(n) "movdqu " #n "*16(%0), %%xmm" #n "\n\t"
#define STORE(n) "movdqu %%xmm" #n ", " #n "*16(%0)\n\t"
	__asm__ volatile(EACH(LOAD) "1: pause\n\tcmpl $0, (%1)\n\tje 1b\n\t" EACH(STORE)
			 :
			 : "r"(out), "r"(&go)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			 "xmm15");
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 16; j++)
			CHECK_EQ(out[i][j], i + 1);
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	return arg;
}

static void *spin_avx(void *arg)
{
	unsigned char out[16][32];

	if (!__builtin_cpu_supports("avx"))
		return arg;
	for (int i = 0; i < 16; i++)
		memset(out[i], 0x40 + i, 32);
#define LOAD_Y(n) "vmovdqu " #n "*32(%0), %%ymm" #n "\n\t"
#define STORE_Y(n) "vmovdqu %%ymm" #n ", " #n "*32(%0)\n\t"
	__asm__ volatile(EACH(LOAD_Y) "1: pause\n\tcmpl $0, (%1)\n\tje 1b\n\t" EACH(
				 STORE_Y) "vzeroupper\n\t"
			 :
			 : "r"(out), "r"(&go)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			 "xmm15");
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 32; j++)
			CHECK_EQ(out[i][j], 0x40 + i);
	return arg;
}

__attribute__((target("avx512f,avx512bw"))) static void *spin_avx512(void *arg)
{
	unsigned char out[3][64];
	uint64_t mask = 0x123456789abcdef0;

	if (!__builtin_cpu_supports("avx512bw"))
		return arg;
	for (int i = 0; i < 3; i++)
		memset(out[i], 0x70 + i, 64);
	__asm__ volatile("vmovdqu64 (%1), %%zmm0\n\t"
			 "vmovdqu64 64(%1), %%zmm15\n\t"
			 "vmovdqu64 128(%1), %%zmm31\n\t"
			 "kmovq %0, %%k5\n\t"
			 "xor %0, %0\n\t"
			 "1: pause\n\tcmpl $0, (%2)\n\tje 1b\n\t"
			 "vmovdqu64 %%zmm0, (%1)\n\t"
			 "vmovdqu64 %%zmm15, 64(%1)\n\t"
			 "vmovdqu64 %%zmm31, 128(%1)\n\t"
			 "kmovq %%k5, %0\n\tvzeroupper\n\t"
			 : "+r"(mask)
			 : "r"(out), "r"(&go)
			 : "memory", "cc", "xmm0", "xmm15", "xmm31", "k5");
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 64; j++)
			CHECK_EQ(out[i][j], 0x70 + i);
	CHECK(mask == 0x123456789abcdef0);
	return arg;
}

int main(void)
{
	void *(*const spinners[])(void *) = {spin_sse, spin_avx, spin_avx512};
	uint16_t control = 0x0c7f; /* towards zero, single precision */
	uint16_t control_after = 0;
	pthread_t threads[4];
	long double value = 1.25L, kept;
	unsigned mxcsr;

	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&threads[i], NULL, spinners[i], NULL) == 0);
	nap_ms(50);
	CHECK(pthread_create(&threads[3], NULL, waiter, NULL) == 0);
	_mm_setcsr(0x1f80 | _MM_FLUSH_ZERO_ON | _MM_ROUND_UP);
	__asm__ volatile("fldcw %0\n\tfldt %1" : : "m"(control), "m"(value));
	long bad = spin_general(&go);
	__asm__ volatile("fnstcw %0\n\tfstpt %1" : "=m"(control_after), "=m"(kept));
	mxcsr = _mm_getcsr();
	CHECK_EQ(bad, 0);
	CHECK_EQ(control_after, control);
	CHECK(kept == value);
	CHECK_EQ(mxcsr & ~0x3fu, 0x1f80 | _MM_FLUSH_ZERO_ON | _MM_ROUND_UP);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	pass();
}

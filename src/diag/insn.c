/*
 * The instruction that a CPU refused (SIGILL): which feature it belongs to. Only
 * the prefixes and opcode maps that tell families apart are looked at (Intel SDM
 * volume 2, 2.3 and 2.7); this is no disassembler. In 64-bit mode 0xC4 and 0xC5
 * always begin a VEX prefix and 0x62 an EVEX one.
 */
#include "diag/crash.h"

#include <string.h>

static const struct {
	const char *name, *missing_on;
} features[] = {
	{"SSSE3", "Intel before Core 2 (2006), AMD before Bobcat (2011)"},
	{"SSE4.1", "Intel before Penryn (2008), AMD before Bulldozer (2011)"},
	{"SSE4.2", "Intel before Nehalem (2008), AMD before Bulldozer (2011)"},
	{"POPCNT", "Intel before Nehalem (2008), AMD before Barcelona (2007)"},
	{"LZCNT", "Intel before Haswell (2013), AMD before Barcelona (2007)"},
	{"MOVBE", "Intel before Haswell (2013), AMD before Excavator (2015)"},
	{"AES", "Intel before Westmere (2010), AMD before Bulldozer (2011)"},
	{"PCLMUL", "Intel before Westmere (2010), AMD before Bulldozer (2011)"},
	{"SHA", "Intel before Ice Lake (2019), AMD before Zen (2017)"},
	{"ADX", "Intel before Broadwell (2014), AMD before Zen (2017)"},
	{"AVX", "Intel before Sandy Bridge (2011), AMD before Bulldozer (2011)"},
	{"FMA", "Intel before Haswell (2013), AMD before Piledriver (2012)"},
	{"BMI1", "Intel before Haswell (2013), AMD before Piledriver (2012)"},
	{"BMI2", "Intel before Haswell (2013), AMD before Excavator (2015)"},
	{"AVX2", "Intel before Haswell (2013), AMD before Excavator (2015)"},
	{"AVX-512", "Intel servers before Skylake (2017), most Intel desktops, AMD before Zen 4 "
		    "(2022)"},
	{"AMX", "Intel servers before Sapphire Rapids (2023), all others"},
	{"newer AVX", "all but the newest processors"},
};

const char *insn_missing_on(const char *feature)
{
	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		if (!strcmp(features[i].name, feature))
			return features[i].missing_on;
	return "";
}

/* What the CPU and the kernel offer here. The names have to be literals. */
static bool has(const char *feature)
{
	__builtin_cpu_init();
#define HAS(name, gcc_name)         \
	if (!strcmp(feature, name)) \
	return __builtin_cpu_supports(gcc_name)
	HAS("SSSE3", "ssse3");
	HAS("SSE4.1", "sse4.1");
	HAS("SSE4.2", "sse4.2");
	HAS("POPCNT", "popcnt");
	HAS("AES", "aes");
	HAS("PCLMUL", "pclmul");
	HAS("AVX", "avx");
	HAS("FMA", "fma");
	HAS("BMI1", "bmi");
	HAS("BMI2", "bmi2");
	HAS("AVX2", "avx2");
	HAS("AVX-512", "avx512f");
#undef HAS
	return false; /* it was refused, after all */
}

struct insn {		      /* after the prefixes */
	bool f2, f3, operand; /* legacy prefixes, or the same in VEX.pp */
	bool wide;	      /* VEX.L: 256 bits */
	unsigned map;	      /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
	uint8_t opcode;
};

static const char *legacy_0f38(const struct insn *i)
{
	uint8_t op = i->opcode;

	if (op >= 0xc8 && op <= 0xcd)
		return "SHA";
	if (op >= 0xdb && op <= 0xdf)
		return "AES";
	if (op == 0xf0 || op == 0xf1)
		return i->f2 ? "SSE4.2" : "MOVBE";
	if (op == 0xf6)
		return "ADX";
	if (op <= 0x0b || (op >= 0x1c && op <= 0x1e))
		return "SSSE3";
	if (op == 0x37)
		return "SSE4.2";
	return op >= 0x10 && op <= 0x41 ? "SSE4.1" : "";
}

static const char *legacy_0f3a(const struct insn *i)
{
	uint8_t op = i->opcode;

	if (op == 0x0f)
		return "SSSE3";
	if (op == 0x44)
		return "PCLMUL";
	if (op == 0xdf)
		return "AES";
	if (op == 0xcc)
		return "SHA";
	return op >= 0x60 && op <= 0x63 ? "SSE4.2" : op >= 0x08 && op <= 0x42 ? "SSE4.1" : "";
}

static const char *legacy(const struct insn *i)
{
	if (i->map == 2)
		return legacy_0f38(i);
	if (i->map == 3)
		return legacy_0f3a(i);
	if (i->map == 1 && i->f3 && i->opcode == 0xb8)
		return "POPCNT";
	return i->map == 1 && i->f3 && i->opcode == 0xbd ? "LZCNT" : "";
}

static bool is_vector_integer(uint8_t op)
{
	return (op >= 0x60 && op <= 0x6d) || (op >= 0x71 && op <= 0x76) ||
	       (op >= 0xd1 && op != 0xd6 && op != 0xe6 && op != 0xe7 && op != 0xf0 && op != 0xf7);
}

static const char *vex(const struct insn *i)
{
	uint8_t op = i->opcode, low = op & 0xf;

	if (i->map == 2 && op >= 0x96 && op <= 0xbf && low >= 6)
		return op == 0xb4 || op == 0xb5 ? "newer AVX" : "FMA";
	if (i->map == 2 && (op == 0x49 || op == 0x4b || (op >= 0x5c && op <= 0x5e)))
		return "AMX";
	if (i->map == 2 && (op == 0xf2 || op == 0xf3))
		return "BMI1";
	if (i->map == 2 && op >= 0xf5 && op <= 0xf7)
		return op == 0xf7 && !i->f2 && !i->f3 && !i->operand ? "BMI1" : "BMI2";
	if (i->map == 3 && op == 0xf0)
		return "BMI2";
	if (i->map == 2 && ((op >= 0x45 && op <= 0x47) || op == 0x36 || op == 0x16 || op == 0x5a ||
				   op == 0x58 || op == 0x59 || op == 0x78 || op == 0x79 ||
				   op == 0x8c || op == 0x8e || (op >= 0x90 && op <= 0x93)))
		return "AVX2";
	if (i->map == 1 && i->wide && i->operand && is_vector_integer(op))
		return "AVX2";
	return i->map == 2 && i->wide && (op <= 0x0b || (op >= 0x20 && op <= 0x40)) ? "AVX2"
										    : "AVX";
}

static void set_pp(struct insn *i, unsigned pp)
{
	i->operand = pp == 1;
	i->f3 = pp == 2;
	i->f2 = pp == 3;
}

static size_t prefixes(const uint8_t *code, size_t n, struct insn *ret)
{
	static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67, 0xf0};
	size_t at = 0;

	for (; at < n; at++) {
		if (code[at] == 0xf2)
			ret->f2 = true;
		else if (code[at] == 0xf3)
			ret->f3 = true;
		else if (code[at] == 0x66)
			ret->operand = true;
		else if ((code[at] & 0xf0) != 0x40 && !memchr(segments, code[at], sizeof segments))
			break;
	}
	return at;
}

static const char *family(const uint8_t *code, size_t n, bool *ret_extended)
{
	struct insn i = {0};
	size_t at = prefixes(code, n, &i);

	*ret_extended = true;
	if (n >= at + 4 && code[at] == 0x62)
		return "AVX-512";
	if (n >= at + 4 && code[at] == 0xc4) {
		i.map = code[at + 1] & 0x1f;
		i.wide = code[at + 2] & 4;
		set_pp(&i, code[at + 2] & 3);
		i.opcode = code[at + 3];
		return vex(&i);
	}
	if (n >= at + 3 && code[at] == 0xc5) {
		i.map = 1;
		i.wide = code[at + 1] & 4;
		set_pp(&i, code[at + 1] & 3);
		i.opcode = code[at + 2];
		return vex(&i);
	}
	*ret_extended = false;
	if (n < at + 3 || code[at] != 0x0f)
		return "";
	i.map = code[at + 1] == 0x38 ? 2 : code[at + 1] == 0x3a ? 3 : 1;
	i.opcode = code[at + (i.map == 1 ? 1 : 2)];
	return legacy(&i);
}

bool insn_is_trap(const uint8_t *code, size_t n)
{
	return n >= 2 && code[0] == 0x0f && (code[1] == 0x0b || code[1] == 0xb9 || code[1] == 0xff);
}

const char *insn_feature(const uint8_t *code, size_t n, bool *ret_lacking)
{
	bool extended;
	const char *name = family(code, n, &extended);

	*ret_lacking = false;
	if (!*name)
		return "";
	*ret_lacking = !has(name);
	/* The CPU has the family and refused this all the same. */
	if (!*ret_lacking && !extended)
		return "";
	return *ret_lacking || !strcmp(name, "AVX-512") ? name : "newer AVX";
}

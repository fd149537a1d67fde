/*
 * Facts as JSON. One row per member, so that what is written is what is read.
 * Reading trusts nothing: job.json is the user's and may have been edited.
 * Addresses are hexadecimal text, since JSON's integers are signed here.
 */
#include "diag/diag.h"
#include "diag/text.h"

#include <stddef.h>
#include <string.h>

enum row_type { ROW_U64, ROW_INT, ROW_BOOL, ROW_TEXT, ROW_HEX, ROW_NAME, ROW_CHAR };

struct row {
	const char *name;
	enum row_type type;
	size_t offset, size;
	const char *const *names; /* ROW_NAME: of an enum's values, NULL-terminated */
};

#define ROW(type, s, member)                                                                     \
	{                                                                                        \
#member, type, offsetof(struct s, member), sizeof(((struct s *)0)->member), NULL \
	}
#define ROW_ENUM(s, member, names)                                                              \
	{                                                                                       \
#member, ROW_NAME, offsetof(struct s, member), sizeof(((struct s *)0)->member), \
			names                                                                   \
	}

static const char *const how_names[] = {"running", "exit", "signal", "stopped", "lost", NULL};
static const char *const stop_names[] = {
#define X(name, text) text,
	DIAG_STOPS(X)
#undef X
		NULL};
static const char *const place_names[] = {
	"unknown", "null", "below-stack", "unmapped", "mapped", "not-canonical", NULL};
static const char *const limit_names[] = {
#define X(name, text, shell) text,
	DIAG_LIMITS(X)
#undef X
};

#define F(type, member) ROW(type, diag_facts, member)
static const struct row facts_rows[] = {
	ROW_ENUM(diag_facts, how, how_names),
	F(ROW_INT, exit_code),
	F(ROW_INT, signal),
	ROW_ENUM(diag_facts, stop, stop_names),
	F(ROW_U64, wanted_bytes),
	F(ROW_U64, image),
	F(ROW_U64, from_image),
	F(ROW_TEXT, host),
	F(ROW_TEXT, boot_id),
	F(ROW_TEXT, seen_host),
	F(ROW_TEXT, seen_boot_id),
	F(ROW_U64, started_ns),
	F(ROW_U64, ended_ns),
	F(ROW_U64, cpu_ns),
	F(ROW_INT, pid),
	F(ROW_TEXT, program),
	F(ROW_U64, failed_calls),
	F(ROW_TEXT, scheduler),
	F(ROW_U64, time_end_ns),
	F(ROW_TEXT, kernel_oom),
	F(ROW_TEXT, kernel_fault),
	F(ROW_TEXT, stderr_tail),
};
#undef F

#define M(member) ROW(ROW_U64, diag_memory, member)
static const struct row memory_rows[] = {
	M(job_rss),
	M(job_peak),
	M(growth_per_s),
	M(available),
	M(total),
	M(swap_free),
	M(swap_total),
	M(cgroup_current),
	M(cgroup_limit),
	M(oom_kills_before),
	M(oom_kills_after),
	M(memory_max),
};
#undef M

static const struct row signal_rows[] = {
	ROW(ROW_INT, diag_signal, number),
	ROW(ROW_INT, diag_signal, pid),
	ROW(ROW_INT, diag_signal, uid),
	ROW(ROW_BOOL, diag_signal, terminal),
	ROW(ROW_U64, diag_signal, time_ns),
};

static const struct row call_rows[] = {
	ROW(ROW_TEXT, diag_call, function),
	ROW(ROW_U64, diag_call, bytes),
	ROW(ROW_INT, diag_call, error),
	ROW(ROW_BOOL, diag_call, held),
	ROW(ROW_U64, diag_call, time_ns),
};

static const struct row disk_rows[] = {
	ROW(ROW_TEXT, diag_disk, what),
	ROW(ROW_TEXT, diag_disk, path),
	ROW(ROW_U64, diag_disk, free_bytes),
	ROW(ROW_U64, diag_disk, total_bytes),
	ROW(ROW_U64, diag_disk, free_inodes),
	ROW(ROW_U64, diag_disk, total_inodes),
};

#define C(type, member) ROW(type, diag_crash, member)
static const struct row crash_rows[] = {
	C(ROW_INT, signal),
	C(ROW_INT, code),
	C(ROW_INT, pid),
	C(ROW_INT, sender),
	C(ROW_HEX, address),
	C(ROW_HEX, ip),
	C(ROW_HEX, sp),
	C(ROW_U64, time_ns),
	C(ROW_CHAR, access),
	ROW_ENUM(diag_crash, place, place_names),
	C(ROW_TEXT, target),
	C(ROW_TEXT, target_mode),
	C(ROW_U64, target_beyond),
	C(ROW_TEXT, module),
	C(ROW_HEX, offset),
	C(ROW_TEXT, function),
	C(ROW_TEXT, line),
	C(ROW_TEXT, feature),
	C(ROW_BOOL, feature_lacking),
	C(ROW_TEXT, message),
};
#undef C

/* ---- rows to JSON ------------------------------------------------------------------- */

/* NULL: not known, left out. */
static json_t *put_row(const struct row *r, const void *base)
{
	const void *at = (const char *)base + r->offset;
	uint64_t u = r->type == ROW_U64 || r->type == ROW_HEX ? *(const uint64_t *)at : 0;

	switch (r->type) {
	case ROW_U64:
		return u && u <= INT64_MAX ? json_integer((json_int_t)u) : NULL;
	case ROW_HEX:
		return u ? json_sprintf("0x%llx", (unsigned long long)u) : NULL;
	case ROW_INT:
		return *(const int *)at ? json_integer(*(const int *)at) : NULL;
	case ROW_BOOL:
		return *(const bool *)at ? json_true() : NULL;
	case ROW_TEXT:
		return *(const char *)at ? json_string(at) : NULL;
	case ROW_NAME:
		return *(const unsigned *)at ? json_string(r->names[*(const unsigned *)at]) : NULL;
	case ROW_CHAR:
		return *(const char *)at ? json_stringn(at, 1) : NULL;
	}
	return NULL;
}

static json_t *put_rows(const struct row *rows, size_t n, const void *base)
{
	json_t *o = json_object(), *value;

	for (size_t i = 0; o && i < n; i++) {
		value = put_row(&rows[i], base);
		if (value)
			json_object_set_new(o, rows[i].name, value);
	}
	return o;
}

static void get_text(const char *text, char *at, size_t size)
{
	if (text)
		text_copy(at, size, text, strlen(text));
}

static void get_name(const struct row *r, const char *text, unsigned *at)
{
	for (unsigned i = 0; text && r->names[i]; i++)
		if (!strcmp(text, r->names[i]))
			*at = i;
}

static void get_hex(const char *text, uint64_t *at)
{
	char *end;
	uint64_t u;

	if (!text || strncmp(text, "0x", 2) != 0 || strlen(text) > 18)
		return;
	u = strtoull(text, &end, 16);
	if (!*end)
		*at = u;
}

static void get_row(const struct row *r, const json_t *v, void *base)
{
	void *at = (char *)base + r->offset;
	json_int_t n = json_integer_value(v);

	switch (r->type) {
	case ROW_U64:
		if (n > 0)
			*(uint64_t *)at = (uint64_t)n;
		break;
	case ROW_HEX:
		get_hex(json_string_value(v), at);
		break;
	case ROW_INT:
		if (n >= INT32_MIN && n <= INT32_MAX)
			*(int *)at = (int)n;
		break;
	case ROW_BOOL:
		*(bool *)at = json_is_true(v);
		break;
	case ROW_TEXT:
		get_text(json_string_value(v), at, r->size);
		break;
	case ROW_NAME:
		get_name(r, json_string_value(v), at);
		break;
	case ROW_CHAR:
		if (json_string_length(v) == 1)
			*(char *)at = *json_string_value(v);
		break;
	}
}

static void get_rows(const struct row *rows, size_t n, const json_t *o, void *base)
{
	for (size_t i = 0; i < n; i++)
		get_row(&rows[i], json_object_get(o, rows[i].name), base);
}

#define PUT(rows, base) put_rows(rows, ARRAY_LEN(rows), base)
#define GET(rows, o, base) get_rows(rows, ARRAY_LEN(rows), o, base)

/* ---- lists -------------------------------------------------------------------------- */

static json_t *put_list(
	const struct row *rows, size_t n_rows, const void *base, size_t size, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, put_rows(rows, n_rows, (const char *)base + i * size));
	return list;
}

static size_t get_list(const json_t *list, const struct row *rows, size_t n_rows, void *base,
	size_t size, size_t max)
{
	size_t n = MIN(json_array_size(list), max);

	for (size_t i = 0; i < n; i++)
		get_rows(rows, n_rows, json_array_get(list, i), (char *)base + i * size);
	return n;
}

#define PUT_LIST(rows, list, n) put_list(rows, ARRAY_LEN(rows), list, sizeof *(list), n)
#define GET_LIST(o, rows, list) \
	get_list(o, rows, ARRAY_LEN(rows), list, sizeof *(list), ARRAY_LEN(list))

static json_t *put_limit_value(uint64_t v)
{
	return v > INT64_MAX ? json_null() : json_integer((json_int_t)v);
}

static json_t *put_limits(const struct diag_limit *all)
{
	json_t *o = json_object();

	for (size_t i = 0; o && i < DIAG_LIMIT_COUNT; i++)
		if (all[i].known)
			json_object_set_new(o, limit_names[i],
				json_pack("[o, o]", put_limit_value(all[i].soft),
					put_limit_value(all[i].hard)));
	return o;
}

static bool get_limit_value(const json_t *v, uint64_t *ret)
{
	json_int_t n = json_integer_value(v);

	*ret = json_is_null(v) ? DIAG_UNLIMITED : (uint64_t)n;
	return json_is_null(v) || (json_is_integer(v) && n >= 0);
}

static void get_limits(const json_t *o, struct diag_limit *all)
{
	for (size_t i = 0; i < DIAG_LIMIT_COUNT; i++) {
		const json_t *pair = json_object_get(o, limit_names[i]);
		struct diag_limit l = {.known = true};

		if (get_limit_value(json_array_get(pair, 0), &l.soft) &&
			get_limit_value(json_array_get(pair, 1), &l.hard))
			all[i] = l;
	}
}

/* Instruction bytes as hexadecimal text. */
static json_t *put_bytes(const struct diag_crash *c)
{
	char text[2 * sizeof c->bytes + 1] = "";

	for (size_t i = 0; i < c->n_bytes && i < sizeof c->bytes; i++)
		snprintf(text + 2 * i, 3, "%02x", c->bytes[i]);
	return json_string(text);
}

static void get_bytes(const char *text, struct diag_crash *c)
{
	unsigned byte;

	for (; text && c->n_bytes < sizeof c->bytes && sscanf(text, "%2x", &byte) == 1; text += 2) {
		c->bytes[c->n_bytes++] = (uint8_t)byte;
		if (!text[1])
			break;
	}
}

json_t *diag_facts_to_json(const struct diag_facts *f)
{
	json_t *o = PUT(facts_rows, f), *crash;

	if (!o)
		return NULL;
	json_object_set_new(o, "limits", put_limits(f->limit));
	json_object_set_new(o, "memory", PUT(memory_rows, &f->memory));
	json_object_set_new(o, "disks", PUT_LIST(disk_rows, f->disks, f->n_disks));
	if (f->n_signals)
		json_object_set_new(o, "signals", PUT_LIST(signal_rows, f->signals, f->n_signals));
	if (f->n_calls)
		json_object_set_new(o, "calls", PUT_LIST(call_rows, f->calls, f->n_calls));
	if (f->crash.signal) {
		crash = PUT(crash_rows, &f->crash);
		json_object_set_new(crash, "bytes", put_bytes(&f->crash));
		json_object_set_new(o, "crash", crash);
	}
	return o;
}

void diag_facts_from_json(const json_t *o, struct diag_facts *ret)
{
	const json_t *crash = json_object_get(o, "crash");

	memset(ret, 0, sizeof *ret);
	GET(facts_rows, o, ret);
	get_limits(json_object_get(o, "limits"), ret->limit);
	GET(memory_rows, json_object_get(o, "memory"), &ret->memory);
	ret->n_disks = GET_LIST(json_object_get(o, "disks"), disk_rows, ret->disks);
	ret->n_signals = GET_LIST(json_object_get(o, "signals"), signal_rows, ret->signals);
	ret->n_calls = GET_LIST(json_object_get(o, "calls"), call_rows, ret->calls);
	GET(crash_rows, crash, &ret->crash);
	get_bytes(json_string_value(json_object_get(crash, "bytes")), &ret->crash);
}

/* ---- filling ------------------------------------------------------------------------ */

void diag_set_stderr(struct diag_facts *f, const char *text, size_t len)
{
	size_t cut = len > DIAG_STDERR_MAX ? len - DIAG_STDERR_MAX : 0;
	const char *line = cut ? memchr(text + cut, '\n', len - cut) : NULL;

	if (line && line + 1 < text + len)
		cut = (size_t)(line + 1 - text);
	if (len)
		text_copy(f->stderr_tail, sizeof f->stderr_tail, text + cut, len - cut);
}

void diag_add_signal(struct diag_facts *f, const struct diag_signal *s)
{
	if (f->n_signals == DIAG_SIGNALS_MAX)
		memmove(f->signals, f->signals + 1, (--f->n_signals) * sizeof *s);
	f->signals[f->n_signals++] = *s;
}

void diag_add_call(struct diag_facts *f, const struct diag_call *c)
{
	if (f->n_calls == DIAG_CALLS_MAX)
		memmove(f->calls, f->calls + 1, (--f->n_calls) * sizeof *c);
	f->calls[f->n_calls++] = *c;
	f->failed_calls++;
}

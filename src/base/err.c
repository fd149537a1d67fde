/* Errors as values: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *why_name(enum why why)
{
	static const char *const names[] = {
#define X(name, text) [WHY_##name] = text,
		CRAGON_WHY(X)
#undef X
	};

	return (size_t)why < ARRAY_LEN(names) ? names[why] : "unknown";
}

int err_set(struct err *e, int code, enum why why, const char *fmt, ...)
{
	va_list ap;

	e->code = code ? code : -EINVAL;
	e->why = why;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return e->code;
}

static enum why why_of_errno(int code)
{
	if (code == -ENOSPC || code == -EDQUOT)
		return WHY_NO_SPACE;
	if (code == -EPERM || code == -EACCES)
		return WHY_PERMISSION;
	return WHY_SYSTEM;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	e->code = code ? code : -EINVAL;
	e->why = why_of_errno(e->code);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(-e->code));
	return e->code;
}

int err_in(struct err *e, const char *fmt, ...)
{
	char inner[sizeof e->text];
	va_list ap;
	size_t n;

	memcpy(inner, e->text, sizeof inner);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %.*s", (int)(sizeof inner - n - 4), inner);
	return e->code;
}

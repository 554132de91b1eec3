#include "base/err.h"

#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int exit_status;
	const char *advice;
} table[] = {
	[ERR_NONE] = {0, NULL},
	[ERR_FAIL] = {1, NULL},
	[ERR_SYSTEM] = {1, NULL},
	[ERR_SANDBOX] = {1, NULL},
	[ERR_SCRIPT] = {1, NULL},
	[ERR_USAGE] = {2, "see 'envbuild --help'"},
	[ERR_INPUT] = {2, NULL},
	[ERR_UNSAT] = {3, NULL},
	[ERR_STALE] = {3, "run 'envbuild lock' to renew it, or leave out --locked"},
	[ERR_NETWORK] = {4, "check the address and the network, then run the same command "
			    "again: what was fetched is kept"},
	[ERR_INTEGRITY] = {5, NULL},
	[ERR_TEST] = {6, "mend the environment or the test and run again"},
	[ERR_AUDIT] = {7, NULL},
	[ERR_INTERRUPTED] = {1, "run the same command again: what was finished is kept"},
};

int err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	struct buf b = {0};

	if (!e)
		return -1;
	err_release(e);
	buf_vprintf(&b, fmt, ap);
	e->code = code;
	e->text = b.p ? b.p : xstrdup("");
	return -1;
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	struct buf b = {0};
	int saved = errno;
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	err_set(e, ERR_SYSTEM, "%s: %s", b.p ? b.p : "", strerror(saved));
	e->sys = saved;
	buf_release(&b);
	if (saved == ENOSPC || saved == EDQUOT)
		err_advise(e, "free some space there and run the same command again");
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	if (!e || !e->text)
		return -1;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_puts(&b, ": ");
	buf_puts(&b, e->text);
	free(e->text);
	e->text = b.p;
	return -1;
}

int err_advise(struct err *e, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	if (!e || e->advice)
		return -1;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	e->advice = b.p;
	return -1;
}

const char *err_advice(const struct err *e)
{
	return e->advice ? e->advice : table[e->code].advice;
}

int err_exit_status(enum err_code code)
{
	return table[code].exit_status;
}

int err_move(struct err *to, struct err *from)
{
	if (!to) {
		err_release(from);
		return -1;
	}
	err_release(to);
	*to = *from;
	*from = (struct err){0};
	return -1;
}

void err_release(struct err *e)
{
	free(e->text);
	free(e->advice);
	*e = (struct err){0};
}

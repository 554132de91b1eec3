/*
 * Errors: the last argument of every function that can fail.
 *
 *	struct err err = {0};
 *	if (thing_read(path, &thing, &err) < 0)
 *		return err_wrap(&err, "while reading '%s'", path);
 *
 * A zeroed struct means "no error".  It is untouched on success, set once where the fault is
 * seen and wrapped on the way up; the text reads "outer: inner".  Messages: lower case, no full
 * stop, the error first, the subject in single quotes.  The advice says what to do next; where
 * none was given the table of codes has one.  A NULL err is allowed and drops everything.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

/* What went wrong.  err_exit_status() maps it to the documented exit status. */
enum err_code {
	ERR_NONE = 0,
	ERR_FAIL,        /* anything else                                  exit 1 */
	ERR_SYSTEM,      /* a system call failed                           exit 1 */
	ERR_SANDBOX,     /* the host refuses what the sandbox needs        exit 1 */
	ERR_SCRIPT,      /* a link script, pip or a hook failed            exit 1 */
	ERR_USAGE,       /* command line                                   exit 2 */
	ERR_INPUT,       /* environment file, profile, envbuild.yml        exit 2 */
	ERR_UNSAT,       /* no solution                                    exit 3 */
	ERR_STALE,       /* the lock does not fit, under --locked          exit 3 */
	ERR_NETWORK,     /* network or channel                             exit 4 */
	ERR_INTEGRITY,   /* hash, corrupt or hostile input, clobbering     exit 5 */
	ERR_TEST,        /* the test script failed                         exit 6 */
	ERR_AUDIT,       /* the audit found an error                       exit 7 */
	ERR_INTERRUPTED, /* a signal; the program dies of it */
};

struct err {
	enum err_code code;
	char *text;   /* owned; NULL while there is no error */
	char *advice; /* owned; NULL: the table's */
	int sys;      /* errno as err_sys() found it; 0: not a system call's */
};

/* Each of these returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
/* ERR_SYSTEM with ": " and strerror(errno) behind the text; ENOSPC and EDQUOT carry advice. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "text: " in front. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets the advice unless there is one already (the innermost knows best). */
int err_advise(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The advice to print: given, or the table's for the code, or NULL. */
const char *err_advice(const struct err *e);
int err_exit_status(enum err_code code);
/* Moves the error of *from to *to (as a worker hands its error to the caller); -1. */
int err_move(struct err *to, struct err *from);
/* Empties it; ready for reuse. */
void err_release(struct err *e);

#endif

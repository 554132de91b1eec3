/*
 * Words for people: warnings, notes and progress, all on stderr.
 *
 * Only this module and cli/ write to the terminal.  On a terminal a step is one line that is
 * redrawn at most 6 times a second; elsewhere one plain line when it ends.  Quiet and JSON modes
 * print errors only (warnings are still collected, for NAME.run.json).
 * Safe to call from several threads.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

struct log_options {
	bool quiet;  /* -q, --json */
	int verbose; /* -v count: log_debug is shown from 1 */
};
void log_setup(struct log_options options);

/* A result in words, as "envbuild: TEXT". */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "envbuild: warning: TEXT", collected; the same text is said once. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "envbuild: error: TEXT" and "envbuild: hint: ADVICE" below it; shown in every mode. */
void log_error(const struct err *e);
/* Warnings so far, in order; valid until the next log call. */
size_t log_warnings(const char *const **texts);
/* Raw output of a script or test, passed on to stderr unless quiet. */
void log_output(struct str bytes);
/* The end of that output, which explains an error: shown where log_output was quiet. */
void log_unseen_output(struct str bytes);

/*
 * One step of long work:
 *	struct step s;
 *	step_begin(&s, "fetch", n_packages, total_bytes);   (0: not known)
 *	step_tick(&s, 1, bytes);                            (from any thread)
 *	step_end(&s, "%zu packages", n);  or  step_fail(&s);
 * While it runs a terminal shows items and bytes of their totals, the speed of the last seconds,
 * and the time that is left where it is over ten.  At the end it prints name, what was said, bytes
 * if any with their mean speed, and seconds.  One step at a time.
 */
struct step {
	const char *name;
	uint64_t items, bytes; /* totals, 0 unknown */
	_Atomic uint64_t done_items, done_bytes;
	uint64_t start_ns;
	_Atomic uint64_t drawn_ns;
	uint64_t rate_ns, rate_bytes; /* when `rate` was last reckoned, and done_bytes then */
	double rate;                  /* bytes a second */
};
void step_begin(struct step *s, const char *name, uint64_t items, uint64_t bytes);
void step_tick(struct step *s, uint64_t items, uint64_t bytes);
/* These bytes have to come again. */
void step_take_back(struct step *s, uint64_t bytes);
/* Redraws the line of the running step where that is due: for those who wait for others. */
void log_refresh(void);
void step_end(struct step *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void step_fail(struct step *s);
/* Every ended step: name and seconds, for NAME.run.json. */
struct step_time {
	const char *name;
	double seconds;
};
size_t log_steps(const struct step_time **times);

/* Monotonic clock, nanoseconds. */
uint64_t now_ns(void);
/* "73.9 MB" (SI units). Returns out. */
char *format_bytes(uint64_t bytes, char out[24]);

#endif

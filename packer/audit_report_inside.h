/* Private to packer/audit_report*.c and audit_html*.c: what the forms of a report have in common. */
#ifndef PACKER_AUDIT_REPORT_INSIDE_H
#define PACKER_AUDIT_REPORT_INSIDE_H

#include "packer/audit_report.h"

/* The findings of one package, in the order of the audit. */
struct report_group {
	ptrdiff_t package; /* -1: of none */
	const struct audit_finding **v;
	size_t n;
};
struct report_groups {
	struct report_group *v; /* the one with the worst finding first */
	size_t n;
};
/* Those that count, or (ignored) those that do not. */
void report_group(
	struct arena *a, const struct audit *audit, bool ignored, struct report_groups *out);

/* "numpy-1.19.2-py36_0"; of none: "no package". */
struct str report_package(const struct audit *audit, ptrdiff_t package);
/* "1 error", "2 errors", in the arena. */
struct str report_count(struct arena *a, size_t n, const char *what);
/* "certain", "likely", "possible" */
const char *report_sure(enum audit_sure sure);
/* What was it held against?  "image" or "list". */
const char *report_against(const struct audit *audit);
/*
 * Text as XML and HTML have it, between tags and in quoted attributes: what no XML document may
 * hold becomes U+FFFD, as do bytes that are not UTF-8.
 */
void report_markup(struct buf *to, struct str s);

#endif

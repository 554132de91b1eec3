/* What an audit found, for people and for programs.  Each writes a whole document. */
#ifndef PACKER_AUDIT_REPORT_H
#define PACKER_AUDIT_REPORT_H

#include "base/buf.h"
#include "packer/audit.h"

enum audit_form { AUDIT_TEXT, AUDIT_JSON, AUDIT_JUNIT, AUDIT_HTML };

/* By a file's name: .txt, .json, .xml, .html.  ERR_USAGE. */
int audit_form_of(const char *file, enum audit_form *out, struct err *e);
void audit_report(struct arena *a, const struct audit *audit, enum audit_form form, struct buf *to);
/* Lines for the terminal: by package, the worst first; infos only where `all`. */
void audit_text(struct arena *a, const struct audit *audit, bool all, struct buf *to);
/* audit.json of an archive, and what --json prints (docs/design/audit.md). */
void audit_json(const struct audit *audit, struct buf *to);
/* A test case for each binary and rule that was looked at (JUnit's XML, as CI servers read it). */
void audit_junit(struct arena *a, const struct audit *audit, struct buf *to);
/* One page that needs nothing else: a table to sort and filter, a picture of the floors. */
void audit_html(struct arena *a, const struct audit *audit, struct buf *to);

#endif

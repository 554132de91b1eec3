/* Private to packer/audit_html*.c: the parts of the page. */
#ifndef PACKER_AUDIT_HTML_INSIDE_H
#define PACKER_AUDIT_HTML_INSIDE_H

#include "packer/audit_report_inside.h"

/* The picture of what each package needs of glibc, and a table of all. */
void html_floors(struct arena *a, const struct audit *audit, struct buf *to);
/* What filters, and the table of findings. */
void html_findings(struct arena *a, const struct audit *audit, struct buf *to);

#endif

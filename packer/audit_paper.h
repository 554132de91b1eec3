/* audit.json: what audit_packages() found, as an archive carries it. */
#ifndef PACKER_AUDIT_PAPER_H
#define PACKER_AUDIT_PAPER_H

#include "base/buf.h"
#include "packer/audit.h"

/* fault: why it could not be made, NULL where it was; audit is then not looked at. */
void audit_write(struct arena *a, const struct audit *audit, const struct profile *profile,
	const char *fault, struct buf *to);

#endif

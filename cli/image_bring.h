/* What `image import`, `image pull` and `image build` share. */
#ifndef CLI_IMAGE_BRING_H
#define CLI_IMAGE_BRING_H

#include "cli/session.h"
#include "images/import.h"

struct bring {
	struct store store;
	struct profile profile; /* of the target of that name, as `import` has it */
	struct import_request import;
};

/*
 * For the first operand.  Where there is a target of that name, its profile comes along, and what is
 * brought must fit it.  ERR_USAGE for the one name that no image can have.
 */
int bring_open(struct session *s, struct bring *out, struct err *e);

#endif

/* lock --update: which packages of which targets, and what came of it. */
#ifndef CLI_UPDATE_H
#define CLI_UPDATE_H

#include "base/json.h"
#include "cli/plan.h"

/*
 * Reads the names of --update into the project and, where neither -t nor envbuild.yml says which
 * targets, takes all of the lock.  ERR_USAGE where there is no lock, or no target has one of the
 * names (the message has names that look like it).  Without --update: nothing.
 */
int update_begin(struct session *s, struct project *p, struct err *e);
/*
 * Takes over what the new lock entry keeps of the old one besides files: the Python distributions
 * that are known to be in packages and, where the pip section needs nothing else, its packages.
 */
int update_keep(struct session *s, const struct project *p, struct plan *plan, struct err *e);
/*
 * Says what moved from the lock as it was to the plan, on stderr and as the keys "moved" and
 * "moved_pypi" of the JSON object; to be called before the plan enters the lock.
 */
void update_tell(
	struct session *s, const struct project *p, const struct plan *plan, struct json_out *w);

#endif

/* What goes into an archive, out of options and envbuild.yml; and how large that is. */
#ifndef CLI_RULES_H
#define CLI_RULES_H

#include "cli/plan.h"
#include "packer/sizes.h"

/*
 * Fills *out from the options, and behind them from envbuild.yml; files to be added and the script
 * are read now.  ERR_USAGE and ERR_INPUT name who asks.
 */
int rules_collect(struct session *s, const struct project *p, struct rules *out, struct err *e);
/*
 * What the installation needs to know of them; *hook is filled and must outlive the request.  Of those
 * of rules_from_archive(), too: the script is written into the work folder here.
 */
int rules_fill_install(struct session *s, const struct rules *r, const struct plan *plan,
	const char *project_dir, struct pre_pack *hook, struct install_request *request,
	struct err *e);
/* Changes the content as they say and measures it; --size-report is printed on stderr. */
int rules_run(struct session *s, struct rules *r, struct content *content, struct sizes *out,
	struct err *e);
/* ERR_FAIL where an archive of so many bytes is larger than --max-size, with what is large in it. */
int rules_check_size(
	const struct rules *r, const struct sizes *sizes, uint64_t bytes, struct err *e);
#endif

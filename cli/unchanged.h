/*
 * Would `envbuild pack` make again what lies there already (docs/design/archive.md)?
 *
 *	inputs_take(&request, &inputs);             before anything is made
 *	if (unchanged(&request, &inputs, &run)) ...
 *	inputs_finish(&inputs, lock);               when it is made: goes into NAME.run.json
 *
 * What is summed up is everything that was said: each option with its value, envbuild.yml, and the
 * content of each file and folder that either names.  An option or a setting that is new is in it
 * without being told of; only what cannot change an archive is left out, by name.
 */
#ifndef CLI_UNCHANGED_H
#define CLI_UNCHANGED_H

#include "base/json.h"
#include "cli/output.h"
#include "packer/release.h"

struct inputs {
	bool known; /* else some cannot be summed up: it is never unchanged */
	uint8_t sha256[SHA256_LEN];
};

struct inputs_request {
	struct session *s;
	const struct project *project;
	const struct plan *plan;
	const struct engine_options *engine;
	const struct output *output; /* named, not begun */
	bool has_test, has_hook;     /* a pre-pack script sees the project, too */
	struct str script;           /* the test script's text */
	const char *project_dir;     /* what the test sees */
};

/* All but the lock, whose part is known when it has been settled. */
void inputs_take(const struct inputs_request *r, struct inputs *out);
void inputs_finish(struct inputs *inputs, struct str lock);

/*
 * Is everything there, of these inputs, whole and as it was released?  Then *run is what its run.json
 * says.  The lock must have been current.
 */
bool unchanged(
	const struct inputs_request *r, const struct inputs *inputs, struct release_run *run);
/* "inputs" of NAME.run.json: of an archive that stands at `archive` as it will be released. */
void inputs_tell(
	struct arena *a, const struct inputs *inputs, const char *archive, struct json_out *w);

#endif

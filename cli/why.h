/* The answers of `envbuild why`, as words and as JSON. */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "base/json.h"
#include "solver/why.h"

struct why_words {
	struct str spec;
	const char *target;
	bool only_lock;
	bool all; /* leave nothing out */
};

/* Lines for people. */
void why_tell(const struct why *answer, const struct why_words *w, struct buf *to);
/* The fields of one target's object, behind "target". */
void why_json(struct json_out *w, const struct why *answer);

#endif

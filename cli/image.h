/* What the image commands share. */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

#include "base/json.h"
#include "cli/session.h"
#include "images/profile.h"

/* The profile of a target that is known here (./targets and the shipped ones): 1, 0, or -1. */
int image_profile(struct session *s, const char *name, struct profile *out, struct err *e);
/* What was imported, on stderr, and as a document under --json. */
void image_say(struct session *s, const struct image *i, bool was_there);
/* An object; NULL writes null. */
void image_json(struct json_out *w, const struct image *i);

#endif

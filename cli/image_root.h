/*
 * Which root file system a target runs in.
 *
 * --image WORD: a folder where WORD holds a '/' or is "." or ".."; else the image of that name; else a
 * folder of that name.  Without it: the profile's `image: {root: DIR}`, else the image that is called
 * as the target is.  `host` runs in "/".
 */
#ifndef CLI_IMAGE_ROOT_H
#define CLI_IMAGE_ROOT_H

#include "cli/session.h"
#include "images/engine.h"

/*
 * Fills root and digest of the options, whose profile and engine are set; the image is kept while the
 * session lasts.  1; 0 where the target has no image here (engine_open would say so); -1.
 */
int image_root(struct session *s, struct engine_options *options, struct err *e);
/* The folder of the target's files, as an engine with these options would take it; NULL: none. */
const char *image_root_folder(const struct engine_options *options);

#endif

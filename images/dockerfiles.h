/* The shipped Dockerfiles, carried inside the program: Dockerfiles/TARGET.Dockerfile. */
#ifndef IMAGES_DOCKERFILES_H
#define IMAGES_DOCKERFILES_H

#include "base/str.h"

/* The text of the one that a shipped profile names so; {NULL, 0}: there is none. */
struct str dockerfile_text(struct str path);

#endif

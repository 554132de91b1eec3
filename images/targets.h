/* The shipped target profiles, carried inside the program: images/targets/NAME.yml. */
#ifndef IMAGES_TARGETS_H
#define IMAGES_TARGETS_H

#include "base/str.h"

enum { N_TARGETS = 6 };

/* Name and text of the i-th, in byte order of names; they live as long as the program. */
struct str target_name(size_t i);
struct str target_text(size_t i);

#endif

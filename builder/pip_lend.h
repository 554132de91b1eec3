/* The builder's git for builds in a root that has none: setuptools_scm and versioneer ask it. */
#ifndef BUILDER_PIP_LEND_H
#define BUILDER_PIP_LEND_H

#include "builder/pip.h"

/*
 * Puts git, its loader and its libraries into the work folder, behind a small script on the path of
 * pip.  Nothing is done where root or environment have git, or where this machine's is not a program
 * that its loader can list.
 */
int pip_lend_git(struct pip_work *w, struct err *e);

#endif

/*
 * The sum of a project's folder: has anything of it changed since a wheel was built?
 *
 * sha256 over, for each regular file and link in the order of dir_walk: type ('f', 'x' executable,
 * 'l'), path, NUL, length in decimal, NUL, content (a link's target).  Left out is what building and
 * running write: .git, .hg, .svn, __pycache__, *.pyc, *.egg-info, .tox, .nox, .venv, .mypy_cache,
 * .pytest_cache, and at the top build, dist, envbuild.lock and archives with what stands beside them
 * (*.tar, *.tar.gz, *.tar.zst, *.squashfs, *.sha256, *.run.json).
 */
#ifndef SOLVER_SOURCE_SUM_H
#define SOLVER_SOURCE_SUM_H

#include "base/err.h"

#include <stdint.h>

/* ERR_INPUT beyond 1,000,000 files; ERR_SYSTEM. */
int source_sum(const char *folder, uint8_t sha256[32], struct err *e);

#endif

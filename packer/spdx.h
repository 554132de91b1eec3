/*
 * Licence expressions (SPDX specification 2.3, annex D).
 *
 * The identifiers are those of version 3.25.0 of SPDX's licence list, deprecated ones too: one to a
 * line in spdx/licenses and spdx/exceptions, which are part of the program.
 */
#ifndef PACKER_SPDX_H
#define PACKER_SPDX_H

#include "base/str.h"

#include <stdbool.h>

/*
 * Is it an expression of known identifiers: "MIT", "GPL-2.0+", "MIT AND (Zlib OR BSD-3-Clause)",
 * "Apache-2.0 WITH LLVM-exception", "LicenseRef-ours"?  Identifiers are compared with their capitals:
 * what a reader of the result would have to guess at is none.
 */
bool spdx_is_expression(struct str text);

#endif

/* The selectors of environment files (CEP 24): "# [linux and not aarch64]" and "sel(linux)". */
#ifndef SOLVER_SELECTOR_H
#define SOLVER_SELECTOR_H

#include "base/str.h"

/*
 * Words joined with "and", "or", "not" and parentheses.  1 true for the subdir, 0 false, -1 where
 * it is no such expression.
 */
int selector_eval(struct str expression, struct str subdir);
/*
 * The expression of a line's comment, "# [...]" at its end; false where there is none.  column:
 * where the entry begins, from 1.
 */
bool selector_of_line(struct str line, int column, struct str *expression);

#endif

/*
 * Regular expressions whose time is bounded: Python's syntax without what needs going back.
 *
 * Matching simulates all states at once (K. Thompson, "Regular Expression Search Algorithm", 1968):
 * at most REGEX_STEPS_MAX steps for each character of the subject, whatever the expression.  libc's
 * regcomp() has no such bound: it takes minutes for "^(a{1,32767}){1,32767}$", which any channel
 * could hold.
 *
 *	regex  = branch { "|" branch }
 *	branch = { atom [ "*" | "+" | "?" | "{" [ m ] [ "," [ n ] ] "}" ] [ "?" ] }
 *	atom   = character | "." | "^" | "$" | "[" [ "^" ] set "]" | "\" escape
 *	       | "(" [ "?:" | "?P<" name ">" ] regex ")"
 *	escape = d D w W s S b B A Z t n r f v | x hex hex | anything but a letter or digit
 */
#ifndef SOLVER_STRMATCH_REGEX_H
#define SOLVER_STRMATCH_REGEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { REGEX_MAX = 256, REGEX_STEPS_MAX = 1024 };

struct regex; /* compiled, in an arena */

/*
 * ERR_INPUT says what is wrong "at" which character, counted from 1 at origin, the start of the
 * whole text that `text` is a part of: bad syntax, look-around and back references (CEP 29), more
 * than REGEX_MAX characters or REGEX_STEPS_MAX steps.
 */
int regex_compile(struct arena *a, struct str text, const char *origin, const struct regex **out,
	struct err *e);
/* Does it match anywhere in s (Python's re.search), case-insensitively over ASCII? */
bool regex_search(const struct regex *re, struct str s);
/*
 * The length of the "^...$" that s begins with: up to the first "$" that stands neither in a group
 * nor in a set nor behind a backslash; 0 where there is none.
 */
size_t regex_length(struct str s);

#endif

/* Private to solver/requirement*.c: from texts to logical lines, and one line to a requirement. */
#ifndef SOLVER_REQUIREMENTS_LINES_H
#define SOLVER_REQUIREMENTS_LINES_H

#include "solver/requirements.h"

struct physical_line {
	struct str text;
	int line;
};

/* Joined at backslashes, less its comment; not empty. */
struct logical_line {
	struct str written; /* with ${VARIABLES} in it: no secret of the environment */
	struct str text;    /* with their values */
	int line;           /* where it begins */
};

struct logical_lines {
	struct logical_line *v;
	size_t n, cap;
};

/* Splits a file's text; ERR_INPUT for what is no text. */
int lines_split(struct arena *a, const char *name, struct str text, struct physical_line **out,
	size_t *n, struct err *e);
void lines_join(
	struct arena *a, const struct physical_line *lines, size_t n, struct logical_lines *out);

/* Words as a POSIX shell splits them; -1 where a quote is not closed. */
struct words {
	struct str *v;
	size_t n, cap;
};
int words_split(struct arena *a, struct str text, struct words *out);

/* "sha256:HEX", sha384 or sha512, with as many digits as it has? */
bool requirement_hash_is_valid(struct str hash);

/* The part of a line before its options: name, URL or path, and marker. */
struct requirement_place {
	const char *where;       /* "FILE:LINE", for messages */
	const char *project_dir; /* absolute */
};
int requirement_parse(struct arena *a, const struct requirement_place *at, struct str text,
	struct requirement *out, struct err *e);

#endif

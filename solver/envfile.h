/* environment.yml (CEP 24), with the place of every entry. */
#ifndef SOLVER_ENVFILE_H
#define SOLVER_ENVFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "solver/settings.h"

/* A text and where it stands. line 0: from the command line or a default. */
struct spec_line {
	struct str text;
	int line, column;
};

struct env_variable {
	struct str name, value;
};

struct envfile {
	const char *path; /* as given, for messages */
	char *dir;        /* absolute path of its folder */
	struct str text;  /* the file's bytes */
	struct str name;  /* empty: none */
	struct spec_line *channels, *depends, *pip;
	size_t n_channels, n_depends, n_pip;
	struct env_variable *variables; /* in the file's order */
	size_t n_variables;
	struct str *platforms;
	size_t n_platforms;
};

/*
 * Reads and checks the file.  Every dependency is parsed as a MatchSpec, so that an error has
 * file:line:column (ERR_INPUT).  Selectors of both kinds (comments "# [linux]", maps "sel(linux):
 * spec") are applied for the subdir.  Unknown top-level keys: one log_warn each; unknown dependency
 * subsections: an error (CEP 24).  `prefix` is read and ignored.  A comment within a quoted
 * dependency ("numpy # why") is cut off, as conda does, and so are the credentials of a URL in
 * one; pip lines are kept as they are written.
 */
int envfile_read(
	struct arena *a, const char *path, const char *subdir, struct envfile *out, struct err *e);
/* The file's bytes as others may read them: without the credentials of channels and other URLs. */
struct str envfile_public_text(struct arena *a, const struct envfile *env);

#endif

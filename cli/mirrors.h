/* Where else the files of a channel lie. */
#ifndef CLI_MIRRORS_H
#define CLI_MIRRORS_H

#include "cli/session.h"
#include "solver/settings.h"

/*
 * Tells s->http the mirrors of --mirror, then those of the settings (NULL: none), whose relative
 * folders are below dir, then those of --condarc.  CHANNEL is resolved as channels are, a mirror is a URL or a folder.  May
 * be called again.
 */
int mirrors_declare(
	struct session *s, const struct settings *settings, const char *dir, struct err *e);

#endif

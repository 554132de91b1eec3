/*
 * What netrc ($NETRC, else ~/.netrc) holds for a host, for who sends it otherwise than as a user's
 * name and password.  The grammar is that of ftp(1): words "machine NAME", "default", "login NAME",
 * "password WORD", "account WORD" between white space, "macdef NAME" up to an empty line; as curl and
 * git have it, a word may stand in double quotes with backslashes in it, and '#' begins a comment
 * where a word could begin.
 */
#ifndef BASE_HTTP_NETRC_H
#define BASE_HTTP_NETRC_H

#include "base/arena.h"

/*
 * The password for the host; NULL: none.  It lives in the arena.  That of "default" is for
 * everybody, and goes to nobody.
 */
char *netrc_find(struct arena *a, struct str text, const char *host);
/* The same from the user's file; NULL also where there is no file that can be read. */
char *netrc_password(struct arena *a, const char *host);

#endif

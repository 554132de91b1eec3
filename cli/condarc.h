/* What --condarc changes of a session. */
#ifndef CLI_CONDARC_H
#define CLI_CONDARC_H

#include "base/json.h"
#include "cli/session.h"

/*
 * Reads the file into s->condarc and s->rules, with --channel-alias over it; warns of keys that do
 * nothing.  Where the environment does not say otherwise, SSL_CERT_FILE and the proxies' variables
 * become what the file has, for us, pip and git alike.  Without --condarc: no file is read.
 */
int condarc_open(struct session *s, struct err *e);
/* The network's limits, where o has none. */
void condarc_limits(const struct session *s, struct http_options *o);
/* Proxies of single hosts, and the package folders as layers of the cache. */
void condarc_lend(struct session *s);
/* "condarc": null or {path, sha256}. */
void condarc_tell(const struct session *s, struct json_out *w);

#endif

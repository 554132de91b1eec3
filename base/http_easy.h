/* What every request of an http has in common, whatever is asked; for base/http*.c alone. */
#ifndef BASE_HTTP_EASY_H
#define BASE_HTTP_EASY_H

#include "base/http_transfer.h"

#include <signal.h>

/*
 * Protocols, certificates, proxy, connection time, the program's name, descriptors that no child
 * gets: on a new CURL easy handle for this URL.
 */
void http_easy_prepare(const struct http *h, void *easy, const char *url);
/* "NAME: VALUE" to a struct curl_slist; a value that is NULL or has line ends is not sent. */
void http_easy_header(void **list, const char *name, const char *value);
/*
 * libcurl without signals leaves SIGPIPE to us: a secure connection that the server has dropped
 * raises it.  It goes to the thread that writes, so it is blocked between these and taken back.
 */
struct sigpipe {
	sigset_t only, old;
};
void sigpipe_block(struct sigpipe *s);
void sigpipe_restore(const struct sigpipe *s);

#endif

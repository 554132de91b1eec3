/* Which credentials go with which URL; what is kept here is never written anywhere. */
#ifndef BASE_HTTP_CREDENTIALS_H
#define BASE_HTTP_CREDENTIALS_H

#include "base/arena.h"
#include "base/str.h"

struct credentials {
	struct credential {
		struct str url, fetch_url;
	} * v;
	size_t n, cap;
};

/* As http_add_credentials. */
void credentials_add(
	struct arena *a, struct credentials *list, const char *url, const char *fetch_url);
/* The URL to fetch: with the credentials of the longest `url` above it, unless it has its own. */
const char *credentials_apply(struct arena *a, const struct credentials *list, const char *url);

#endif

/*
 * Who one is at which host: the file of credentials that rattler and pixi keep (rattler_networking,
 * authentication_storage).  What is read here is never written anywhere.
 *
 *	{
 *	  "repo.example": {"BearerToken": "TOKEN"},                        Authorization: Bearer TOKEN
 *	  "*.example.org": {"CondaToken": "TOKEN"},                        /t/TOKEN before the path
 *	  "host.example": {"BasicHTTP": {"username": "me", "password": "PW"}}
 *	}
 *
 * "*.example.org" is for example.org and all below it; the host itself counts before, the longest
 * of several patterns next.  Of other kinds (S3, OAuth, Google Cloud) nothing is known here, and the
 * host is as if it were not named.
 */
#ifndef BASE_HTTP_AUTH_H
#define BASE_HTTP_AUTH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum auth_kind { AUTH_BEARER, AUTH_CONDA, AUTH_BASIC };

struct auth {
	struct str host; /* in lower case; may begin with "*." */
	enum auth_kind kind;
	struct str token; /* of BASIC: the password */
	struct str user;
};

struct auths {
	struct auth *v;
	size_t n, cap;
};

/* ERR_INPUT "NAME:LINE:COLUMN: reason", in which nothing of the text is repeated. */
int auths_parse(
	struct arena *a, const char *name, struct str text, struct auths *out, struct err *e);
/* The entry for the URL's host; NULL where there is none, or the URL has credentials of its own. */
const struct auth *auths_find(const struct auths *list, const char *url);
/* The URL with what is sent in it, CONDA and BASIC; as it is for NULL and BEARER. */
const char *auth_apply(struct arena *a, const struct auth *auth, const char *url);

#endif

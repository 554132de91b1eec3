/*
 * Who one is at a registry: its challenge, the tokens it gives, and the file in which podman, buildah
 * and docker keep logins.  No network here; nothing read here is written anywhere.
 */
#ifndef IMAGES_REGISTRY_AUTH_H
#define IMAGES_REGISTRY_AUTH_H

#include "images/reference.h"

/* What an answer 401 asks for (RFC 9110, 11.6.1; distribution's token authentication). */
enum challenge_kind { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_kind kind;
	struct str realm, service, scope; /* of BEARER; in the arena; the latter two may be empty */
};

/*
 * Of the challenges in one or several WWW-Authenticate headers (joined by commas) the one to answer:
 * Bearer with a realm, else Basic.  What cannot be read is passed over.
 */
void challenge_parse(struct arena *a, struct str header, struct challenge *out);
/*
 * Where to ask for a token: realm?service=...&scope=...; without a scope that of reading the
 * repository.  NULL where the realm is no URL of http(s), or not of https where `secure`.
 */
char *challenge_url(struct arena *a, const struct challenge *c, struct str path, bool secure);
/* The token in the answer to that; ERR_INTEGRITY, in which nothing of it is repeated. */
int token_parse(struct arena *a, const char *name, struct str text, struct str *out, struct err *e);

/*
 * The login for the reference's registry in a file such as
 *	{"auths": {"quay.io": {"auth": "BASE64"}, "https://index.docker.io/v1/": {"auth": "BASE64"}}}
 * of the keys the longest that the reference lies below.  *out is the BASE64 of USER:PASSWORD, empty
 * where there is none; *helper whether the file leaves it to a program, which is not run.
 * ERR_INPUT, in which nothing of the text is repeated.
 */
int login_parse(struct arena *a, const char *name, struct str text, const struct reference *r,
	struct str *out, bool *helper, struct err *e);
/*
 * Of the files $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json,
 * ~/.config/containers/auth.json, $DOCKER_CONFIG/config.json and ~/.docker/config.json the first that
 * has one; the first of these alone, where it is set.
 */
int login_find(
	struct arena *a, const struct reference *r, struct str *out, bool *helper, struct err *e);

#endif

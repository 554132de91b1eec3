/*
 * References of images, as docker and podman read them:
 *
 *	[HOST[:PORT]/]PATH[:TAG][@sha256:HEX]
 *
 * The first component is a host where it has a "." or ":", or is "localhost"; else docker.io is
 * meant, where a PATH of one component lies in "library/".  Without tag and digest the tag is
 * "latest"; where both are given the digest counts.  The grammar is that of distribution/reference:
 * a path has lower-case letters, digits and single ".", "_", "__" or dashes within, 255 bytes with
 * its host; a tag has letters, digits and "_.-", 128 bytes, the first neither "." nor "-".
 */
#ifndef IMAGES_REFERENCE_H
#define IMAGES_REFERENCE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct reference {
	struct str host;   /* "docker.io", "127.0.0.1:5000" */
	struct str path;   /* "library/centos" */
	struct str tag;    /* empty where there is but a digest */
	struct str digest; /* "sha256:HEX"; empty: none */
};

/* ERR_USAGE says what is wrong with it; what may be a password is not repeated. */
int reference_parse(struct arena *a, const char *text, struct reference *out, struct err *e);
/* With host and tag or digest: "docker.io/library/centos:6". */
char *reference_text(struct arena *a, const struct reference *r);
/* The same, bound to what it stands for now: "docker.io/library/centos:6@sha256:HEX". */
char *reference_pinned(struct arena *a, const struct reference *r, struct str digest);
/* This machine itself: localhost, 127.0.0.0/8, [::1]. */
bool reference_is_loopback(const struct reference *r);
/* Where its registry is asked: "https://registry-1.docker.io/v2/library/centos". */
char *reference_url(struct arena *a, const struct reference *r, bool plain_http);

#endif

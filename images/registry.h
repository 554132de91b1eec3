/*
 * One repository of a registry (OCI distribution specification 1.1; the pull part).
 *
 *	registry_open(&a, http, &reference, false, &registry, &e);
 *	registry_manifest(&registry, "12", STR(""), &manifest, &e);
 *	registry_blobs(&registry, blobs, n, &step, &e);
 *
 * Who the registry asks for a token, or for user and password, gets what registry_auth.h finds, else
 * a token for nobody in particular; what http knows of a host (netrc, its file of credentials, the
 * URL) is sent to that host as always.  A token that expires on the way is asked for anew.  All that
 * arrives is held against its digest while it comes: ERR_INTEGRITY.  Nothing of a login or token is
 * in any message.
 */
#ifndef IMAGES_REGISTRY_H
#define IMAGES_REGISTRY_H

#include "base/http.h"
#include "base/log.h"
#include "images/image_json.h"
#include "images/reference.h"

struct registry {
	struct arena *a;
	struct http *http;
	const struct reference *reference;
	const char *url;           /* "https://HOST/v2/PATH" */
	bool secure;               /* it is https */
	bool plain_http;           /* so is asked for: other machines may be asked over http, too */
	struct str login;          /* BASE64 of USER:PASSWORD; empty: none */
	bool helper;               /* a program would have had the login */
	const char *authorization; /* the header as it is sent now; NULL: none */
};

int registry_open(struct arena *a, struct http *http, const struct reference *reference,
	bool plain_http, struct registry *out, struct err *e);

struct manifest {
	struct str text;
	struct str media_type; /* as the registry says; empty: it does not */
	struct str digest;     /* of the text */
};

/*
 * tag: a tag, or a digest, which the text then has.  A tag that is not there: ERR_NETWORK, whose
 * advice lists some that are.
 */
int registry_manifest(struct registry *r, struct str tag, struct manifest *out, struct err *e);

struct registry_blob {
	struct str digest;
	uint64_t size;
	const char *path; /* of the file to make; NULL: into memory, `text` */
	struct str text;
};

/* Several at once; step, which may be NULL, is told of each and of their bytes. */
int registry_blobs(struct registry *r, struct registry_blob *blobs, size_t n, struct step *step,
	struct err *e);

#endif

/*
 * The JSON documents of container images: manifest, list of manifests and configuration
 * (OCI image specification 1.1; Docker image manifest version 2, schema 2).
 *
 *	oci_document_parse(&a, name, text, NULL, &doc, &e)    index.json, or what a registry gave
 *	oci_choose(&a, &doc, subdir, &chosen, &e)             of a list: the manifest of a machine
 *	oci_config_parse(&a, name, text, &config, &e)
 *
 * What is not known in them is passed over.  Everything that is returned has been checked: digests
 * are "sha256:" and 64 hex digits in lower case, numbers of layers are bounded.  Slices lie in the
 * arena.  ERR_INTEGRITY "NAME:LINE:COLUMN: reason" for what is no such document, ERR_INPUT for one of
 * a kind that is not read (schema 1, foreign layers), with advice.
 */
#ifndef IMAGES_IMAGE_JSON_H
#define IMAGES_IMAGE_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum {
	OCI_MANIFEST_MAX = 4 << 20, /* bytes of a manifest or list */
	OCI_CONFIG_MAX = 8 << 20,
	OCI_LAYERS_MAX = 1024,
	OCI_MANIFESTS_MAX = 4096, /* of a list */
};

/* "sha256:" and 64 hex digits in lower case. */
bool oci_digest_is_valid(struct str digest);

struct descriptor {
	struct str media_type, digest;
	uint64_t size;
	struct str os, architecture, variant; /* in a list; empty: not said */
	struct str ref_name;                  /* org.opencontainers.image.ref.name; empty: none */
};

struct oci_document {
	bool is_list;             /* an index, or docker's list of manifests */
	struct str media_type;    /* as it says itself, else the given one; empty: neither */
	struct descriptor config; /* of a manifest */
	struct descriptor *v;     /* its layers, lowest first; of a list its manifests */
	size_t n;
};

/*
 * media_type: what the one who gave it says it is (Content-Type, or the descriptor's), which must
 * not contradict the document; empty: not said.
 */
int oci_document_parse(struct arena *a, const char *name, struct str text, struct str media_type,
	struct oci_document *out, struct err *e);
/*
 * The manifest for Linux and the machine of the subdir ("linux-64": amd64).  A single one that does
 * not say what it is for is taken.  ERR_USAGE names those that there are.
 */
int oci_choose(const char *name, const struct oci_document *list, struct str subdir,
	const struct descriptor **out, struct err *e);

struct oci_config {
	struct str os, architecture; /* empty: not said */
	struct str *diff_ids;        /* of the layers, lowest first */
	size_t n_diff_ids;
};

int oci_config_parse(
	struct arena *a, const char *name, struct str text, struct oci_config *out, struct err *e);
/* Is it for Linux and the machine of the subdir?  ERR_USAGE says for what it is. */
int oci_config_check(
	const char *name, const struct oci_config *config, struct str subdir, struct err *e);
/* "amd64" for "linux-64"; NULL for a subdir that images know no name for. */
const char *oci_architecture(struct str subdir);

/* A layer that is a tar, plain or compressed by gzip or zstd. */
bool oci_layer_is_known(struct str media_type);

#endif

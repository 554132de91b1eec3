#include "images/image_json.h"

#include "base/buf.h"
#include "base/json.h"

enum { TEXT_MAX = 1024 };

/* --- parts --------------------------------------------------------------------------------- */

bool oci_digest_is_valid(struct str digest)
{
	if (digest.n != 7 + 64 || !str_starts(digest, STR("sha256:")))
		return false;
	for (size_t i = 7; i < digest.n; i++)
		if (!((digest.p[i] >= '0' && digest.p[i] <= '9') ||
			    (digest.p[i] >= 'a' && digest.p[i] <= 'f')))
			return false;
	return true;
}

/* For messages and media types: what is no plain text is not handed on. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.n <= TEXT_MAX;
}

static int read_text(struct arena *a, struct json *j, struct str *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t == JSON_ERROR)
		return json_error(j, e);
	if (t != JSON_STRING || !is_plain(json_text(j)))
		return json_fail(j, e, "not a plain text");
	*out = arena_str(a, json_text(j));
	return 0;
}

static int read_digest(struct arena *a, struct json *j, struct str *out, struct err *e)
{
	if (read_text(a, j, out, e) < 0)
		return -1;
	if (!oci_digest_is_valid(*out))
		return json_fail(j, e, "'%.*s' is not 'sha256:' and 64 hex digits", STR_ARG(*out));
	return 0;
}

static int read_size(struct json *j, uint64_t *out, struct err *e)
{
	enum json_type t = json_next(j);
	int64_t size;

	if (t == JSON_ERROR)
		return json_error(j, e);
	if (t != JSON_NUMBER || json_int(j, &size) < 0 || size < 0)
		return json_fail(j, e, "a size is a whole number of bytes");
	*out = (uint64_t)size;
	return 0;
}

static int skip(struct json *j, struct err *e)
{
	return json_skip(j) < 0 ? json_error(j, e) : 0;
}

/* Begins the object that comes next. */
static int enter(struct json *j, const char *what, struct err *e)
{
	enum json_type t = json_next(j);

	if (t == JSON_ERROR)
		return json_error(j, e);
	return t == JSON_OBJECT ? 0 : json_fail(j, e, "%s is no object", what);
}

static int ended(struct json *j, enum json_type t, enum json_type want, struct err *e)
{
	return t == want ? 0 : json_error(j, e);
}

static int read_platform(struct arena *a, struct json *j, struct descriptor *out, struct err *e)
{
	enum json_type t;
	int rc = enter(j, "'platform'", e);

	if (rc < 0)
		return -1;
	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);
		struct str *to = str_is(key, "os")             ? &out->os
				 : str_is(key, "architecture") ? &out->architecture
				 : str_is(key, "variant")      ? &out->variant
							       : NULL;

		if ((to ? read_text(a, j, to, e) : skip(j, e)) < 0)
			return -1;
	}
	return ended(j, t, JSON_OBJECT_END, e);
}

static int read_annotations(struct arena *a, struct json *j, struct descriptor *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? json_error(j, e)
				       : json_fail(j, e, "'annotations' is no object");
	while ((t = json_next(j)) == JSON_KEY)
		if ((str_is(json_text(j), "org.opencontainers.image.ref.name")
				    ? read_text(a, j, &out->ref_name, e)
				    : skip(j, e)) < 0)
			return -1;
	return ended(j, t, JSON_OBJECT_END, e);
}

/* `urls`: the content lies elsewhere, where whoever made the image says. */
static int read_urls(struct json *j, bool *any, struct err *e)
{
	enum json_type t = json_next(j);

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARRAY)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "'urls' is no list");
	t = json_next(j);
	*any = t != JSON_ARRAY_END && t != JSON_ERROR;
	return json_skip_rest(j, t) < 0 || (*any && json_leave(j, json_depth(j) - 1) < 0)
		       ? json_error(j, e)
		       : 0;
}

static int fail_foreign(const char *name, const struct descriptor *d, struct err *e)
{
	err_set(e, ERR_INPUT, "%s: the layer '%.*s' (%.*s) lies outside the registry", name,
		STR_ARG(d->digest), STR_ARG(d->media_type));
	return err_advise(e,
		"foreign layers are not fetched: import the image from an archive that "
		"docker save or skopeo copy has made");
}

/* The object has been begun. */
static int read_members(
	struct arena *a, struct json *j, const char *name, struct descriptor *out, struct err *e)
{
	bool has_size = false, has_urls = false;
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);
		int rc;

		if (str_is(key, "mediaType"))
			rc = read_text(a, j, &out->media_type, e);
		else if (str_is(key, "digest"))
			rc = read_digest(a, j, &out->digest, e);
		else if (str_is(key, "size"))
			rc = (has_size = true, read_size(j, &out->size, e));
		else if (str_is(key, "platform"))
			rc = read_platform(a, j, out, e);
		else if (str_is(key, "annotations"))
			rc = read_annotations(a, j, out, e);
		else if (str_is(key, "urls"))
			rc = read_urls(j, &has_urls, e);
		else
			rc = skip(j, e);
		if (rc < 0)
			return -1;
	}
	if (ended(j, t, JSON_OBJECT_END, e) < 0)
		return -1;
	if (!out->digest.n || !has_size)
		return json_fail(
			j, e, "a descriptor without '%s'", out->digest.n ? "size" : "digest");
	return has_urls ? fail_foreign(name, out, e) : 0;
}

static int read_descriptor(
	struct arena *a, struct json *j, const char *name, struct descriptor *out, struct err *e)
{
	return enter(j, "a descriptor", e) < 0 ? -1 : read_members(a, j, name, out, e);
}

struct descriptors {
	struct descriptor *v;
	size_t n, cap;
};

static int read_descriptors(struct arena *a, struct json *j, const char *name, size_t max,
	struct descriptors *out, struct err *e)
{
	enum json_type t = json_next(j);

	*out = (struct descriptors){0};
	if (t != JSON_ARRAY)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "not a list");
	while ((t = json_next(j)) == JSON_OBJECT) {
		if (out->n == max)
			return json_fail(j, e, "more than %zu of them", max);
		if (read_members(a, j, name, VEC_PUSH(a, out), e) < 0)
			return -1;
	}
	if (t != JSON_ARRAY_END)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "not a descriptor");
	return 0;
}

/* --- a manifest or a list ------------------------------------------------------------------- */

static bool is_list_type(struct str type)
{
	return str_is(type, "application/vnd.oci.image.index.v1+json") ||
	       str_is(type, "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool is_manifest_type(struct str type)
{
	return str_is(type, "application/vnd.oci.image.manifest.v1+json") ||
	       str_is(type, "application/vnd.docker.distribution.manifest.v2+json");
}

static bool is_schema1_type(struct str type)
{
	return str_starts(type, STR("application/vnd.docker.distribution.manifest.v1"));
}

static int fail_schema1(const char *name, struct err *e)
{
	err_set(e, ERR_INPUT, "%s: a manifest of schema version 1, which is not read", name);
	return err_advise(e,
		"it has no digests of what its layers hold; push the image anew with a "
		"tool of after 2016, or import it from an archive");
}

struct reading {
	struct str own_type;
	int64_t schema;
	bool has_config, has_layers, has_manifests;
	struct descriptors layers, manifests;
};

static int read_schema(struct json *j, int64_t *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t == JSON_ERROR)
		return json_error(j, e);
	if (t != JSON_NUMBER || json_int(j, out) < 0)
		return json_fail(j, e, "'schemaVersion' is a number");
	return 0;
}

static int read_document(struct arena *a, struct json *j, const char *name, struct reading *r,
	struct oci_document *out, struct err *e)
{
	enum json_type t;

	if (enter(j, "the document", e) < 0)
		return -1;
	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);
		int rc;

		if (str_is(key, "schemaVersion")) {
			rc = read_schema(j, &r->schema, e);
		} else if (str_is(key, "mediaType")) {
			rc = read_text(a, j, &r->own_type, e);
		} else if (str_is(key, "config")) {
			r->has_config = true;
			out->config = (struct descriptor){0};
			rc = read_descriptor(a, j, name, &out->config, e);
		} else if (str_is(key, "layers")) {
			r->has_layers = true;
			rc = read_descriptors(a, j, name, OCI_LAYERS_MAX, &r->layers, e);
		} else if (str_is(key, "manifests")) {
			r->has_manifests = true;
			rc = read_descriptors(a, j, name, OCI_MANIFESTS_MAX, &r->manifests, e);
		} else {
			rc = skip(j, e);
		}
		if (rc < 0)
			return -1;
	}
	return ended(j, t, JSON_OBJECT_END, e) < 0 || json_next(j) != JSON_END ? json_error(j, e)
									       : 0;
}

/* A document that may be read as either is how one digest comes to stand for two images. */
static int judge(const char *name, struct reading *r, struct str given, struct oci_document *out,
	struct err *e)
{
	struct str type = r->own_type.n ? r->own_type : given;

	if (r->schema == 1 || is_schema1_type(type))
		return fail_schema1(name, e);
	if (r->schema != 2)
		return err_set(e, ERR_INTEGRITY, "%s: not the manifest of an image", name);
	if (r->has_manifests == (r->has_config || r->has_layers) || r->has_config != r->has_layers)
		return err_set(e, ERR_INTEGRITY,
			"%s: neither a manifest (config and layers) nor a list of manifests", name);
	out->is_list = r->has_manifests;
	if ((is_list_type(type) && !out->is_list) || (is_manifest_type(type) && out->is_list) ||
		(r->own_type.n && (is_list_type(given) || is_manifest_type(given)) &&
			!str_eq(r->own_type, given)))
		return err_set(e, ERR_INTEGRITY, "%s: it is not what it is said to be, '%.*s'",
			name, STR_ARG(given.n ? given : type));
	out->media_type = type;
	out->v = out->is_list ? r->manifests.v : r->layers.v;
	out->n = out->is_list ? r->manifests.n : r->layers.n;
	return 0;
}

static bool is_config_type(struct str type)
{
	return str_is(type, "application/vnd.oci.image.config.v1+json") ||
	       str_is(type, "application/vnd.docker.container.image.v1+json");
}

/* Registries keep much else in this form. */
static int check_layers(const char *name, const struct oci_document *doc, struct err *e)
{
	if (!is_config_type(doc->config.media_type))
		return err_set(e, ERR_INPUT, "%s: no image of a root file system, but '%.*s'", name,
			STR_ARG(doc->config.media_type));
	for (size_t i = 0; i < doc->n; i++)
		if (!oci_layer_is_known(doc->v[i].media_type)) {
			err_set(e, ERR_INPUT, "%s: a layer of type '%.*s', which is not read", name,
				STR_ARG(doc->v[i].media_type));
			return err_advise(e,
				"an image has layers that are tar, plain or compressed "
				"by gzip or zstd");
		}
	return 0;
}

int oci_document_parse(struct arena *a, const char *name, struct str text, struct str media_type,
	struct oci_document *out, struct err *e)
{
	struct json *j = json_open_text(text, name);
	struct reading r = {0};
	int rc;

	*out = (struct oci_document){0};
	rc = read_document(a, j, name, &r, out, e);
	json_close(j);
	if (rc < 0 || judge(name, &r, media_type, out, e) < 0)
		return -1;
	return out->is_list ? 0 : check_layers(name, out, e);
}

bool oci_layer_is_known(struct str media_type)
{
	static const struct str known[] = {STR_INIT("application/vnd.oci.image.layer.v1.tar"),
		STR_INIT("application/vnd.oci.image.layer.v1.tar+gzip"),
		STR_INIT("application/vnd.oci.image.layer.v1.tar+zstd"),
		STR_INIT("application/vnd.docker.image.rootfs.diff.tar"),
		STR_INIT("application/vnd.docker.image.rootfs.diff.tar.gzip"),
		STR_INIT("application/vnd.docker.image.rootfs.diff.tar.zstd")};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_eq(media_type, known[i]))
			return true;
	return false;
}

/* --- of a list, the right one --------------------------------------------------------------- */

const char *oci_architecture(struct str subdir)
{
	static const struct {
		const char *subdir, *name;
	} names[] = {{"linux-64", "amd64"}, {"linux-aarch64", "arm64"}, {"linux-32", "386"},
		{"linux-ppc64le", "ppc64le"}, {"linux-s390x", "s390x"},
		{"linux-riscv64", "riscv64"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(subdir, names[i].subdir))
			return names[i].name;
	return NULL;
}

/* amd64/v3 is for newer machines only; the plain one runs on all. */
static bool is_better(const struct descriptor *d, const struct descriptor *than)
{
	return !than || (than->variant.n && !d->variant.n);
}

static void list_platforms(const struct oci_document *list, struct buf *to)
{
	enum { SHOWN = 12 };
	size_t shown = 0;

	for (size_t i = 0; i < list->n && shown < SHOWN; i++) {
		const struct descriptor *d = &list->v[i];

		if (!d->os.n || str_is(d->os, "unknown"))
			continue;
		buf_printf(to, "%s%.*s/%.*s", shown++ ? ", " : "", STR_ARG(d->os),
			STR_ARG(d->architecture));
	}
	if (!shown)
		buf_puts(to, "none that says for which machine it is");
}

int oci_choose(const char *name, const struct oci_document *list, struct str subdir,
	const struct descriptor **out, struct err *e)
{
	const char *architecture = oci_architecture(subdir);
	const struct descriptor *best = NULL;
	CLEANUP_BUF there = {0};

	for (size_t i = 0; i < list->n && architecture; i++) {
		const struct descriptor *d = &list->v[i];

		if (str_is(d->os, "linux") && str_is(d->architecture, architecture) &&
			is_better(d, best))
			best = d;
	}
	if (!best && list->n == 1 && !list->v[0].os.n && !list->v[0].architecture.n)
		best = &list->v[0];
	if (best) {
		*out = best;
		return 0;
	}
	list_platforms(list, &there);
	err_set(e, ERR_USAGE, "%s: no image for linux/%s in it, but %s", name,
		architecture ? architecture : "this target", there.p);
	return err_advise(e, "a target's subdir says which machine its hosts are");
}

/* --- the configuration ---------------------------------------------------------------------- */

static int read_diff_ids(struct arena *a, struct json *j, struct oci_config *out, struct err *e)
{
	struct {
		struct str *v;
		size_t n, cap;
	} ids = {0};
	enum json_type t = json_next(j);

	if (t != JSON_ARRAY)
		return t == JSON_ERROR ? json_error(j, e)
				       : json_fail(j, e, "'diff_ids' is no list");
	while ((t = json_next(j)) == JSON_STRING) {
		if (ids.n == OCI_LAYERS_MAX || !oci_digest_is_valid(json_text(j)))
			return json_fail(j, e,
				ids.n == OCI_LAYERS_MAX ? "too many layers"
							: "not 'sha256:' and 64 hex digits");
		*VEC_PUSH(a, &ids) = arena_str(a, json_text(j));
	}
	if (t != JSON_ARRAY_END)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "not a digest");
	out->diff_ids = ids.v;
	out->n_diff_ids = ids.n;
	return 0;
}

static int read_rootfs(struct arena *a, struct json *j, struct oci_config *out, struct err *e)
{
	enum json_type t;

	if (enter(j, "'rootfs'", e) < 0)
		return -1;
	while ((t = json_next(j)) == JSON_KEY)
		if ((str_is(json_text(j), "diff_ids") ? read_diff_ids(a, j, out, e) : skip(j, e)) <
			0)
			return -1;
	return ended(j, t, JSON_OBJECT_END, e);
}

static int read_config(struct arena *a, struct json *j, struct oci_config *out, struct err *e)
{
	bool has_rootfs = false;
	enum json_type t;

	if (enter(j, "the configuration", e) < 0)
		return -1;
	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);
		int rc;

		if (str_is(key, "os"))
			rc = read_text(a, j, &out->os, e);
		else if (str_is(key, "architecture"))
			rc = read_text(a, j, &out->architecture, e);
		else if (str_is(key, "rootfs"))
			rc = (has_rootfs = true, read_rootfs(a, j, out, e));
		else
			rc = skip(j, e);
		if (rc < 0)
			return -1;
	}
	if (ended(j, t, JSON_OBJECT_END, e) < 0)
		return -1;
	if (!has_rootfs)
		return json_fail(j, e, "no 'rootfs': not the configuration of an image");
	return json_next(j) == JSON_END ? 0 : json_error(j, e);
}

int oci_config_parse(
	struct arena *a, const char *name, struct str text, struct oci_config *out, struct err *e)
{
	struct json *j = json_open_text(text, name);
	int rc;

	*out = (struct oci_config){0};
	rc = read_config(a, j, out, e);
	json_close(j);
	return rc;
}

int oci_config_check(
	const char *name, const struct oci_config *config, struct str subdir, struct err *e)
{
	const char *architecture = oci_architecture(subdir);

	if ((!config->os.n || str_is(config->os, "linux")) &&
		(!config->architecture.n ||
			(architecture && str_is(config->architecture, architecture))))
		return 0;
	err_set(e, ERR_USAGE, "%s: it is for %.*s/%.*s, not for linux/%s", name,
		STR_ARG(config->os), STR_ARG(config->architecture),
		architecture ? architecture : "this target");
	return err_advise(e, "a target's subdir says which machine its hosts are");
}

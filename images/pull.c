#include "images/pull.h"

#include "base/file.h"
#include "images/image_json.h"
#include "images/registry.h"

/* One image of one machine: what its layers are, and what they hold. */
struct remote {
	const char *name; /* the reference, for messages */
	struct str digest;
	struct oci_document manifest;
	struct oci_config config;
};

static int read_manifest(struct registry *r, const char *name, struct str tag,
	struct oci_document *out, struct str *digest, struct err *e)
{
	struct manifest m;

	if (registry_manifest(r, tag, &m, e) < 0)
		return -1;
	*digest = m.digest;
	return oci_document_parse(r->a, name, m.text, m.media_type, out, e);
}

/* The manifest itself, or the one for the machine out of the list. */
static int find_manifest(
	struct registry *r, const struct pull_request *p, struct remote *out, struct err *e)
{
	const struct reference *ref = r->reference;
	const struct descriptor *chosen;
	struct oci_document list;
	struct str digest;

	if (read_manifest(r, out->name, ref->digest.n ? ref->digest : ref->tag, &out->manifest,
		    &out->digest, e) < 0)
		return -1;
	if (!out->manifest.is_list)
		return 0;
	list = out->manifest;
	if (oci_choose(out->name, &list, p->subdir, &chosen, e) < 0 ||
		read_manifest(r, out->name, chosen->digest, &out->manifest, &digest, e) < 0)
		return -1;
	if (out->manifest.is_list)
		return err_set(e, ERR_INPUT, "%s: a list of lists of manifests", out->name);
	return 0;
}

static int read_config(
	struct registry *r, const struct pull_request *p, struct remote *out, struct err *e)
{
	const struct descriptor *config = &out->manifest.config;
	struct registry_blob blob = {.digest = config->digest, .size = config->size};

	if (config->size > OCI_CONFIG_MAX)
		return err_set(e, ERR_INTEGRITY, "%s: a configuration of %ju bytes", out->name,
			(uintmax_t)config->size);
	if (registry_blobs(r, &blob, 1, NULL, e) < 0 ||
		oci_config_parse(r->a, out->name, blob.text, &out->config, e) < 0 ||
		oci_config_check(out->name, &out->config, p->subdir, e) < 0)
		return -1;
	if (out->config.n_diff_ids != out->manifest.n)
		return err_set(e, ERR_INTEGRITY, "%s: %zu layers, and %zu in its configuration",
			out->name, out->manifest.n, out->config.n_diff_ids);
	return 0;
}

/* --- layers --------------------------------------------------------------------------------- */

struct layers {
	struct registry_blob *blobs; /* each once */
	size_t n_blobs;
	struct layer *v;
	uint64_t bytes;
};

static struct registry_blob *find_blob(const struct layers *l, struct str digest)
{
	for (size_t i = 0; i < l->n_blobs; i++)
		if (str_eq(l->blobs[i].digest, digest))
			return &l->blobs[i];
	return NULL;
}

/* Layers may occur twice: an empty one often does. */
static int plan_layers(struct arena *a, const struct remote *remote, const char *work,
	struct layers *out, struct err *e)
{
	size_t n = remote->manifest.n;

	*out = (struct layers){.blobs = arena_array(a, struct registry_blob, n),
		.v = arena_array(a, struct layer, n)};
	for (size_t i = 0; i < n; i++) {
		const struct descriptor *d = &remote->manifest.v[i];
		struct registry_blob *blob = find_blob(out, d->digest);

		if (!blob) {
			blob = &out->blobs[out->n_blobs++];
			*blob = (struct registry_blob){.digest = d->digest,
				.size = d->size,
				.path = arena_printf(a, "%s/layer%zu", work, i)};
			if (d->size > UINT64_MAX / 2 - out->bytes)
				return err_set(e, ERR_INTEGRITY, "%s: a layer of %ju bytes",
					remote->name, (uintmax_t)d->size);
			out->bytes += d->size;
		}
		out->v[i] = (struct layer){blob->path, remote->config.diff_ids[i]};
	}
	return 0;
}

static int check_space(const struct layers *l, const char *work, struct err *e)
{
	char needed[24], there[24];
	uint64_t left;

	if (disk_free(work, &left, e) < 0)
		return -1;
	if (left >= l->bytes)
		return 0;
	err_set(e, ERR_FAIL, "the layers have %s, and '%s' has room for %s",
		format_bytes(l->bytes, needed), work, format_bytes(left, there));
	return err_advise(e, "free some, or name a folder on another disk with ENVBUILD_CACHE");
}

static int fetch_layers(struct registry *r, const struct layers *l, struct err *e)
{
	struct step step;

	step_begin(&step, "pull", l->n_blobs, l->bytes);
	if (registry_blobs(r, l->blobs, l->n_blobs, &step, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%zu layers", l->n_blobs);
	return 0;
}

int image_pull(struct arena *a, const struct pull_request *r, struct image *out, bool *was_there,
	struct err *e)
{
	struct import_request import = r->import;
	struct reference reference;
	struct registry registry;
	struct remote remote = {0};
	struct layers layers;
	int adopted;

	if (reference_parse(a, r->reference, &reference, e) < 0 ||
		registry_open(a, r->http, &reference, r->plain_http, &registry, e) < 0)
		return -1;
	remote.name = reference_text(a, &reference);
	if (find_manifest(&registry, r, &remote, e) < 0 ||
		read_config(&registry, r, &remote, e) < 0)
		return -1;
	import.origin = reference_pinned(a, &reference, remote.digest);
	adopted = image_adopt(a, &import, remote.config.diff_ids, remote.config.n_diff_ids, out, e);
	*was_there = adopted > 0;
	if (adopted)
		return adopted < 0 ? -1 : 0;
	if (plan_layers(a, &remote, r->work, &layers, e) < 0 ||
		check_space(&layers, r->work, e) < 0 || fetch_layers(&registry, &layers, e) < 0)
		return -1;
	return image_import_layers(a, &import, layers.v, remote.manifest.n, out, e);
}

/* A manifest, a list of them, a configuration of any bytes: digests that come out are digests. */
#include "images/image_json.h"

#include <stdlib.h>

static void check(const struct descriptor *d)
{
	if (!oci_digest_is_valid(d->digest) || d->size > INT64_MAX)
		abort();
}

static void check_document(struct arena *a, struct str text)
{
	const struct descriptor *chosen;
	struct oci_document doc;
	struct err e = {0};

	if (oci_document_parse(a, "m", text, STR(""), &doc, &e) == 0) {
		if (!doc.is_list)
			check(&doc.config);
		if (doc.n > OCI_MANIFESTS_MAX)
			abort();
		for (size_t i = 0; i < doc.n; i++)
			check(&doc.v[i]);
		if (doc.is_list && oci_choose("m", &doc, STR("linux-64"), &chosen, &e) == 0)
			check(chosen);
	} else if (e.code != ERR_INTEGRITY && e.code != ERR_INPUT) {
		abort();
	}
	err_release(&e);
}

static void check_config(struct arena *a, struct str text)
{
	struct oci_config config;
	struct err e = {0};

	if (oci_config_parse(a, "c", text, &config, &e) == 0) {
		for (size_t i = 0; i < config.n_diff_ids; i++)
			if (!oci_digest_is_valid(config.diff_ids[i]))
				abort();
	} else if (e.code != ERR_INTEGRITY) {
		abort();
	}
	err_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct str text = str_n((const char *)data, size);

	check_document(&a, text);
	check_config(&a, text);
	arena_release(&a);
	return 0;
}

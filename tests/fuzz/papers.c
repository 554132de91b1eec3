/*
 * What stands in and beside an archive, of any bytes: its manifest, an attestation, about.json of a
 * package, a licence.  What comes out has the form that those rely on who write it elsewhere.
 */
#include "packer/about.h"
#include "packer/attest.h"
#include "packer/manifest.h"
#include "packer/spdx.h"

#include <stdlib.h>

static void check_code(struct err *e)
{
	if (e->code && e->code != ERR_INTEGRITY)
		abort();
	err_release(e);
}

static void check_manifest(struct arena *a, struct str text)
{
	struct manifest m;
	struct err e = {0};

	if (manifest_parse(a, text, "manifest", &m, &e) == 0) {
		for (size_t i = 0; i < m.making.n_allow_clobber; i++)
			if (!m.making.allow_clobber[i])
				abort();
		for (size_t i = 0; i < m.making.n_ignores; i++)
			if (m.making.ignores[i].rule > AUDIT_RULES || !m.making.ignores[i].reason.n)
				abort();
	}
	check_code(&e);
}

static void check_attestation(struct arena *a, struct str text)
{
	struct attest_statement *v;
	struct err e = {0};
	size_t n;

	if (attest_parse(a, text, "attestation", &v, &n, &e) == 0) {
		if (!n)
			abort();
		for (size_t i = 0; i < n; i++)
			if (!v[i].predicate_type.n || (v[i].n_subjects && !v[i].subjects))
				abort();
	}
	check_code(&e);
}

static void check_about(struct arena *a, struct str text)
{
	struct about about;
	struct err e = {0};

	if (about_parse(a, text, &about, &e) == 0) {
		if (about.sha.n && about.sha.n != 40 && about.sha.n != 64)
			abort();
		if (about.remote_url.n && !str_starts(about.remote_url, STR("http")))
			abort();
	}
	check_code(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct str text = str_n((const char *)data, size);

	check_manifest(&a, text);
	check_attestation(&a, text);
	check_about(&a, text);
	spdx_is_expression(text);
	arena_release(&a);
	return 0;
}

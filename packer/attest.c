#include "packer/attest.h"

#include "base/date.h"
#include "base/http.h"
#include "packer/purl.h"
#include "solver/requirements.h"

static void key_cstr(struct json_out *w, const char *key, const char *value)
{
	jw_pair(w, key, str_of(value));
}

static void key_digest(struct json_out *w, const char *algorithm, struct str hex)
{
	jw_key(w, "digest");
	jw_object(w);
	jw_pair(w, algorithm, hex);
	jw_object_end(w);
}

static void key_sha256(struct json_out *w, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	key_digest(w, "sha256", str_of(hex));
}

static void key_time(struct json_out *w, const char *key, int64_t seconds)
{
	char when[DATE_TIME];

	date_time((uint64_t)(seconds < 0 ? 0 : seconds) * 1000, when);
	key_cstr(w, key, when);
}

static void add_file(struct json_out *w, struct str name, const uint8_t sha256[SHA256_LEN])
{
	jw_object(w);
	jw_pair(w, "name", name);
	key_sha256(w, sha256);
	jw_object_end(w);
}

static void add_text(struct json_out *w, const struct pack_paper *p)
{
	uint8_t sum[SHA256_LEN];

	sha256_of(p->text.p, p->text.n, sum);
	add_file(w, str_of(p->name), sum);
}

/* --- what went in ------------------------------------------------------------------------------ */

/* Where it can be fetched, else what it is. */
static struct str package_uri(struct arena *a, const struct record *r)
{
	CLEANUP_BUF text = {0};

	if (str_starts(r->url, STR("https://")) || str_starts(r->url, STR("http://")))
		return str_of(http_redact(a, arena_cstr(a, r->url)));
	purl_conda(r, &text);
	return arena_str(a, buf_view(&text));
}

static void add_packages(struct arena *a, struct json_out *w, const struct attest_request *r)
{
	for (size_t i = 0; i < r->n_packages; i++) {
		const struct package *p = &r->packages[i];

		jw_object(w);
		jw_pair(w, "name", p->record->fn);
		jw_pair(w, "uri", package_uri(a, p->record));
		key_sha256(w, p->sha256);
		jw_object_end(w);
	}
}

static void add_dist(struct arena *a, struct json_out *w, const struct pypi_package *p)
{
	struct pypi_git git;
	CLEANUP_BUF purl = {0};

	purl_pypi(p, &purl);
	jw_object(w);
	jw_pair(w, "name", p->wheel.n ? p->wheel : p->name);
	jw_pair(w, "uri", buf_view(&purl));
	if (p->has_sha256)
		key_sha256(w, p->sha256);
	else if (pypi_git_split(a, p->url, &git) == 0 && git.commit.n)
		key_digest(w, "gitCommit", git.commit);
	else if (p->wheel.n)
		key_sha256(w, p->wheel_sha256);
	jw_object_end(w);
}

static void add_image(struct json_out *w, const struct attest_request *r)
{
	struct str hex = r->image_digest;

	jw_object(w);
	key_cstr(w, "name", "image");
	if (str_starts(hex, STR("sha256:")))
		key_digest(w, "sha256", str_sub(hex, strlen("sha256:"), hex.n));
	else /* a descriptor without a digest needs something that tells what it is */
		key_cstr(w, "uri", "urn:envbuild:root:unidentified");
	jw_key(w, "annotations");
	jw_object(w);
	jw_pair(w, "root", r->image);
	jw_object_end(w);
	jw_object_end(w);
}

static void add_dependencies(struct arena *a, struct json_out *w, const struct attest_request *r)
{
	jw_key(w, "resolvedDependencies");
	jw_array(w);
	for (size_t i = 0; i < r->n_inputs; i++)
		add_text(w, &r->inputs[i]);
	add_image(w, r);
	add_packages(a, w, r);
	for (size_t i = 0; r->pypi && i < r->pypi->n; i++)
		add_dist(a, w, &r->pypi->v[i]);
	jw_array_end(w);
}

static void add_parameters(struct json_out *w, const struct attest_request *r)
{
	jw_key(w, "externalParameters");
	jw_object(w);
	jw_pair(w, "name", r->name);
	if (r->version.n)
		jw_pair(w, "version", r->version);
	jw_pair(w, "target", r->target);
	for (size_t i = 0; i < r->n_inputs; i++) {
		jw_key(w, r->inputs[i].name);
		add_text(w, &r->inputs[i]);
	}
	making_write(r->making, w);
	if (r->dest_prefix.n)
		jw_pair(w, "dest_prefix", r->dest_prefix);
	manifest_rules_write(w, r->rules);
	jw_object_end(w);
	jw_key(w, "internalParameters");
	jw_object(w);
	key_cstr(w, "engine", r->engine);
	jw_object_end(w);
}

/* --- statements -------------------------------------------------------------------------------- */

static void begin(struct json_out *w, const struct attest_request *r, const char *predicate_type)
{
	jw_object(w);
	key_cstr(w, "_type", ATTEST_STATEMENT);
	jw_key(w, "subject");
	jw_array(w);
	for (size_t i = 0; i < r->n_subjects; i++)
		add_file(w, r->subjects[i].name, r->subjects[i].sha256);
	jw_array_end(w);
	key_cstr(w, "predicateType", predicate_type);
	jw_key(w, "predicate");
	jw_object(w);
}

static void end(struct json_out *w)
{
	jw_object_end(w);
	jw_object_end(w);
	buf_putc(w->to, '\n');
}

static void add_run(struct json_out *w, const struct attest_request *r)
{
	jw_key(w, "runDetails");
	jw_object(w);
	jw_key(w, "builder");
	jw_object(w);
	key_cstr(w, "id", ATTEST_BUILDER);
	jw_key(w, "version");
	jw_object(w);
	key_cstr(w, "envbuild", ENVBUILD_VERSION);
	jw_object_end(w);
	jw_object_end(w);
	jw_key(w, "metadata");
	jw_object(w);
	key_time(w, "startedOn", r->started);
	key_time(w, "finishedOn", r->finished);
	jw_object_end(w);
	jw_key(w, "byproducts");
	jw_array(w);
	for (size_t i = 0; i < r->n_byproducts; i++)
		add_file(w, r->byproducts[i].name, r->byproducts[i].sha256);
	jw_array_end(w);
	jw_object_end(w);
}

static void write_provenance(struct arena *a, const struct attest_request *r, struct buf *to)
{
	struct json_out w = {.to = to};

	begin(&w, r, ATTEST_PROVENANCE);
	jw_key(&w, "buildDefinition");
	jw_object(&w);
	key_cstr(&w, "buildType", ATTEST_BUILD_TYPE);
	add_parameters(&w, r);
	add_dependencies(a, &w, r);
	jw_object_end(&w);
	add_run(&w, r);
	end(&w);
}

/* Nothing is released whose test did not pass. */
static void write_test(const struct attest_request *r, struct buf *to)
{
	struct json_out w = {.to = to};

	begin(&w, r, ATTEST_TEST);
	key_cstr(&w, "result", "PASSED");
	jw_key(&w, "configuration");
	jw_array(&w);
	for (size_t i = 0; i < r->n_inputs; i++)
		if (str_is(str_of(r->inputs[i].name), "run-test.sh"))
			add_text(&w, &r->inputs[i]);
	add_image(&w, r);
	jw_array_end(&w);
	jw_key(&w, "passedTests");
	jw_array(&w);
	jw_cstr(&w, r->test_script);
	jw_array_end(&w);
	end(&w);
}

void attest_write(struct arena *a, const struct attest_request *r, struct buf *to)
{
	write_provenance(a, r, to);
	if (r->test_script)
		write_test(r, to);
}

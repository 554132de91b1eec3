#include "packer/sbom.h"

#include "base/date.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/json.h"
#include "base/table.h"
#include "packer/about.h"
#include "packer/purl.h"
#include "packer/spdx.h"
#include "solver/pep508.h"
#include "solver/requirements.h"

#include <stdlib.h>

/* The environment itself in the graph. */
#define ROOT_REF "environment"

struct sbom {
	const struct sbom_request *r;
	struct arena *a;
	struct json_out w;
	struct about *about;   /* of each package */
	struct str *refs;      /* purls of the packages */
	struct str *pypi_refs; /* and of pip's */
	struct table by_name;  /* conda's name -> its ref's place + 1 */
	struct table by_pypi;  /* pip's, and those that conda's packages bring: -> the ref */
};

static size_t n_pypi(const struct sbom *s)
{
	return s->r->pypi ? s->r->pypi->n : 0;
}

/* --- what components are called ---------------------------------------------------------------- */

static void enter_pypi(struct sbom *s, struct str name, struct str *ref)
{
	union table_value *v = table_put(&s->by_pypi, name);

	if (!v->ptr)
		v->ptr = ref;
}

/* "pkg:pypi/numpy@1.26.4" brings numpy. */
static void enter_purls(struct sbom *s, const struct record *r, struct str *ref)
{
	struct str start = STR("pkg:pypi/");

	for (size_t i = 0; i < r->n_purls; i++) {
		struct str rest = r->purls[i];

		if (!str_starts(rest, start))
			continue;
		rest = str_sub(rest, start.n, rest.n);
		enter_pypi(s, str_cut(&rest, '@'), ref);
	}
}

static void name_components(struct sbom *s)
{
	const struct sbom_request *r = s->r;

	s->refs = arena_array(s->a, struct str, r->n_packages + 1);
	s->pypi_refs = arena_array(s->a, struct str, n_pypi(s) + 1);
	for (size_t i = 0; i < n_pypi(s); i++) {
		CLEANUP_BUF text = {0};

		purl_pypi(&r->pypi->v[i], &text);
		s->pypi_refs[i] = arena_str(s->a, buf_view(&text));
		enter_pypi(s, r->pypi->v[i].name, &s->pypi_refs[i]);
	}
	for (size_t i = 0; i < r->n_packages; i++) {
		CLEANUP_BUF text = {0};

		purl_conda(r->packages[i].record, &text);
		s->refs[i] = arena_str(s->a, buf_view(&text));
		table_put(&s->by_name, r->packages[i].record->name)->num = i + 1;
		enter_purls(s, r->packages[i].record, &s->refs[i]);
	}
}

/* --- one component ----------------------------------------------------------------------------- */

static void add_hash(struct json_out *w, const char *algorithm, const uint8_t *p, size_t n)
{
	char hex[SHA256_HEX + 1];

	hex_encode(p, n, hex);
	jw_object(w);
	jw_pair(w, "alg", str_of(algorithm));
	jw_pair(w, "content", str_of(hex));
	jw_object_end(w);
}

static void add_license(struct json_out *w, struct str text)
{
	text = str_trim(text);
	if (!text.n)
		return;
	jw_key(w, "licenses");
	jw_array(w);
	jw_object(w);
	if (spdx_is_expression(text)) {
		jw_pair(w, "expression", text);
	} else {
		jw_key(w, "license");
		jw_object(w);
		jw_pair(w, "name", text);
		jw_object_end(w);
	}
	jw_object_end(w);
	jw_array_end(w);
}

static void add_property(struct json_out *w, const char *name, struct str value)
{
	if (!value.n)
		return;
	jw_object(w);
	jw_pair(w, "name", str_of(name));
	jw_pair(w, "value", value);
	jw_object_end(w);
}

static void add_reference(struct json_out *w, const char *type, struct str url)
{
	jw_object(w);
	jw_pair(w, "type", str_of(type));
	jw_pair(w, "url", url);
	jw_object_end(w);
}

/* A folder of the building machine is nobody's business. */
static bool is_public(struct str url)
{
	return str_starts(url, STR("https://")) || str_starts(url, STR("http://"));
}

static struct str redacted(struct sbom *s, struct str url)
{
	return str_of(http_redact(s->a, arena_cstr(s->a, url)));
}

static void add_references(struct sbom *s, struct str url, struct str repository)
{
	if (!is_public(url) && !repository.n)
		return;
	jw_key(&s->w, "externalReferences");
	jw_array(&s->w);
	if (is_public(url))
		add_reference(&s->w, "distribution", redacted(s, url));
	if (repository.n)
		add_reference(&s->w, "vcs", repository);
	jw_array_end(&s->w);
}

static void add_commit(struct json_out *w, struct str commit, struct str url)
{
	if (!commit.n)
		return;
	jw_key(w, "pedigree");
	jw_object(w);
	jw_key(w, "commits");
	jw_array(w);
	jw_object(w);
	jw_pair(w, "uid", commit);
	if (url.n)
		jw_pair(w, "url", url);
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
}

static void begin_component(
	struct json_out *w, const char *type, struct str ref, struct str name, struct str version)
{
	jw_object(w);
	jw_pair(w, "type", str_of(type));
	jw_pair(w, "bom-ref", ref);
	jw_pair(w, "name", name);
	if (version.n)
		jw_pair(w, "version", version);
}

static void add_package(struct sbom *s, size_t i)
{
	const struct package *p = &s->r->packages[i];
	const struct record *r = p->record;
	const struct about *about = &s->about[i];
	struct json_out *w = &s->w;

	begin_component(w, "library", s->refs[i], r->name, r->version);
	jw_key(w, "hashes");
	jw_array(w);
	add_hash(w, "SHA-256", p->sha256, SHA256_LEN);
	if (r->has_md5)
		add_hash(w, "MD5", r->md5, MD5_LEN);
	jw_array_end(w);
	add_license(w, r->license);
	jw_pair(w, "purl", s->refs[i]);
	add_commit(w, about->sha, about->remote_url);
	add_references(s, r->url, about->remote_url);
	jw_key(w, "properties");
	jw_array(w);
	add_property(w, "envbuild:build", r->build);
	add_property(w, "envbuild:file", r->fn);
	add_property(w, "envbuild:flow_run_id", about->flow_run_id);
	add_property(w, "envbuild:subdir", r->subdir);
	jw_array_end(w);
	jw_object_end(w);
}

static void add_dist(struct sbom *s, size_t i)
{
	const struct pypi_package *p = &s->r->pypi->v[i];
	struct json_out *w = &s->w;
	struct pypi_git git;

	begin_component(w, "library", s->pypi_refs[i], p->name, p->version);
	if (p->has_sha256 || p->wheel.n) {
		jw_key(w, "hashes");
		jw_array(w);
		add_hash(w, "SHA-256", p->wheel.n ? p->wheel_sha256 : p->sha256, SHA256_LEN);
		jw_array_end(w);
	}
	jw_pair(w, "purl", s->pypi_refs[i]);
	if (pypi_git_split(s->a, p->url, &git) == 0)
		add_commit(
			w, git.commit, is_public(git.url) ? redacted(s, git.url) : (struct str){0});
	add_references(s, p->url, (struct str){0});
	jw_key(w, "properties");
	jw_array(w);
	add_property(w, "envbuild:installed-by", STR("pip"));
	add_property(w, "envbuild:wheel", p->wheel);
	jw_array_end(w);
	jw_object_end(w);
}

/* --- the graph --------------------------------------------------------------------------------- */

struct refs {
	struct str *v;
	size_t n, cap;
};

static void put_dependency(struct sbom *s, struct str ref, struct refs *on)
{
	size_t kept = 0;

	if (on->n)
		qsort(on->v, on->n, sizeof *on->v, str_cmp_qsort);
	for (size_t i = 0; i < on->n; i++)
		if (!str_eq(on->v[i], ref) && (!kept || !str_eq(on->v[kept - 1], on->v[i])))
			on->v[kept++] = on->v[i];
	jw_object(&s->w);
	jw_pair(&s->w, "ref", ref);
	if (kept) {
		jw_key(&s->w, "dependsOn");
		jw_array(&s->w);
		for (size_t i = 0; i < kept; i++)
			jw_str(&s->w, on->v[i]);
		jw_array_end(&s->w);
	}
	jw_object_end(&s->w);
}

static void add_by_name(struct sbom *s, struct str name, struct refs *on)
{
	union table_value *v = table_get(&s->by_name, name);

	if (v)
		*VEC_PUSH(s->a, on) = s->refs[v->num - 1];
}

/* What the records of an index write: the name comes first. */
static struct str name_of_spec(struct str spec)
{
	size_t n = 0;

	while (n < spec.n && !strchr(" \t<>=!~[;", spec.p[n]))
		n++;
	return str_sub(spec, 0, n);
}

static void depend_package(struct sbom *s, size_t i)
{
	const struct record *r = s->r->packages[i].record;
	struct refs on = {0};

	for (size_t k = 0; k < r->n_depends; k++)
		add_by_name(s, name_of_spec(r->depends[k]), &on);
	put_dependency(s, s->refs[i], &on);
}

/* What an extra brings in is not told: which were asked for is not known of each. */
static void depend_dist(struct sbom *s, size_t i)
{
	const struct pypi_package *p = &s->r->pypi->v[i];
	struct refs on = {0};

	for (size_t k = 0; k < p->n_requires_dist; k++) {
		struct pep508 need;
		union table_value *v;

		if (pep508_parse(s->a, p->requires_dist[k], &need, NULL) < 0 ||
			str_find(need.marker_text, STR("extra")) >= 0)
			continue;
		v = table_get(&s->by_pypi, need.name);
		if (v)
			*VEC_PUSH(s->a, &on) = *(struct str *)v->ptr;
	}
	put_dependency(s, s->pypi_refs[i], &on);
}

static void depend_root(struct sbom *s)
{
	struct refs on = {0};

	for (size_t i = 0; i < s->r->n_requested; i++)
		add_by_name(s, s->r->requested[i], &on);
	for (size_t i = 0; !s->r->n_requested && i < s->r->n_packages; i++)
		*VEC_PUSH(s->a, &on) = s->refs[i];
	for (size_t i = 0; i < n_pypi(s); i++)
		*VEC_PUSH(s->a, &on) = s->pypi_refs[i];
	put_dependency(s, STR(ROOT_REF), &on);
}

static void add_dependencies(struct sbom *s)
{
	jw_key(&s->w, "dependencies");
	jw_array(&s->w);
	depend_root(s);
	for (size_t i = 0; i < s->r->n_packages; i++)
		depend_package(s, i);
	for (size_t i = 0; i < n_pypi(s); i++)
		depend_dist(s, i);
	jw_array_end(&s->w);
}

/* --- the whole --------------------------------------------------------------------------------- */

static void add_metadata(struct sbom *s)
{
	struct json_out *w = &s->w;
	char when[DATE_TIME];

	jw_key(w, "metadata");
	jw_object(w);
	date_time(s->r->epoch > 0 ? (uint64_t)s->r->epoch * 1000 : 0, when);
	jw_pair(w, "timestamp", str_of(when));
	jw_key(w, "tools");
	jw_object(w);
	jw_key(w, "components");
	jw_array(w);
	jw_object(w);
	jw_pair(w, "type", STR("application"));
	jw_pair(w, "name", STR("envbuild"));
	jw_pair(w, "version", STR(ENVBUILD_VERSION));
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
	jw_key(w, "component");
	begin_component(w, "application", STR(ROOT_REF), s->r->name, s->r->version);
	jw_key(w, "properties");
	jw_array(w);
	add_property(w, "envbuild:target", s->r->target);
	jw_array_end(w);
	jw_object_end(w);
	jw_object_end(w);
}

/* serial empty: without it. */
static void write_document(struct sbom *s, struct str serial, struct buf *to)
{
	s->w = (struct json_out){.to = to, .indent = 2};
	jw_object(&s->w);
	jw_pair(&s->w, "$schema", STR("http://cyclonedx.org/schema/bom-1.5.schema.json"));
	jw_pair(&s->w, "bomFormat", STR("CycloneDX"));
	jw_pair(&s->w, "specVersion", STR("1.5"));
	if (serial.n)
		jw_pair(&s->w, "serialNumber", serial);
	jw_key(&s->w, "version");
	jw_int(&s->w, 1);
	add_metadata(s);
	jw_key(&s->w, "components");
	jw_array(&s->w);
	for (size_t i = 0; i < s->r->n_packages; i++)
		add_package(s, i);
	for (size_t i = 0; i < n_pypi(s); i++)
		add_dist(s, i);
	jw_array_end(&s->w);
	add_dependencies(s);
	jw_object_end(&s->w);
	buf_putc(to, '\n');
}

/* A UUID of version 8 (RFC 9562, 5.8 and appendix B.2): the first bytes of a sha256. */
static struct str serial_of(struct arena *a, struct str text)
{
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	sha256_of(text.p, text.n, sum);
	sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x80);
	sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
	hex_encode(sum, 16, hex);
	return arena_strf(a, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		hex + 20);
}

int sbom_write(struct arena *a, const struct sbom_request *r, struct buf *to, struct err *e)
{
	struct sbom s = {.r = r, .a = a, .by_name.arena = a, .by_pypi.arena = a};
	CLEANUP_BUF draft = {0};

	s.about = arena_array(a, struct about, r->n_packages + 1);
	for (size_t i = 0; i < r->n_packages; i++)
		if (about_read(a, r->packages[i].dir, &s.about[i], e) < 0)
			return -1;
	name_components(&s);
	write_document(&s, (struct str){0}, &draft);
	write_document(&s, serial_of(a, buf_view(&draft)), to);
	return 0;
}

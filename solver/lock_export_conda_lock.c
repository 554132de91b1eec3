/*
 * conda-lock.yml, version 1, as conda-lock writes it: PyYAML's block style, keys sorted, packages of
 * one platform after the other in the order of installing.
 */
#include "base/hash.h"
#include "base/table.h"
#include "base/yaml.h"
#include "solver/lock_export_form.h"
#include "solver/matchspec.h"
#include "solver/pep508.h"
#include "solver/requirements.h"

#include <stdlib.h>

struct depend {
	struct str name, what;
};

static int cmp_depend(const void *a, const void *b)
{
	const struct depend *x = a, *y = b;
	int c = str_cmp(x->name, y->name);

	return c ? c : str_cmp(x->what, y->what);
}

static void put(struct buf *to, const char *key, struct str value)
{
	buf_puts(to, key);
	yaml_write_scalar(to, value);
	buf_putc(to, '\n');
}

struct str export_channel(struct arena *a, struct str url)
{
	static const struct str home = STR_INIT("https://conda.anaconda.org/");
	struct str public = export_url(a, url);

	return str_starts(public, home) && public.n > home.n ? str_sub(public, home.n, public.n)
							     : public;
}

/* --- dependencies ----------------------------------------------------------------------------- */

/* One name has one text: of two that only ask for versions, both. */
static void put_depends(struct arena *a, struct buf *to, struct depend *v, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(v, n, sizeof *v, cmp_depend);
	for (size_t i = 0; i < n; i++) {
		struct depend *last = kept ? &v[kept - 1] : NULL;

		if (!last || !str_eq(last->name, v[i].name))
			v[kept++] = v[i];
		else if (!last->what.n || str_is(last->what, "*"))
			last->what = v[i].what;
		else if (v[i].what.n && !str_eq(last->what, v[i].what) &&
			 str_chr(last->what, ' ') < 0 && str_chr(v[i].what, ' ') < 0)
			last->what =
				arena_strf(a, "%.*s,%.*s", STR_ARG(last->what), STR_ARG(v[i].what));
	}
	buf_puts(to, kept ? "  dependencies:\n" : "  dependencies: {}\n");
	for (size_t i = 0; i < kept; i++) {
		buf_puts(to, "    ");
		yaml_write_scalar(to, v[i].name);
		put(to, ": ", v[i].what);
	}
}

static void put_conda_depends(struct arena *a, struct buf *to, const struct record *r)
{
	struct depend *v = arena_array(a, struct depend, r->n_depends);

	for (size_t i = 0; i < r->n_depends; i++) {
		struct str text = str_trim(r->depends[i]), name = matchspec_name(text);
		size_t end = name.n ? (size_t)(name.p - text.p) + name.n : text.n;

		/* Of "channel::name >=1" the channel goes. */
		v[i] = (struct depend){name.n ? name : text, str_trim(str_sub(text, end, text.n))};
	}
	put_depends(a, to, v, r->n_depends);
}

static void put_pip_depends(struct arena *a, struct buf *to, const struct pypi_package *p)
{
	struct depend *v = arena_array(a, struct depend, p->n_requires_dist);
	size_t n = 0;

	for (size_t i = 0; i < p->n_requires_dist; i++) {
		struct str text = p->requires_dist[i], name = text;
		size_t end = 0;

		/* What a marker makes conditional, or a URL gives, has no place there. */
		if (str_chr(text, ';') >= 0 || str_chr(text, '@') >= 0)
			continue;
		while (end < text.n && !strchr(" =<>!~[(", text.p[end]))
			end++;
		name.n = end;
		text = str_sub(text, end, text.n);
		if (text.n && text.p[0] == '[' && str_chr(text, ']') >= 0)
			text = str_sub(text, (size_t)str_chr(text, ']') + 1, text.n);
		text = str_trim(text);
		if (text.n > 1 && text.p[0] == '(' && text.p[text.n - 1] == ')')
			text = str_trim(str_sub(text, 1, text.n - 1));
		if (pypi_name_is_valid(name))
			v[n++] = (struct depend){
				pypi_normal_name(a, name), text.n ? text : STR("*")};
	}
	put_depends(a, to, v, n);
}

/* --- packages --------------------------------------------------------------------------------- */

/* As PyYAML writes it: quoted where YAML 1.1 takes it for a number, decimal, octal or binary. */
static void put_hex(struct buf *to, const char *key, const char *hex)
{
	bool digits = !hex[strspn(hex, "0123456789")];
	bool number = digits && (hex[0] != '0' || !hex[strspn(hex, "01234567")]);

	if (strncmp(hex, "0b", 2) == 0 && !hex[2 + strspn(hex + 2, "01")])
		number = true;
	buf_printf(to, number ? "%s'%s'\n" : "%s%s\n", key, hex);
}

static void put_hash(struct buf *to, const uint8_t *md5, const uint8_t *sha256)
{
	char hex[SHA256_HEX + 1];

	buf_puts(to, md5 || sha256 ? "  hash:\n" : "  hash: {}\n");
	if (md5) {
		hex_encode(md5, MD5_LEN, hex);
		put_hex(to, "    md5: ", hex);
	}
	if (sha256) {
		hex_encode(sha256, SHA256_LEN, hex);
		put_hex(to, "    sha256: ", hex);
	}
}

static void put_rest(struct buf *to, const char *manager, struct str name, struct str platform,
	struct str url, struct str version)
{
	put(to, "  manager: ", str_of(manager));
	put(to, "  name: ", name);
	buf_puts(to, "  optional: false\n");
	put(to, "  platform: ", platform);
	put(to, "  url: ", url);
	put(to, "  version: ", version);
}

static int put_packages(struct arena *a, struct buf *to, const struct lock_target *t, struct err *e)
{
	struct record **v = export_order(a, t);

	for (size_t i = 0; i < t->n_records; i++) {
		const struct record *r = v[i];

		buf_puts(to, "- category: main\n");
		put_conda_depends(a, to, r);
		put_hash(to, r->has_md5 ? r->md5 : NULL, r->has_sha256 ? r->sha256 : NULL);
		put_rest(to, "conda", r->name, t->subdir, export_url(a, r->url), r->version);
	}
	for (size_t i = 0; i < t->pypi.n; i++) {
		const struct pypi_package *p = &t->pypi.v[i];

		if (export_check_wheel(a, p, "conda-lock.yml", e) < 0)
			return -1;
		buf_puts(to, "- category: main\n");
		put_pip_depends(a, to, p);
		put_hash(to, NULL, p->sha256);
		put_rest(to, "pip", p->name, t->subdir, pypi_public_url(a, p->url), p->version);
	}
	return 0;
}

/* --- metadata --------------------------------------------------------------------------------- */

/*
 * conda-lock compares it with what it computes of its input; ours is over the packages, so that it
 * changes when they do.
 */
static void put_content_hash(
	struct arena *a, struct buf *to, const struct lock_target *const *targets, size_t n)
{
	buf_puts(to, n ? "  content_hash:\n" : "  content_hash: {}\n");
	for (size_t i = 0; i < n; i++) {
		struct record **v = export_order(a, targets[i]);
		struct hash *sum = hash_new(HASH_SHA256);
		uint8_t bytes[SHA256_LEN];
		char hex[SHA256_HEX + 1];

		for (size_t k = 0; k < targets[i]->n_records; k++) {
			struct str url = export_url(a, v[k]->url);

			hash_update(sum, url.p, url.n);
			hash_update(sum, "\n", 1);
		}
		for (size_t k = 0; k < targets[i]->pypi.n; k++)
			hash_update(sum, targets[i]->pypi.v[k].sha256, SHA256_LEN);
		hash_final(sum, bytes);
		hash_free(sum);
		hex_encode(bytes, SHA256_LEN, hex);
		buf_puts(to, "    ");
		yaml_write_scalar(to, targets[i]->subdir);
		put_hex(to, ": ", hex);
	}
}

static void put_metadata(struct arena *a, struct buf *to, const struct lock *lock,
	const struct lock_target *const *targets, size_t n)
{
	buf_puts(to, lock->n_channels ? "metadata:\n  channels:\n" : "metadata:\n  channels: []\n");
	for (size_t i = 0; i < lock->n_channels; i++) {
		put(to, "  - url: ", export_channel(a, lock->channels[i]));
		buf_puts(to, "    used_env_vars: []\n");
	}
	put_content_hash(a, to, targets, n);
	buf_puts(to, n ? "  platforms:\n" : "  platforms: []\n");
	for (size_t i = 0; i < n; i++)
		put(to, "  - ", targets[i]->subdir);
	buf_puts(to, "  sources: []\n");
}

static int cmp_subdir(const void *a, const void *b)
{
	return str_cmp((*(const struct lock_target *const *)a)->subdir,
		(*(const struct lock_target *const *)b)->subdir);
}

int export_conda_lock(struct arena *a, const struct lock *lock,
	const struct lock_target *const *targets, size_t n, struct buf *to, struct err *e)
{
	const struct lock_target **v = arena_array(a, const struct lock_target *, n);
	size_t packages = 0;

	for (size_t i = 0; i < n; i++) {
		v[i] = targets[i];
		packages += targets[i]->n_records + targets[i]->pypi.n;
	}
	if (n)
		qsort(v, n, sizeof *v, cmp_subdir);
	for (size_t i = 1; i < n; i++)
		if (str_eq(v[i]->subdir, v[i - 1]->subdir)) {
			err_set(e, ERR_INPUT,
				"conda-lock.yml cannot tell '%.*s' from '%.*s': both are %.*s",
				STR_ARG(v[i - 1]->name), STR_ARG(v[i]->name),
				STR_ARG(v[i]->subdir));
			return err_advise(e, "choose one with -t");
		}
	put_metadata(a, to, lock, v, n);
	buf_puts(to, packages ? "package:\n" : "package: []\n");
	for (size_t i = 0; i < n; i++)
		if (put_packages(a, to, v[i], e) < 0)
			return -1;
	buf_puts(to, "version: 1\n");
	return 0;
}

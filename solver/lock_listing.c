/* Locks that list packages in the order of installing: what their readers share. */
#include "solver/lock_reader.h"

#include "base/http.h"
#include "solver/dist_name.h"
#include "solver/lock_form.h"
#include "solver/pep508.h"

#include <stdlib.h>

bool lock_recognize(struct str text)
{
	static const char *const keys[] = {
		"version:", "environments:", "packages:", "metadata:", "package:"};
	enum { VERSION = 1, ENVIRONMENTS = 2, PACKAGES = 4, METADATA = 8, PACKAGE = 16 };
	unsigned seen = 0;

	if (lock_is_explicit(text))
		return true;
	while (text.p) {
		struct str line = str_cut(&text, '\n');

		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			if (str_starts(line, str_of(keys[i])))
				seen |= 1u << i;
	}
	return (seen & (VERSION | ENVIRONMENTS | PACKAGES)) ==
		       (VERSION | ENVIRONMENTS | PACKAGES) ||
	       (seen & (VERSION | METADATA | PACKAGE)) == (VERSION | METADATA | PACKAGE);
}

/* What stands before SUBDIR/FILE, else before FILE. */
static struct str base_of(struct str url)
{
	struct str channel = derive_from_url(url).channel;
	ptrdiff_t slash = str_rchr(url, '/');

	return channel.n ? channel : str_sub(url, 0, slash < 0 ? 0 : (size_t)slash);
}

struct str lock_public_url(struct lock_reader *r, struct str url)
{
	struct str public = str_of(http_redact(r->a, arena_cstr(r->a, url)));
	struct channel_list *list = &r->out->credentials;
	struct channel c;

	if (str_eq(public, url))
		return url;
	c.name = c.url = base_of(public);
	c.fetch_url = arena_cstr(r->a, base_of(url));
	if (str_is(c.url, c.fetch_url) || (list->n && str_eq(list->v[list->n - 1].url, c.url)))
		return public;
	*VEC_PUSH(r->a, list) = c;
	return public;
}

void lock_list_wheel(struct lock_reader *r, struct lock_listing *l, struct pypi_package package)
{
	struct str url = package.url;
	struct dist_name file;

	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
			url.n = 0;
	if (!package.has_sha256 || str_starts(url, STR("git+")) || str_find(url, STR("://")) < 0 ||
		!pypi_name_is_valid(package.name) ||
		dist_name_parse(r->a, dist_file_of(r->a, url), &file) < 0 ||
		file.kind != DIST_WHEEL) {
		l->n_skipped++;
		return;
	}
	package.name = pypi_normal_name(r->a, package.name);
	package.version = file.version;
	if (!str_eq(package.name, file.name)) {
		l->n_skipped++;
		return;
	}
	*VEC_PUSH(r->a, &l->pypi) = package;
}

static int cmp_record(const void *a, const void *b)
{
	return record_cmp_name(*(struct record *const *)a, *(struct record *const *)b);
}

static int cmp_pypi(const void *a, const void *b)
{
	return str_cmp(
		((const struct pypi_package *)a)->name, ((const struct pypi_package *)b)->name);
}

static struct record **sorted_records(struct lock_reader *r, const struct lock_listing *l)
{
	struct record **v = arena_array(r->a, struct record *, l->records.n);

	if (l->records.n) {
		memcpy(v, l->records.v, l->records.n * sizeof *v);
		qsort(v, l->records.n, sizeof *v, cmp_record);
	}
	return v;
}

int lock_enter_listing(struct lock_reader *r, const struct lock_listing *l, struct str *twice)
{
	struct lock_target t = {.name = l->subdir,
		.subdir = l->subdir,
		.records = sorted_records(r, l),
		.n_records = l->records.n,
		.order = l->records.v,
		.pypi = {.v = l->pypi.v, .n = l->pypi.n, .settled = true},
		.n_skipped = l->n_skipped,
		.n_optional = l->n_optional};

	for (size_t i = 1; i < t.n_records; i++)
		if (str_eq(t.records[i]->name, t.records[i - 1]->name)) {
			*twice = t.records[i]->name;
			return -1;
		}
	if (t.pypi.n)
		qsort(t.pypi.v, t.pypi.n, sizeof *t.pypi.v, cmp_pypi);
	for (size_t i = 1; i < t.pypi.n; i++)
		if (str_eq(t.pypi.v[i].name, t.pypi.v[i - 1].name)) {
			*twice = t.pypi.v[i].name;
			return -1;
		}
	lock_put(r->a, r->out, &t);
	return 0;
}

#include "solver/index_group.h"

#include <stdlib.h>

/* --- reading ------------------------------------------------------------------------------ */

static bool text_fits(struct group_text t, size_t n)
{
	return t.at <= n && t.n <= n - t.at;
}

static bool list_fits(struct group_needs list, size_t n)
{
	return list.at <= n && list.n <= n - list.at;
}

static bool build_fits(const struct group_build *b, const struct group_head *h)
{
	return text_fits(b->fn, h->n_text) && text_fits(b->build, h->n_text) &&
	       text_fits(b->track_features, h->n_text) && b->version < h->n_versions &&
	       list_fits(b->depends, h->n_specs) && list_fits(b->constrains, h->n_specs);
}

static bool kind_fits(const struct group_kind *r, const struct group_head *h)
{
	const size_t n_text = h->n_text;

	return list_fits(r->extras, h->n_specs) && text_fits(r->features, n_text) &&
	       text_fits(r->flags, n_text) && text_fits(r->site_packages_path, n_text) &&
	       text_fits(r->license, n_text) && text_fits(r->license_family, n_text);
}

static bool parts_fit(const struct index_group *g, const struct group_head *h, size_t n_specs)
{
	for (size_t i = 0; i < g->n_builds; i++)
		if (!build_fits(&g->builds[i], h) || g->rests[i].kind >= h->n_kinds)
			return false;
	for (size_t i = 0; i < g->n_kinds; i++)
		if (!kind_fits(&g->kinds[i], h))
			return false;
	for (size_t i = 0; i < g->n_versions; i++)
		if (!text_fits(g->versions[i], h->n_text))
			return false;
	for (size_t i = 0; i < g->n_specs; i++)
		if (g->specs[i] >= n_specs)
			return false;
	return true;
}

int group_open(struct str bytes, size_t n_specs, struct index_group *out)
{
	const struct group_head *h = (const void *)bytes.p;
	uint64_t need = sizeof *h;

	if (bytes.n < sizeof *h || (uintptr_t)bytes.p % 8)
		return -1;
	need += h->n_builds * (uint64_t)(sizeof(struct group_build) + sizeof(struct group_rest));
	need += h->n_kinds * (uint64_t)sizeof(struct group_kind);
	need += h->n_versions * (uint64_t)sizeof(struct group_text);
	need += h->n_specs * (uint64_t)sizeof(uint32_t) + h->n_text;
	if (need > bytes.n || h->n_name > h->n_text)
		return -1;
	*out = (struct index_group){.n_builds = h->n_builds,
		.n_kinds = h->n_kinds,
		.n_versions = h->n_versions,
		.n_specs = h->n_specs,
		.builds = (const void *)(h + 1)};
	out->rests = (const void *)(out->builds + h->n_builds);
	out->kinds = (const void *)(out->rests + h->n_builds);
	out->versions = (const void *)(out->kinds + h->n_kinds);
	out->specs = (const void *)(out->versions + h->n_versions);
	out->text = (const char *)(out->specs + h->n_specs);
	out->name = str_n(out->text, h->n_name);
	return parts_fit(out, h, n_specs) ? 0 : -1;
}

void group_record(const struct index_group *g, size_t i, struct record *out)
{
	const struct group_build *b = &g->builds[i];
	const struct group_rest *r = &g->rests[i];
	const struct group_kind *k = &g->kinds[r->kind];

	*out = (struct record){.name = g->name,
		.version = group_text(g, g->versions[b->version]),
		.build = group_text(g, b->build),
		.build_number = b->build_number,
		.fn = group_text(g, b->fn),
		.track_features = group_text(g, b->track_features),
		.features = group_text(g, k->features),
		.flags = group_text(g, k->flags),
		.python_site_packages_path = group_text(g, k->site_packages_path),
		.license = group_text(g, k->license),
		.license_family = group_text(g, k->license_family),
		.has_sha256 = b->flags & GROUP_HAS_SHA256,
		.has_md5 = b->flags & GROUP_HAS_MD5,
		.size = r->size,
		.timestamp = b->timestamp,
		.indexed = b->indexed};
	if (b->flags & GROUP_NOARCH_PYTHON)
		out->noarch = NOARCH_PYTHON;
	else if (b->flags & GROUP_NOARCH_GENERIC)
		out->noarch = NOARCH_GENERIC;
	memcpy(out->sha256, r->sha256, sizeof out->sha256);
	memcpy(out->md5, r->md5, sizeof out->md5);
}

/* --- writing ------------------------------------------------------------------------------ */

/* The list before: neighbours mostly ask for the same, or nearly. */
struct last_list {
	const struct str *specs;
	const uint32_t *numbers;
	size_t n;
	struct group_needs needs;
};

struct writing {
	struct arena *scratch;
	struct spec_set *specs;
	struct table texts, lists, versions, kinds; /* what is there already, and where */
	struct buf text, numbers;
	struct last_list depends, constrains, extras;
};

static int cmp_fn(const void *va, const void *vb)
{
	const struct group_record *a = va, *b = vb;

	return str_cmp(a->record.fn, b->record.fn);
}

static int cmp_order(const void *va, const void *vb)
{
	const struct group_record *a = va, *b = vb;
	int c = cmp_fn(a, b);

	return c ? c : (a->order > b->order) - (a->order < b->order);
}

/* NAME-1-0.tar.bz2 of NAME-1-0.conda, which is preferred. */
static bool has_conda(struct arena *scratch, const struct group_record *v, size_t n, struct str fn)
{
	const struct str bz2 = STR(".tar.bz2");
	struct group_record key = {0};

	if (!str_ends(fn, bz2))
		return false;
	key.record.fn = arena_strf(scratch, "%.*s.conda", (int)(fn.n - bz2.n), fn.p);
	return bsearch(&key, v, n, sizeof *v, cmp_fn);
}

static size_t thin_out(struct arena *scratch, struct group_record *v, size_t n)
{
	bool *out = arena_array(scratch, bool, n);
	size_t kept = 0;

	if (n > 1)
		qsort(v, n, sizeof *v, cmp_order);
	for (size_t i = 0; i < n; i++)
		out[i] = (i && cmp_fn(&v[i - 1], &v[i]) == 0) ||
			 has_conda(scratch, v, n, v[i].record.fn);
	for (size_t i = 0; i < n; i++)
		if (!out[i])
			v[kept++] = v[i];
	return kept;
}

static struct group_text add_text(struct writing *w, struct str s)
{
	const struct group_text t = {(uint32_t)w->text.n, (uint32_t)s.n};

	buf_str(&w->text, s);
	return t;
}

/* The same text once. */
static struct group_text put_text(struct writing *w, struct str s)
{
	union table_value *v;

	if (s.n == 0)
		return (struct group_text){0, 0};
	v = table_get(&w->texts, s);
	if (!v) {
		v = table_put(&w->texts, s);
		v->num = w->text.n;
		buf_str(&w->text, s);
	}
	return (struct group_text){(uint32_t)v->num, (uint32_t)s.n};
}

/* Version and build mostly stand in the file name. */
static struct group_text text_in(
	struct writing *w, struct str s, struct group_text whole, size_t at, struct str there)
{
	if (str_eq(s, there))
		return (struct group_text){(uint32_t)(whole.at + at), (uint32_t)s.n};
	return put_text(w, s);
}

static uint32_t spec_number(struct spec_set *set, struct str text)
{
	union table_value *v = table_get(&set->numbers, text);

	if (!v) {
		size_t number = set->numbers.n;

		v = table_put(&set->numbers, arena_str(set->arena, text));
		v->num = number;
	}
	return (uint32_t)v->num;
}

/* The numbers of the specs; NULL where the list is the one before. */
static uint32_t *number_list(
	struct writing *w, const struct last_list *last, const struct str *specs, size_t n)
{
	uint32_t *numbers = arena_array(w->scratch, uint32_t, n);
	size_t same = 0;

	for (size_t i = 0; i < n; i++) {
		bool known = i < last->n && str_eq(specs[i], last->specs[i]);

		numbers[i] = known ? last->numbers[i] : spec_number(w->specs, specs[i]);
		same += known;
	}
	return same == n && n == last->n ? NULL : numbers;
}

static struct group_needs put_list(
	struct writing *w, struct last_list *last, const struct str *specs, size_t n)
{
	const uint32_t *numbers;
	struct str key;
	union table_value *v;

	if (n == 0)
		return (struct group_needs){0, 0};
	numbers = number_list(w, last, specs, n);
	if (!numbers)
		return last->needs;
	key = str_n((const char *)numbers, n * sizeof *numbers);
	v = table_get(&w->lists, key);
	if (!v) {
		v = table_put(&w->lists, key);
		v->num = w->numbers.n / sizeof *numbers;
		buf_add(&w->numbers, key.p, key.n);
	}
	*last = (struct last_list){specs, numbers, n, {(uint32_t)v->num, (uint32_t)n}};
	return last->needs;
}

static uint32_t put_version(struct writing *w, struct str s)
{
	union table_value *v = table_get(&w->versions, s);

	if (!v) {
		size_t number = w->versions.n;

		v = table_put(&w->versions, s);
		v->num = number;
	}
	return (uint32_t)v->num;
}

static struct group_build make_build(struct writing *w, const struct group_record *from)
{
	const struct record *r = &from->record;
	struct str name, version, build;
	struct group_build b = {
		.build_number = r->build_number, .timestamp = r->timestamp, .indexed = r->indexed};

	b.fn = add_text(w, r->fn);
	b.version = put_version(w, r->version);
	if (from->error) {
		b.flags = GROUP_BAD;
		b.track_features = put_text(w, str_of(from->error));
		return b;
	}
	record_split_fn(r->fn, &name, &version, &build);
	b.build = text_in(w, r->build, b.fn, (size_t)(build.p - r->fn.p), build);
	b.track_features = put_text(w, r->track_features);
	b.depends = put_list(w, &w->depends, r->depends, r->n_depends);
	b.constrains = put_list(w, &w->constrains, r->constrains, r->n_constrains);
	b.flags = (r->noarch == NOARCH_GENERIC ? GROUP_NOARCH_GENERIC : 0) |
		  (r->noarch == NOARCH_PYTHON ? GROUP_NOARCH_PYTHON : 0) |
		  (r->has_sha256 ? GROUP_HAS_SHA256 : 0) | (r->has_md5 ? GROUP_HAS_MD5 : 0);
	return b;
}

static uint32_t put_kind(struct writing *w, const struct record *r)
{
	const struct group_kind k = {.features = put_text(w, r->features),
		.flags = put_text(w, r->flags),
		.site_packages_path = put_text(w, r->python_site_packages_path),
		.license = put_text(w, r->license),
		.license_family = put_text(w, r->license_family),
		.extras = put_list(w, &w->extras, r->extras, r->n_extras)};
	union table_value *v = table_get(&w->kinds, str_n((const char *)&k, sizeof k));

	if (!v) {
		size_t number = w->kinds.n;

		v = table_put(&w->kinds, arena_str(w->scratch, str_n((const char *)&k, sizeof k)));
		v->num = number;
	}
	return (uint32_t)v->num;
}

static struct group_rest make_rest(struct writing *w, const struct record *r)
{
	struct group_rest rest = {.size = r->size, .kind = put_kind(w, r)};

	memcpy(rest.sha256, r->sha256, sizeof rest.sha256);
	memcpy(rest.md5, r->md5, sizeof rest.md5);
	return rest;
}

static void add_versions(struct writing *w, struct group_text *to)
{
	for (size_t i = 0; i < w->versions.n; i++)
		to[i] = put_text(w, w->versions.entries[i].key);
}

/* `need` bytes are more than all text and numbers of the group take. */
static bool is_too_large(const struct group_record *v, size_t n)
{
	uint64_t need = 0;

	for (size_t i = 0; i < n; i++) {
		const struct record *r = &v[i].record;

		need += sizeof(struct group_build) + sizeof(struct group_rest) +
			sizeof(struct group_kind) +
			4 * (r->n_depends + r->n_constrains + r->n_extras) + r->fn.n +
			r->version.n + r->build.n + r->track_features.n + r->features.n +
			r->flags.n + r->license.n + r->license_family.n +
			r->python_site_packages_path.n + 64;
	}
	return need > UINT32_MAX / 2;
}

int group_write(struct arena *scratch, struct spec_set *specs, struct str name,
	struct group_record *v, size_t n, struct buf *to, struct err *e)
{
	struct writing w = {.scratch = scratch, .specs = specs};
	struct group_build *builds = arena_array(scratch, struct group_build, n);
	struct group_rest *rests = arena_array(scratch, struct group_rest, n);
	struct group_text *versions = arena_array(scratch, struct group_text, n);
	struct group_head h = {.n_name = (uint32_t)name.n};

	if (is_too_large(v, n))
		return err_set(e, ERR_INPUT, "the records of '%.*s' are too large", STR_ARG(name));
	w.texts.arena = w.lists.arena = w.versions.arena = w.kinds.arena = scratch;
	n = thin_out(scratch, v, n);
	put_text(&w, name);
	for (size_t i = 0; i < n; i++) {
		builds[i] = make_build(&w, &v[i]);
		rests[i] = make_rest(&w, &v[i].record);
	}
	add_versions(&w, versions);
	h.n_builds = (uint32_t)n;
	h.n_kinds = (uint32_t)w.kinds.n;
	h.n_versions = (uint32_t)w.versions.n;
	h.n_specs = (uint32_t)(w.numbers.n / sizeof(uint32_t));
	h.n_text = (uint32_t)w.text.n;
	buf_add(to, &h, sizeof h);
	buf_add(to, builds, n * sizeof *builds);
	buf_add(to, rests, n * sizeof *rests);
	for (size_t i = 0; i < w.kinds.n; i++)
		buf_str(to, w.kinds.entries[i].key);
	buf_add(to, versions, w.versions.n * sizeof *versions);
	buf_str(to, buf_view(&w.numbers));
	buf_str(to, buf_view(&w.text));
	while (to->n % 8)
		buf_putc(to, 0);
	buf_release(&w.text);
	buf_release(&w.numbers);
	return 0;
}

#include "solver/lock.h"

#include "base/date.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/yaml.h"
#include "solver/lock_form.h"
#include "solver/requirements.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 *	version: 7
 *	platforms:
 *	- {name, subdir where it is not the name, virtual-packages}
 *	environments:
 *	  default: {channels: [{url}], indexes, options, packages: {TARGET: [{conda: URL}, {pypi: URL}]}}
 *	packages:
 *	- {conda: URL, ...}      once each, sorted by URL
 *	- {pypi: URL, ...}       once each, sorted by URL; behind those of conda
 *
 * in the order and indentation of rattler 0.37 to 0.40.
 */

static void put_key(struct buf *to, const char *key, struct str value)
{
	if (!value.n)
		return;
	buf_puts(to, key);
	buf_puts(to, ": ");
	yaml_write_scalar(to, value);
	buf_putc(to, '\n');
}

/* --- URLs --------------------------------------------------------------------------------- */

/* Records hold no secret; a lock is committed and published, so nothing is left to trust here. */
static struct str clean_url(struct arena *a, struct str url)
{
	return str_of(http_redact(a, arena_cstr(a, url)));
}

/* A channel's, which ends in no slash, also where what was behind it had to go. */
static struct str clean_channel(struct arena *a, struct str url)
{
	struct str clean = clean_url(a, url);

	while (clean.n && clean.p[clean.n - 1] == '/')
		clean.n--;
	return clean;
}

/* --- one package -------------------------------------------------------------------------- */

struct entry {
	struct str url; /* clean */
	const struct record *record;
};

static int cmp_entry(const void *a, const void *b)
{
	return str_cmp(((const struct entry *)a)->url, ((const struct entry *)b)->url);
}

static void put_different(struct buf *to, const char *key, struct str value, struct str derived)
{
	if (!str_eq(value, derived))
		put_key(to, key, value);
}

/* Would YAML take hexadecimal digits for a number: 123, 1e5, 0b101? */
static bool hex_is_number(const char *hex)
{
	size_t digits = strspn(hex, "0123456789");

	if (hex[digits] == 'e' && digits)
		digits += 1 + strspn(hex + digits + 1, "0123456789");
	return !hex[digits] || (strncmp(hex, "0b", 2) == 0 && !hex[2 + strspn(hex + 2, "01")]);
}

static void put_hash(struct buf *to, const char *key, const uint8_t *sum, size_t n, bool given)
{
	char hex[2 * SHA256_LEN + 1];

	if (!given)
		return;
	hex_encode(sum, n, hex);
	buf_printf(to, hex_is_number(hex) ? "%s: '%s'\n" : "%s: %s\n", key, hex);
}

static void put_item(struct buf *to, const char *indent, struct str value)
{
	buf_puts(to, indent);
	yaml_write_scalar(to, value);
	buf_putc(to, '\n');
}

static void put_list(struct buf *to, const char *key, const struct str *v, size_t n)
{
	if (!n)
		return;
	buf_printf(to, "%s:\n", key);
	for (size_t i = 0; i < n; i++)
		put_item(to, "  - ", v[i]);
}

static void put_words(struct buf *to, const char *key, struct str words)
{
	bool any = false;

	while (words.p) {
		struct str word = str_cut(&words, ' ');

		if (!word.n)
			continue;
		if (!any)
			buf_printf(to, "%s:\n", key);
		any = true;
		put_item(to, "  - ", word);
	}
}

static void put_number(struct buf *to, const char *key, uint64_t n)
{
	buf_printf(to, "%s: %" PRIu64 "\n", key, n);
}

static void put_noarch(struct buf *to, const struct record *r, const struct derived *d)
{
	struct str subdir = d->subdir.n ? d->subdir : r->subdir;
	struct str build = d->build.n ? d->build : r->build;

	if (r->noarch == derive_noarch(subdir, build))
		return;
	switch (r->noarch) {
	case NOARCH_NONE:
		buf_puts(to, "  noarch: false\n");
		break;
	case NOARCH_GENERIC:
		buf_puts(to, "  noarch: generic\n");
		break;
	case NOARCH_PYTHON:
		buf_puts(to, "  noarch: python\n");
		break;
	}
}

static void put_identity(struct buf *to, const struct record *r, const struct derived *d)
{
	put_different(to, "  name", r->name, d->name);
	put_different(to, "  version", r->version, d->version);
	put_different(to, "  build", r->build, d->build);
	if (r->build_number != derive_build_number(r->build))
		put_number(to, "  build_number", r->build_number);
	put_different(to, "  subdir", r->subdir, d->subdir);
	put_noarch(to, r, d);
}

/* "GROUP ", not "GROUP SPEC": a spec ends with no space. */
static bool is_group(struct str extra)
{
	return extra.p[extra.n - 1] == ' ';
}

/* Groups as in the index (CEP 44): a mapping of lists. */
static void put_extras(struct buf *to, const struct record *r)
{
	size_t i = 0;

	if (r->n_extras)
		buf_puts(to, "  extra_depends:\n");
	while (i < r->n_extras) {
		const struct str group = r->extras[i++]; /* with a space behind it */
		bool empty = i == r->n_extras || is_group(r->extras[i]);

		buf_puts(to, "    ");
		yaml_write_scalar(to, str_sub(group, 0, group.n - 1));
		buf_puts(to, empty ? ": []\n" : ":\n");
		for (; i < r->n_extras && !is_group(r->extras[i]); i++) {
			buf_puts(to, "    - ");
			yaml_write_scalar(to, str_sub(r->extras[i], group.n, r->extras[i].n));
			buf_putc(to, '\n');
		}
	}
}

static void put_package(struct arena *a, struct buf *to, const struct entry *entry)
{
	const struct record *r = entry->record;
	struct derived d = derive_from_url(entry->url);

	put_key(to, "- conda", entry->url);
	put_identity(to, r, &d);
	put_hash(to, "  sha256", r->sha256, SHA256_LEN, r->has_sha256);
	put_hash(to, "  md5", r->md5, MD5_LEN, r->has_md5);
	put_list(to, "  depends", r->depends, r->n_depends);
	put_list(to, "  constrains", r->constrains, r->n_constrains);
	put_extras(to, r);
	put_different(to, "  channel", clean_channel(a, r->channel), d.channel);
	put_key(to, "  features", r->features);
	put_words(to, "  track_features", r->track_features);
	put_different(to, "  file_name", r->fn, d.fn);
	put_key(to, "  license", r->license);
	put_key(to, "  license_family", r->license_family);
	if (r->has_purls && !r->n_purls)
		buf_puts(to, "  purls: []\n");
	put_list(to, "  purls", r->purls, r->n_purls);
	if (r->size)
		put_number(to, "  size", r->size);
	if (r->timestamp)
		put_number(to, "  timestamp", r->timestamp);
	put_key(to, "  python_site_packages_path", r->python_site_packages_path);
}

/* --- one package of PyPI ------------------------------------------------------------------ */

struct pypi_entry {
	struct str url; /* without credentials */
	const struct pypi_package *package;
	bool several; /* more than one wheel was built of this location */
};

static int cmp_pypi_entry(const void *x, const void *y)
{
	const struct pypi_entry *a = x, *b = y;
	int c = str_cmp(a->url, b->url);

	if (!c)
		c = str_cmp(a->package->wheel, b->package->wheel);
	return c ? c : memcmp(a->package->wheel_sha256, b->package->wheel_sha256, SHA256_LEN);
}

/* A direct reference in it may hold a password. */
static struct str *clean_texts(struct arena *a, const struct str *v, size_t n)
{
	struct str *clean = arena_array(a, struct str, n);

	for (size_t i = 0; i < n; i++)
		clean[i] = http_redact_text(a, v[i]);
	return clean;
}

static void put_pypi(struct arena *a, struct buf *to, const struct pypi_entry *entry)
{
	const struct pypi_package *p = entry->package;

	put_key(to, "- pypi", entry->url);
	put_key(to, "  name", p->name);
	put_key(to, "  version", p->version);
	put_hash(to, "  sha256", p->sha256, SHA256_LEN, p->has_sha256);
	put_key(to, "  index", clean_url(a, p->index));
	put_list(to, "  requires_dist", clean_texts(a, p->requires_dist, p->n_requires_dist),
		p->n_requires_dist);
	put_key(to, "  requires_python", p->requires_python);
	put_key(to, "  envbuild-wheel", p->wheel);
	put_hash(to, "  envbuild-wheel-sha256", p->wheel_sha256, SHA256_LEN, p->wheel.n > 0);
	put_hash(
		to, "  envbuild-source-sha256", p->source_sha256, SHA256_LEN, p->has_source_sha256);
}

/* --- the file ----------------------------------------------------------------------------- */

struct sorted {
	const struct lock_target **targets; /* by name */
	size_t n_targets;
	struct entry *packages; /* of all targets, each URL once */
	size_t n_packages;
	struct pypi_entry *pypi; /* of all targets, each wheel once */
	size_t n_pypi;
};

static int cmp_target(const void *a, const void *b)
{
	return str_cmp((*(const struct lock_target *const *)a)->name,
		(*(const struct lock_target *const *)b)->name);
}

static struct entry *target_entries(struct arena *a, const struct lock_target *t)
{
	struct entry *v = arena_array(a, struct entry, t->n_records);

	for (size_t i = 0; i < t->n_records; i++)
		v[i] = (struct entry){clean_url(a, t->records[i]->url), t->records[i]};
	if (t->n_records)
		qsort(v, t->n_records, sizeof(*v), cmp_entry);
	return v;
}

static void sort_packages(struct arena *a, const struct lock *lock, struct sorted *s)
{
	size_t total = 0, kept = 0;

	for (size_t i = 0; i < lock->n_targets; i++)
		total += lock->targets[i].n_records;
	s->packages = arena_array(a, struct entry, total);
	/* By target name, so that which of two records of one URL is kept does not depend on order. */
	for (size_t i = 0; i < s->n_targets; i++) {
		const struct lock_target *t = s->targets[i];

		for (size_t j = 0; j < t->n_records; j++)
			s->packages[s->n_packages++] =
				(struct entry){clean_url(a, t->records[j]->url), t->records[j]};
	}
	if (total)
		qsort(s->packages, total, sizeof(*s->packages), cmp_entry);
	for (size_t i = 0; i < total; i++)
		if (!kept || !str_eq(s->packages[kept - 1].url, s->packages[i].url))
			s->packages[kept++] = s->packages[i];
	s->n_packages = kept;
}

static struct pypi_entry *pypi_entries(struct arena *a, const struct pypi_set *set)
{
	struct pypi_entry *v = arena_array(a, struct pypi_entry, set->n);

	for (size_t i = 0; i < set->n; i++)
		v[i] = (struct pypi_entry){pypi_public_url(a, set->v[i].url), &set->v[i], false};
	if (set->n)
		qsort(v, set->n, sizeof *v, cmp_pypi_entry);
	return v;
}

static void sort_pypi(struct arena *a, const struct lock *lock, struct sorted *s)
{
	struct pypi_set all = {0};
	size_t kept = 0;

	for (size_t i = 0; i < lock->n_targets; i++)
		all.n += lock->targets[i].pypi.n;
	all.v = arena_array(a, struct pypi_package, all.n);
	all.n = 0;
	for (size_t i = 0; i < s->n_targets; i++)
		for (size_t j = 0; j < s->targets[i]->pypi.n; j++)
			all.v[all.n++] = s->targets[i]->pypi.v[j];
	s->pypi = pypi_entries(a, &all);
	for (size_t i = 0; i < all.n; i++)
		if (!kept || cmp_pypi_entry(&s->pypi[kept - 1], &s->pypi[i]) != 0)
			s->pypi[kept++] = s->pypi[i];
	s->n_pypi = kept;
	for (size_t i = 1; i < kept; i++)
		if (str_eq(s->pypi[i - 1].url, s->pypi[i].url))
			s->pypi[i - 1].several = s->pypi[i].several = true;
}

static void sort_targets(struct arena *a, const struct lock *lock, struct sorted *s)
{
	s->n_targets = lock->n_targets;
	s->targets = arena_array(a, const struct lock_target *, lock->n_targets);
	for (size_t i = 0; i < lock->n_targets; i++)
		s->targets[i] = &lock->targets[i];
	if (s->n_targets)
		qsort(s->targets, s->n_targets, sizeof(*s->targets), cmp_target);
}

static void put_platforms(struct buf *to, const struct sorted *s)
{
	buf_puts(to, s->n_targets ? "platforms:\n" : "platforms: []\n");
	for (size_t i = 0; i < s->n_targets; i++) {
		const struct lock_target *t = s->targets[i];

		put_key(to, "- name", t->name);
		put_different(to, "  subdir", t->subdir, t->name);
		if (t->n_virtual_packages)
			buf_puts(to, "  virtual-packages:\n");
		for (size_t j = 0; j < t->n_virtual_packages; j++)
			put_item(to, "  - ", t->virtual_packages[j]);
	}
}

static void put_channels(struct arena *a, struct buf *to, const struct lock *lock)
{
	buf_puts(to, lock->n_channels ? "    channels:\n" : "    channels: []\n");
	for (size_t i = 0; i < lock->n_channels; i++)
		put_key(to, "    - url",
			arena_strf(a, "%.*s/", STR_ARG(clean_channel(a, lock->channels[i]))));
}

static void put_indexes(struct arena *a, struct buf *to, const struct lock *lock)
{
	if (lock->n_indexes)
		buf_puts(to, "    indexes:\n");
	for (size_t i = 0; i < lock->n_indexes; i++)
		put_item(to, "    - ", clean_url(a, lock->indexes[i]));
}

static void put_priority(struct buf *to, enum channel_priority priority)
{
	switch (priority) {
	case PRIORITY_STRICT:
		return;
	case PRIORITY_FLEXIBLE:
		buf_puts(to, "      channel-priority: flexible\n");
		return;
	case PRIORITY_DISABLED:
		buf_puts(to, "      channel-priority: disabled\n");
		return;
	}
}

static void put_options(struct buf *to, const struct lock *lock)
{
	char time[DATE_TIME];

	if (lock->priority == PRIORITY_STRICT && !lock->as_of)
		return;
	buf_puts(to, "    options:\n");
	put_priority(to, lock->priority);
	if (!lock->as_of)
		return;
	date_time(lock->as_of, time);
	put_key(to, "      exclude-newer", str_of(time));
}

static void put_selected_pypi(
	struct arena *a, struct buf *to, const struct sorted *s, const struct pypi_set *set)
{
	struct pypi_entry *v = pypi_entries(a, set), *found;

	for (size_t i = 0; i < set->n; i++) {
		put_key(to, "      - pypi", v[i].url);
		found = bsearch(&v[i], s->pypi, s->n_pypi, sizeof *v, cmp_pypi_entry);
		if (found && found->several)
			put_hash(to, "        envbuild-wheel-sha256", v[i].package->wheel_sha256,
				SHA256_LEN, v[i].package->wheel.n > 0);
	}
}

static void put_environment(
	struct arena *a, struct buf *to, const struct lock *lock, const struct sorted *s)
{
	buf_puts(to, "environments:\n  default:\n");
	put_channels(a, to, lock);
	put_indexes(a, to, lock);
	put_options(to, lock);
	buf_puts(to, s->n_targets ? "    packages:\n" : "    packages: {}\n");
	for (size_t i = 0; i < s->n_targets; i++) {
		const struct lock_target *t = s->targets[i];
		struct entry *v = target_entries(a, t);

		buf_puts(to, "      ");
		yaml_write_scalar(to, t->name);
		buf_puts(to, t->n_records || t->pypi.n ? ":\n" : ": []\n");
		for (size_t j = 0; j < t->n_records; j++)
			put_key(to, "      - conda", v[j].url);
		put_selected_pypi(a, to, s, &t->pypi);
	}
}

void lock_write(const struct lock *lock, struct buf *to)
{
	struct arena a = {0};
	struct sorted s = {0};

	sort_targets(&a, lock, &s);
	sort_packages(&a, lock, &s);
	sort_pypi(&a, lock, &s);
	buf_puts(to, "version: 7\n");
	put_platforms(to, &s);
	put_environment(&a, to, lock, &s);
	buf_puts(to, s.n_packages || s.n_pypi ? "packages:\n" : "packages: []\n");
	for (size_t i = 0; i < s.n_packages; i++)
		put_package(&a, to, &s.packages[i]);
	for (size_t i = 0; i < s.n_pypi; i++)
		put_pypi(&a, to, &s.pypi[i]);
	arena_release(&a);
}

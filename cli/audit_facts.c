#include "cli/audit_facts.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/binaries.h"
#include "builder/upkeep.h"
#include "cli/audit_gate.h"

#include <stdlib.h>

struct exporting {
	struct session *s;
	const struct audit_tree *tree;
	const struct known_binaries *known;
	const struct binaries **facts;
	const struct record **records;
	size_t n, left_out, covered;
};

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct binary *)a)->path, ((const struct binary *)b)->path);
}

/* What lies there now; where the environment lies stands for itself. */
static void take_own(struct exporting *x, size_t package, struct binaries *out)
{
	struct arena *a = &x->s->arena;
	const struct audit_tree *t = x->tree;
	struct {
		struct binary *v;
		size_t n, cap;
	} list = {0};

	for (size_t i = 0; i < t->n_files; i++) {
		const struct audit_file *f = &t->files[i];

		if (f->package != (ptrdiff_t)package || !f->binary)
			continue;
		struct binary *b = VEC_PUSH(a, &list);
		*b = *f->binary;
		/* A package's file may go elsewhere when it is installed. */
		if (!t->of_packages)
			b->path = f->path;
		binary_replace(a, b, t->prefix, BINARY_PREFIX);
	}
	if (list.n)
		qsort(list.v, list.n, sizeof *list.v, by_path);
	out->v = list.v;
	out->n = list.n;
	memcpy(out->sha256, t->packages[package].record->sha256, sizeof out->sha256);
}

static int take_package(struct exporting *x, size_t package, struct err *e)
{
	struct arena *a = &x->s->arena;
	const struct record *r = x->tree->packages[package].record;
	struct binaries *b;
	int rc;

	if (!r || !r->has_sha256) {
		x->left_out++;
		return 0;
	}
	b = arena_new(a, struct binaries);
	rc = binaries_load(a, &x->s->cache, x->known, r, b, e);
	if (rc < 0)
		return -1;
	if (rc == 0 && x->tree->packages[package].covered) {
		x->covered++;
		return 0;
	}
	if (rc == 0)
		take_own(x, package, b);
	x->facts[x->n] = b;
	x->records[x->n++] = r;
	return 0;
}

static int write_facts(struct exporting *x, struct err *e)
{
	const char *path = x->s->line.options.export_facts;
	CLEANUP_BUF text = {0};

	binaries_export(&x->s->arena, x->facts, x->n, x->records, &text);
	if (file_write(path, buf_view(&text), 0644, e) < 0)
		return -1;
	log_note("%s: facts of %zu packages", path, x->n);
	return 0;
}

int audit_export_facts(struct session *s, const struct audit_tree *tree, struct err *e)
{
	struct arena *a = &s->arena;
	struct exporting x = {.s = s,
		.tree = tree,
		.facts = arena_array(a, const struct binaries *, tree->n_packages),
		.records = arena_array(a, const struct record *, tree->n_packages)};

	if (!s->line.options.export_facts)
		return 0;
	if (audit_known(s, &x.known, e) < 0)
		return -1;
	for (size_t i = 0; i < tree->n_packages; i++)
		if (take_package(&x, i, e) < 0)
			return err_wrap(e, "--export-facts");
	if (write_facts(&x, e) < 0)
		return -1;
	if (x.left_out)
		log_note("%zu packages are left out: no sha256 is known of them", x.left_out);
	if (x.covered)
		log_warn("%zu packages are left out: others have files of the same paths, or not "
			 "all could be read",
			x.covered);
	return 0;
}

/* --- of the cache ----------------------------------------------------------------------------- */

static struct str cut_last(struct str *text)
{
	ptrdiff_t at = str_rchr(*text, '-');
	struct str last = str_sub(*text, (size_t)(at + 1), text->n);

	*text = str_sub(*text, 0, at < 0 ? 0 : (size_t)at);
	return last;
}

static const struct record *record_of(struct arena *a, const struct cache_item *item)
{
	struct record *r = arena_new(a, struct record);
	struct str rest = item->name;

	r->build = cut_last(&rest);
	r->version = cut_last(&rest);
	r->name = rest;
	r->has_sha256 = true;
	memcpy(r->sha256, item->key, sizeof r->sha256);
	return r;
}

/* One that is damaged, or went meanwhile, is no reason to have none of the others. */
static int take_item(struct exporting *x, const struct cache_item *item, struct err *e)
{
	struct arena *a = &x->s->arena;
	const struct record *r = record_of(a, item);
	struct binaries *b = arena_new(a, struct binaries);
	struct err fault = {0};
	int rc = binaries_load(a, &x->s->cache, NULL, r, b, &fault);

	if (rc < 0 && fault.code == ERR_INTERRUPTED)
		return err_move(e, &fault);
	if (rc < 0)
		log_warn("'%.*s' is left out: %s", STR_ARG(item->name), fault.text);
	err_release(&fault);
	if (rc <= 0)
		return 0;
	x->facts[x->n] = b;
	x->records[x->n++] = r;
	return 0;
}

int audit_export_cache(struct session *s, struct err *e)
{
	struct arena *a = &s->arena;
	struct cache_survey survey;
	struct exporting x = {.s = s};

	if (cache_survey(a, &s->cache, &survey, e) < 0)
		return -1;
	x.facts = arena_array(a, const struct binaries *, survey.items.n);
	x.records = arena_array(a, const struct record *, survey.items.n);
	for (size_t i = 0; i < survey.items.n; i++) {
		const struct cache_item *item = &survey.items.v[i];

		if (item->kind == CACHE_PACKAGE && item->name.n && take_item(&x, item, e) < 0)
			return -1;
	}
	return write_facts(&x, e);
}

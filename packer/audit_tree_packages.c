/* What an environment of these packages would hold, by their facts alone. */
#include "builder/upkeep.h"
#include "packer/audit_growing.h"
#include "packer/audit_tree.h"

struct planned {
	const struct cache *cache;
	const struct audit_tree *tree;
};

static int find_symbols(
	void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e)
{
	const struct planned *p = ctx;
	const struct audit_file *f = &p->tree->files[file];

	*out = (struct elf_symbols){0};
	if (f->package < 0)
		return 0;
	/* The file's own path is that in the environment. */
	return binaries_symbols(
		a, p->cache, p->tree->packages[f->package].record, f->binary->path, out, e);
}

static int add_binaries(
	struct audit_growing *g, ptrdiff_t package, const struct binaries *b, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		struct audit_file *f =
			audit_growing_file(g, b->v[i].path, package, PATH_FILE, 0755);

		if (audit_growing_binary(g, f, &b->v[i], e) < 0)
			return -1;
	}
	return 0;
}

/* What a library is asked for by is often a link, in a package of its own. */
static int add_links(struct audit_growing *g, const struct cache *c, ptrdiff_t package,
	struct record *r, struct err *e)
{
	struct package p;
	bool missing;

	if (cache_missing(c, &r, 1, &missing))
		return 0; /* others told of it */
	if (package_load(g->a, c, r, &p, e) < 0)
		return -1;
	for (size_t i = 0; i < p.n_files; i++)
		if (p.files[i].type == PATH_SOFTLINK)
			audit_growing_file(
				g, p.files[i].path, package, PATH_SOFTLINK, p.files[i].mode)
				->link = p.files[i].link;
	return 0;
}

int audit_tree_packages(struct arena *a, const struct cache *c, const struct known_binaries *known,
	struct record *const *records, size_t n, struct audit_tree *out, size_t *missing,
	struct err *e)
{
	struct planned *ctx = arena_new(a, struct planned);
	struct audit_growing g = {.a = a};

	*missing = 0;
	for (size_t i = 0; i < n; i++) {
		ptrdiff_t package = audit_growing_package(&g, records[i]);
		struct binaries b;
		int r = binaries_load(a, c, known, records[i], &b, e);

		if (r < 0 || (r > 0 && (add_binaries(&g, package, &b, e) < 0 ||
					       add_links(&g, c, package, records[i], e) < 0)))
			return -1;
		*missing += r == 0;
	}
	audit_growing_install(&g);
	audit_growing_finish(&g, "the packages", out);
	*ctx = (struct planned){c, out};
	out->of_packages = true;
	out->prefix = BINARY_PREFIX;
	out->symbols = find_symbols;
	out->ctx = ctx;
	return 0;
}

#include "packer/audit_owners.h"

void audit_owners_begin(struct audit_owners *o, struct audit_growing *g)
{
	*o = (struct audit_owners){.g = g, .by_path.arena = g->a, .of_pip.arena = g->a};
}

void audit_owners_installed(struct audit_owners *o, const struct installed *in)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct installed_record *r = &in->v[i];
		ptrdiff_t package = audit_growing_package(o->g, &r->record);

		for (size_t k = 0; k < r->n_paths; k++)
			table_put(&o->by_path, r->paths[k].path)->num = (uint64_t)package + 1;
	}
}

void audit_owners_dist(struct audit_owners *o, struct str anchor, struct str name,
	struct str version, const struct str *files, size_t n_files)
{
	struct audit_growing *g = o->g;

	if (table_get(&o->by_path, anchor))
		return;
	*VEC_PUSH(g->a, &g->packages) = (struct audit_package){.name = name,
		.version = version,
		.dist = arena_strf(g->a, "%.*s==%.*s", STR_ARG(name), STR_ARG(version))};
	for (size_t i = 0; i < n_files; i++)
		table_put(&o->of_pip, files[i])->num = g->packages.n;
	table_put(&o->of_pip, anchor)->num = g->packages.n;
}

ptrdiff_t audit_owners_of(const struct audit_owners *o, struct str path)
{
	const union table_value *v = table_get(&o->of_pip, path);

	if (!v)
		v = table_get(&o->by_path, path);
	return v ? (ptrdiff_t)v->num - 1 : -1;
}

bool audit_owners_paper(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');
	struct str folder = str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
	struct str name = str_sub(path, (size_t)(slash + 1), path.n);

	if (str_is(folder, "conda-meta"))
		return true;
	if (str_ends(name, STR(".egg-info")))
		return true;
	return (str_ends(folder, STR(".dist-info")) || str_ends(folder, STR(".egg-info"))) &&
	       (str_is(name, "METADATA") || str_is(name, "RECORD") || str_is(name, "PKG-INFO") ||
		       str_is(name, "installed-files.txt"));
}

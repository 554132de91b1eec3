#include "packer/audit.h"

#include "base/buf.h"
#include "images/libc.h"
#include "packer/audit_inside.h"

#include <stdlib.h>

struct str audit_library_name(struct str path, const struct elf *elf)
{
	if (elf->soname.n)
		return elf->soname;
	return str_base(path);
}

struct str audit_name_file(struct auditing *au, const struct audit_file *f)
{
	struct audit_finding place = {.package = f->package, .path = f->path};

	return audit_where(au->a, au->out, &place);
}

struct str audit_where(struct arena *a, const struct audit *audit, const struct audit_finding *f)
{
	if (f->package < 0)
		return arena_strf(a, "'%.*s'", STR_ARG(f->path));
	return arena_strf(a, "'%.*s' of package '%.*s'", STR_ARG(f->path),
		STR_ARG(audit->tree->packages[f->package].dist));
}

/* --- findings ------------------------------------------------------------------------------- */

static void meet(struct auditing *au, size_t at)
{
	struct audit_members *m = &au->processes.v[at];

	if (!au->process || (m->n && str_eq(m->v[m->n - 1], au->process->name)))
		return;
	*VEC_PUSH(au->a, m) = au->process->name;
}

struct audit_finding *audit_add(struct auditing *au, const struct audit_saying *s)
{
	CLEANUP_BUF key = {0};
	union table_value *known;
	struct audit_finding *f;

	buf_printf(&key, "%d\n%.*s\n%.*s\n%.*s", (int)s->rule, STR_ARG(s->file->path),
		STR_ARG(s->needs), STR_ARG(s->library));
	known = table_get(&au->known, buf_view(&key));
	if (!known) {
		known = table_put(&au->known, arena_str(au->a, buf_view(&key)));
		f = VEC_PUSH(au->a, &au->findings);
		*f = (struct audit_finding){.rule = s->rule,
			.package = s->file->package,
			.path = s->file->path,
			.needs = arena_str(au->a, s->needs),
			.library = arena_str(au->a, s->library)};
		*VEC_PUSH(au->a, &au->processes) = (struct audit_members){0};
		known->num = au->findings.n;
	}
	f = &au->findings.v[known->num - 1];
	if (s->level > f->level || (s->level == f->level && s->sure > f->sure)) {
		f->level = s->level;
		f->sure = s->sure;
	}
	meet(au, known->num - 1);
	return f;
}

/* --- the way -------------------------------------------------------------------------------- */

/* "3.10.0" of "__linux=3.10.0". */
static struct str kernel_of(const struct profile *p)
{
	struct str version = profile_virtual_version(p, "__linux");

	return version_is_numeric(version) ? version : (struct str){0};
}

/* What lies in lib is what others are meant to find. */
static bool is_main(struct str path)
{
	return str_starts(path, STR("lib/")) && str_rchr(path, '/') == 3;
}

static void gather(struct auditing *au)
{
	const struct audit_tree *t = au->tree;

	for (size_t i = 0; i < t->n_files; i++) {
		const struct audit_file *f = &t->files[i];
		union table_value *v;

		if (!audit_counts(f))
			continue;
		au->out->n_binaries++;
		v = table_put(&au->brought, audit_library_name(f->path, &f->binary->elf));
		if (!v->ptr || is_main(f->path))
			v->ptr = (void *)(uintptr_t)f;
	}
}

static int by_floor(const void *a, const void *b)
{
	const struct audit_floor *x = a, *y = b;
	int c = glibc_cmp(y->glibc, x->glibc);

	return c ? c : (x->package > y->package) - (x->package < y->package);
}

static void rank_floors(struct auditing *au)
{
	struct audit *out = au->out;

	out->floors = au->floors;
	for (size_t i = 0; i <= au->tree->n_packages; i++)
		if (au->floors[i].glibc.n)
			out->floors[out->n_floors++] = au->floors[i];
	if (out->n_floors)
		qsort(out->floors, out->n_floors, sizeof *out->floors, by_floor);
}

static int judge(struct auditing *au, struct err *e)
{
	const struct audit_tree *t = au->tree;

	au->world = audit_world_open(au->a, t, au->loader);
	gather(au);
	if (audit_each_process(au, e) < 0)
		return -1;
	audit_judge_together(au);
	for (size_t i = 0; i < t->n_files; i++) {
		const struct audit_file *f = &t->files[i];

		audit_judge_file(au, f);
		audit_judge_place(au, f);
		if (audit_counts(f))
			audit_count_floor(au, f);
	}
	return 0;
}

/* Some are slices of what the loader has mapped. */
static void keep_texts(struct auditing *au)
{
	for (size_t i = 0; i < au->out->n_findings; i++) {
		struct audit_finding *f = &au->out->findings[i];

		f->has = arena_str(au->a, f->has);
	}
}

int audit_run(struct arena *a, const struct audit_tree *tree, const struct audit_options *o,
	struct audit *out, struct err *e)
{
	struct auditing au = {.a = a,
		.tree = tree,
		.options = o,
		.profile = o->profile,
		.out = out,
		.brought.arena = a,
		.known.arena = a,
		.best.arena = a,
		.loaded = arena_array(a, bool, tree->n_files + 1),
		.opened = arena_array(a, bool, tree->n_files + 1),
		.floors = arena_array(a, struct audit_floor, tree->n_packages + 1),
		.cpu = cpu_level_of(profile_virtual_build(o->profile, "__archspec")),
		.kernel = kernel_of(o->profile)};
	int rc;

	*out = (struct audit){.tree = tree, .profile = o->profile};
	if (loader_open(a, o->root, o->profile, &au.loader, e) < 0)
		return -1;
	out->against_root = loader_has_root(au.loader);
	out->glibc = arena_str(a, loader_glibc(au.loader));
	rc = judge(&au, e);
	if (rc == 0) {
		audit_apply_policy(&au);
		for (size_t i = 0; i < out->n_findings; i++)
			audit_advise(&au, &out->findings[i]);
		keep_texts(&au);
		rank_floors(&au);
	}
	loader_close(au.loader);
	return rc;
}

#include "packer/audit_load_inside.h"

#include "base/interrupt.h"

enum {
	/* What one object lacks; more of it says no more. */
	MAX_TOLD = 256,
	/* An environment of 5000 modules with 300 libraries each comes to 70 million. */
	MAX_WORK = 200000000,
	WORK_OBJECT = 20,
	FEW_VERSIONS = 8,
};

/* --- what is loaded ----------------------------------------------------------------------- */

static size_t index_in(const struct table *t, struct str name)
{
	const union table_value *v = table_get(t, name);

	return v ? (size_t)v->num : 0;
}

/* Indices + 1 of the first objects that bear a name, and a soname; of the parent's or of its own. */
struct bearers {
	uint32_t name, soname;
};

static struct bearers bearers_in(const struct table *names, struct str name)
{
	union table_value *v = table_get(names, name);
	uint64_t both = v ? v->num : 0;

	return (struct bearers){(uint32_t)both, (uint32_t)(both >> 32)};
}

static struct bearers bearers_of(const struct process *p, struct str name)
{
	struct bearers own = bearers_in(&p->names, name), first;

	if (!p->parent)
		return own;
	first = bearers_in(&p->parent->names, name);
	return (struct bearers){
		first.name ? first.name : own.name, first.soname ? first.soname : own.soname};
}

ptrdiff_t load_named(const struct process *p, struct str name)
{
	return (ptrdiff_t)bearers_of(p, name).name - 1;
}

static void add_name(struct table *names, struct str name, size_t object)
{
	union table_value *v = name.n ? table_put(names, name) : NULL;

	if (v && !(v->num & UINT32_MAX))
		v->num |= object + 1;
}

static void add_soname(struct table *names, struct str name, size_t object)
{
	union table_value *v = name.n ? table_put(names, name) : NULL;

	if (v && !(v->num >> 32))
		v->num |= (uint64_t)(object + 1) << 32;
}

/* A soname that was asked for once is one of its names from then on. */
static ptrdiff_t find_loaded(struct process *p, struct str name)
{
	struct bearers x = bearers_of(p, name);

	if (x.soname && (!x.name || x.soname < x.name)) {
		add_name(&p->names, name, x.soname - 1);
		return (ptrdiff_t)x.soname - 1;
	}
	return (ptrdiff_t)x.name - 1;
}

static const void *identity(const struct load_hit *hit)
{
	return hit->file ? (const void *)hit->file : loader_identity(hit->library);
}

static ptrdiff_t find_same(const struct process *p, const struct load_hit *hit)
{
	const void *id = identity(hit);
	struct str key = str_n((const char *)&id, sizeof id);
	size_t i = p->parent ? index_in(&p->parent->files, key) : 0;

	return (ptrdiff_t)(i ? i : index_in(&p->files, key)) - 1;
}

static size_t add_object(
	struct process *p, const struct load_hit *hit, struct str name, ptrdiff_t loader)
{
	size_t i = p->objects.n;
	const struct elf *elf = hit->file ? &hit->file->binary->elf : &hit->library->elf;
	const void *id = identity(hit);

	p->world->work += WORK_OBJECT + hit->path.n / 4;
	*VEC_PUSH(p->arena, &p->objects) = (struct load_object){
		hit->file, hit->library, elf, loader, hit->by_rpath, hit->path};
	*VEC_PUSH(p->arena, &p->inner) = (struct load_inner){0};
	add_name(&p->names, name, i);
	add_name(&p->names, hit->path, i);
	add_soname(&p->names, elf->soname, i);
	add_name(&p->files, arena_str(p->arena, str_n((const char *)&id, sizeof id)), i);
	return i;
}

static void add_miss(struct process *p, size_t by, struct str name, const struct load_hit *hit)
{
	for (size_t i = p->misses.n; i-- > 0 && p->misses.v[i].by == by;)
		if (str_eq(p->misses.v[i].name, name))
			return;
	p->told++;
	*VEC_PUSH(p->arena, &p->misses) =
		(struct load_miss){by, name, hit->passed, hit->why, hit->refused, hit->folder};
	table_put(&p->missing, name)->num = 1;
}

/* The loader itself is there before anything is asked for, under two names. */
static bool is_interpreter(const struct process *p, struct str name)
{
	const struct load_hit *hit = &p->interpreter;

	if (hit->file)
		return str_eq(name, hit->path) || str_eq(name, hit->file->binary->elf.soname);
	return hit->library && (str_eq(name, hit->path) || str_eq(name, hit->library->elf.soname));
}

static int want(struct process *p, size_t by, struct str needed, struct err *e)
{
	struct str name = load_words(p, by, needed);
	struct load_hit hit;
	ptrdiff_t same;
	int r;

	if (++p->world->work > MAX_WORK)
		return err_set(e, ERR_INTEGRITY,
			"'%s' has more libraries, and paths to look for them, than can be followed",
			p->world->tree->what);
	if (find_loaded(p, name) >= 0)
		return 0;
	if (is_interpreter(p, name)) {
		add_object(p, &p->interpreter, name, (ptrdiff_t)by);
		return 0;
	}
	r = load_find(p, by, name, &hit, e);
	if (r < 0)
		return -1;
	if (r == 0) {
		add_miss(p, by, name, &hit);
		return 0;
	}
	same = find_same(p, &hit);
	if (same >= 0)
		add_name(&p->names, name, (size_t)same);
	else
		add_object(p, &hit, name, (ptrdiff_t)by);
	return 0;
}

/* Breadth first, as _dl_map_object_deps(): what is found is behind all that was found before. */
static int load_needed(struct process *p, struct err *e)
{
	if (interrupt_check(e) < 0)
		return -1;
	for (size_t i = p->first; i < p->objects.n; i++) {
		p->told = 0;
		for (size_t k = 0; k < p->objects.v[i].elf->n_needed && p->told < MAX_TOLD; k++)
			if (want(p, i, p->objects.v[i].elf->needed[k], e) < 0)
				return -1;
	}
	return 0;
}

/* --- versions ----------------------------------------------------------------------------- */

static struct table *versions_of(struct audit_world *w, const struct elf *elf)
{
	struct str key = str_n((const char *)&elf, sizeof elf);
	union table_value *v = table_get(&w->versions, key);
	struct table *t;

	if (v)
		return v->ptr;
	t = arena_new(w->arena, struct table);
	t->arena = w->arena;
	for (size_t i = 0; i < elf->n_defines; i++)
		table_put(t, elf->defines[i]);
	table_put(&w->versions, arena_str(w->arena, key))->ptr = t;
	return t;
}

static bool defines(const struct process *p, const struct elf *elf, struct str version)
{
	if (elf->n_defines > FEW_VERSIONS)
		return table_get(versions_of(p->world, elf), version) != NULL;
	return audit_has_version(elf->defines, elf->n_defines, version);
}

static bool is_missing(const struct process *p, struct str name)
{
	return table_get(&p->missing, name) || (p->parent && is_missing(p->parent, name));
}

/* A version of a file that nothing brings ends the loader with a failed assertion. */
static void check_need(struct process *p, size_t by, const struct elf_need *need)
{
	ptrdiff_t in = load_named(p, need->file);
	const struct elf *elf;

	if (in < 0) {
		if (!is_interpreter(p, need->file) && !is_missing(p, need->file))
			add_miss(p, by, need->file, &(struct load_hit){0});
		return;
	}
	elf = p->objects.v[in].elf;
	if (need->weak || defines(p, elf, need->version))
		return;
	p->told++;
	*VEC_PUSH(p->arena, &p->lacks) =
		(struct load_lack){by, (size_t)in, need, elf->n_defines == 0};
}

static void check_versions(struct process *p)
{
	for (size_t i = p->first; i < p->objects.n; i++) {
		const struct elf *elf = p->objects.v[i].elf;

		p->told = 0;
		p->world->work += elf->n_needs;
		for (size_t k = 0; k < elf->n_needs && p->told < MAX_TOLD; k++)
			check_need(p, i, &elf->needs[k]);
	}
}

/* --- processes ---------------------------------------------------------------------------- */

static void begin(struct process *p, struct audit_world *w, struct arena *a)
{
	*p = (struct process){.world = w,
		.arena = a,
		.names.arena = a,
		.files.arena = a,
		.missing.arena = a,
		.resolved.arena = a};
}

static int find_interpreter(struct process *p, struct str path, struct err *e)
{
	struct load_hit *hit = &p->interpreter;
	struct str rest;

	if (load_inside(p->world, path, &rest) && rest.n)
		return load_find_path(p->world, path, hit, e);
	*hit = (struct load_hit){.path = path};
	if (loader_interpreter(p->world->loader, path, &hit->library, e) < 0)
		return -1;
	if (hit->library && !hit->path.n)
		hit->path = hit->library->path;
	return 0;
}

/* A program is known to itself by its real path (/proc/self/exe). */
static int load_program(struct process *p, const struct audit_file *f, struct err *e)
{
	struct load_hit hit = {.file = load_follow(p->world, f)};

	if (!hit.file || !hit.file->binary)
		return 0;
	p->has_program = true;
	hit.path = load_absolute(p->world, p->arena, hit.file->path);
	if (find_interpreter(p, hit.file->binary->elf.interpreter, e) < 0)
		return -1;
	add_object(p, &hit, STR(""), -1);
	return load_needed(p, e);
}

/* One that modules are opened by is kept for them. */
static int process_of(struct audit_world *w, struct arena *a, const struct audit_file *program,
	bool keep, struct process **out, struct err *e)
{
	struct str key = str_n((const char *)&program, sizeof program);
	union table_value *v = table_get(&w->processes, key);
	struct process *p;

	*out = v ? v->ptr : NULL;
	if (v)
		return 0;
	a = keep ? w->arena : a;
	p = arena_new(a, struct process);
	begin(p, w, a);
	if (load_program(p, program, e) < 0)
		return -1;
	check_versions(p);
	*out = p;
	if (keep)
		table_put(&w->processes, arena_str(w->arena, key))->ptr = p;
	return 0;
}

#define COPY(p, from, list)                                        \
	for (size_t copied = 0; copied < (from)->list.n; copied++) \
	*VEC_PUSH((p)->arena, &(p)->list) = (from)->list.v[copied]

static void inherit(struct process *p, struct process *from)
{
	p->parent = from;
	p->has_program = from->has_program;
	p->interpreter = from->interpreter;
	COPY(p, from, objects);
	COPY(p, from, inner);
	COPY(p, from, misses);
	COPY(p, from, lacks);
	COPY(p, from, symbols);
	p->first = p->objects.n;
}

/* As dlopen() of its path by the program. */
static int load_module(
	struct process *p, const struct audit_file *module, ptrdiff_t *at, struct err *e)
{
	struct load_hit hit = {.file = load_follow(p->world, module)};

	hit.why = hit.file ? load_judge(p->world->loader, hit.file) : PASSED_NONE;
	hit.passed = hit.file;
	if (!hit.file || hit.why != PASSED_NONE) {
		if (p->objects.n)
			add_miss(p, 0, module->path, &hit);
		return 0;
	}
	*at = find_same(p, &hit);
	if (*at >= 0)
		return 0;
	hit.path = load_absolute(p->world, p->arena, module->path);
	*at = (ptrdiff_t)add_object(p, &hit, STR(""), -1);
	if (load_needed(p, e) < 0)
		return -1;
	check_versions(p);
	return 0;
}

static void hand_out(const struct process *p, bool symbols, ptrdiff_t module, struct load *out)
{
	*out = (struct load){.objects = p->objects.v,
		.n_objects = p->objects.n,
		.module = module,
		.misses = p->misses.v,
		.n_misses = p->misses.n,
		.lacks = p->lacks.v,
		.n_lacks = p->lacks.n,
		.symbols = symbols ? p->symbols.v : NULL,
		.n_symbols = symbols ? p->symbols.n : 0};
}

int audit_load(struct audit_world *w, struct arena *a, const struct audit_file *program,
	const struct audit_file *module, bool symbols, struct load *out, struct err *e)
{
	struct process *of_program = NULL, *p;
	ptrdiff_t at = -1;

	if (program && process_of(w, a, program, module != NULL, &of_program, e) < 0)
		return -1;
	if (symbols && of_program && load_check_symbols(of_program, e) < 0)
		return -1;
	if (!module) {
		if (of_program)
			hand_out(of_program, symbols, -1, out);
		else
			*out = (struct load){.module = -1};
		return 0;
	}
	p = arena_new(a, struct process);
	begin(p, w, a);
	if (of_program)
		inherit(p, of_program);
	else if (find_interpreter(p, STR(""), e) < 0)
		return -1;
	if (load_module(p, module, &at, e) < 0 || (symbols && load_check_symbols(p, e) < 0))
		return -1;
	hand_out(p, symbols, at, out);
	return 0;
}

struct audit_world *audit_world_open(
	struct arena *a, const struct audit_tree *tree, struct loader *loader)
{
	struct audit_world *w = arena_new(a, struct audit_world);

	*w = (struct audit_world){.arena = a,
		.tree = tree,
		.loader = loader,
		.prefix = tree->prefix,
		.folders.arena = a,
		.lists.arena = a,
		.versions.arena = a,
		.sonames.arena = a,
		.processes.arena = a,
		.symbols.arena = a};
	while (w->prefix.n && w->prefix.p[w->prefix.n - 1] == '/')
		w->prefix.n--;
	/* Where it will lie is not known: below a name that no path in a file has. */
	if (w->prefix.n == 0)
		w->prefix = STR("/\001");
	load_index_sonames(w);
	return w;
}

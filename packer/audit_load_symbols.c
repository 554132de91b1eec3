#include "packer/audit_load_inside.h"

/* ENDS: the loader fails on the way, whatever would be found behind. */
enum load_answer { ANSWER_NONE, ANSWER_FOUND, ANSWER_ENDS };

/* The symbols of one file, those that it defines by name. */
struct load_symtab {
	bool known;
	struct elf_symbols symbols;
	struct table by_name; /* -> index + 1 of the first */
	uint32_t *next;       /* index + 1 of another one of that name */
};

static int read_symbols(
	struct audit_world *w, const struct load_object *o, struct load_symtab *out, struct err *e)
{
	const struct elf_symbols *library;
	const struct audit_tree *t = w->tree;
	int r = 0;

	if (o->library) {
		r = loader_symbols(w->loader, o->library, &library, e);
		if (r > 0)
			out->symbols = *library;
	} else if (t->symbols) {
		r = t->symbols(t->ctx, w->arena, (size_t)(o->file - t->files), &out->symbols, e);
	}
	out->known = r > 0;
	return r < 0 ? -1 : 0;
}

static int symtab_of(struct audit_world *w, const struct load_object *o,
	const struct load_symtab **out, struct err *e)
{
	const void *id = o->file ? (const void *)o->file : o->library;
	struct str key = str_n((const char *)&id, sizeof id);
	union table_value *v = table_get(&w->symbols, key);
	struct load_symtab *s;

	*out = v ? v->ptr : NULL;
	if (v)
		return 0;
	s = arena_new(w->arena, struct load_symtab);
	s->by_name.arena = w->arena;
	if (read_symbols(w, o, s, e) < 0)
		return -1;
	s->next = arena_array(w->arena, uint32_t, s->symbols.n_defined);
	for (size_t i = s->symbols.n_defined; s->known && i-- > 0;) {
		union table_value *first = table_put(&s->by_name, s->symbols.defined[i].name);

		s->next[i] = (uint32_t)first->num;
		first->num = i + 1;
	}
	table_put(&w->symbols, arena_str(w->arena, key))->ptr = s;
	*out = s;
	return 0;
}

/*
 * As check_match() of dl-lookup.c.  In a version: that one, or one without, unless it is hidden.
 * Without: one without, that of the first version (hidden or not), or the only default.
 */
static bool has_symbol(
	const struct load_symtab *s, const struct elf *elf, const struct elf_symbol *wanted)
{
	const union table_value *v = table_get(&s->by_name, wanted->name);
	size_t defaults = 0;

	for (size_t i = v ? v->num : 0; i; i = s->next[i - 1]) {
		const struct elf_symbol *x = &s->symbols.defined[i - 1];

		if (wanted->version.n) {
			if (x->version.n ? str_eq(x->version, wanted->version) : !x->hidden)
				return true;
		} else if (!x->version.n ||
			   (elf->n_defines && str_eq(x->version, elf->defines[0]))) {
			return true;
		} else {
			defaults += !x->hidden;
		}
	}
	return defaults == 1;
}

/*
 * A library without any versions, asked for a symbol of it in a version: an assertion of check_match()
 * fails.  One that needs
 * versions of others has them, with all its symbols in none.
 */
static bool ends_loader(struct process *p, size_t object, const struct load_symtab *s,
	const struct elf_symbol *wanted)
{
	const struct elf *elf = p->objects.v[object].elf;

	return loader_insists_on_versions(p->world->loader) && wanted->version.n &&
	       elf->n_defines == 0 && elf->n_needs == 0 && table_get(&s->by_name, wanted->name) &&
	       load_named(p, wanted->file) == (ptrdiff_t)object;
}

static int in_objects(struct process *p, size_t from, ptrdiff_t but,
	const struct elf_symbol *wanted, enum load_answer *out, struct err *e)
{
	const struct load_symtab *s;

	*out = ANSWER_NONE;
	for (size_t i = from; i < p->objects.n && *out == ANSWER_NONE; i++) {
		if ((ptrdiff_t)i == but)
			continue;
		if (symtab_of(p->world, &p->objects.v[i], &s, e) < 0)
			return -1;
		if (ends_loader(p, i, s, wanted))
			*out = ANSWER_ENDS;
		else if (has_symbol(s, p->objects.v[i].elf, wanted))
			*out = ANSWER_FOUND;
	}
	return 0;
}

/* In the scope of the program, then of the module; each answers a question once. */
static int in_scope(struct process *p, const struct elf_symbol *wanted, struct str key,
	enum load_answer *out, struct err *e)
{
	union table_value *v = table_get(&p->resolved, key);

	*out = v ? (enum load_answer)v->num : ANSWER_NONE;
	if (v)
		return 0;
	if (p->parent && in_scope(p->parent, wanted, key, out, e) < 0)
		return -1;
	if (*out == ANSWER_NONE && in_objects(p, p->first, -1, wanted, out, e) < 0)
		return -1;
	table_put(&p->resolved, arena_str(p->resolved.arena, key))->num = *out;
	return 0;
}

/* Nothing is certain where a library that might have it is missing, or only a list knows it. */
static int is_certain(
	struct process *p, const struct elf_symbol *wanted, bool *certain, struct err *e)
{
	const struct load_symtab *s;
	ptrdiff_t in;

	*certain = !p->vague;
	if (!p->vague || !wanted->version.n)
		return 0;
	in = load_named(p, wanted->file);
	if (in < 0)
		return 0;
	if (symtab_of(p->world, &p->objects.v[in], &s, e) < 0)
		return -1;
	*certain = s->known;
	return 0;
}

static int check_symbol(struct process *p, size_t by, const struct load_symtab *own,
	const struct elf_symbol *wanted, struct arena *scratch, struct err *e)
{
	struct str key = arena_strf(scratch, "%.*s@%.*s@%.*s", STR_ARG(wanted->name),
		STR_ARG(wanted->version), STR_ARG(wanted->file));
	enum load_answer answer;
	bool certain = true;
	int r;

	/* what an object wants and has is its copy of a variable, which has to come from another one */
	if (table_get(&own->by_name, wanted->name))
		r = in_objects(p, 0, (ptrdiff_t)by, wanted, &answer, e);
	else
		r = in_scope(p, wanted, key, &answer, e);
	arena_reset(scratch);
	if (r < 0 || (answer == ANSWER_NONE && is_certain(p, wanted, &certain, e) < 0))
		return -1;
	if ((answer == ANSWER_ENDS || (answer == ANSWER_NONE && !wanted->weak)) && certain)
		*VEC_PUSH(p->arena, &p->symbols) = (struct load_symbol){by, wanted->name,
			wanted->version, wanted->function && !p->objects.v[by].elf->bind_now};
	return 0;
}

static int check_object(struct process *p, size_t by, struct arena *scratch, struct err *e)
{
	const struct load_symtab *s;

	if (symtab_of(p->world, &p->objects.v[by], &s, e) < 0)
		return -1;
	for (size_t k = 0; k < s->symbols.n_undefined; k++) {
		const struct elf_symbol *x = &s->symbols.undefined[k];

		/* a weak one may be missing, but not end the loader */
		if ((!x->weak || (x->version.n && loader_insists_on_versions(p->world->loader))) &&
			check_symbol(p, by, s, x, scratch, e) < 0)
			return -1;
	}
	return 0;
}

int load_check_symbols(struct process *p, struct err *e)
{
	const struct load_symtab *s;
	struct arena scratch = {0};
	int r = 0;

	if (p->with_symbols)
		return 0;
	p->with_symbols = true;
	p->vague = p->misses.n > 0 || (p->parent && p->parent->vague);
	for (size_t i = p->first; i < p->objects.n; i++) {
		if (symtab_of(p->world, &p->objects.v[i], &s, e) < 0)
			return -1;
		p->vague = p->vague || !s->known;
	}
	for (size_t i = p->first; i < p->objects.n && r == 0; i++)
		r = check_object(p, i, &scratch, e);
	arena_release(&scratch);
	return r;
}

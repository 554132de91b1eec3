/*
 * What a process stumbles over though all its libraries are found: copies, room for thread-local
 * storage, stacks.
 *
 * Sources: glibc elf/dl-reloc.c (_dl_try_allocate_static_tls), elf/dl-open.c and sysdeps/generic/ldsodefs.h
 * (TLS_STATIC_SURPLUS, DTV_SURPLUS), elf/dl-execstack.c; docs/design/audit.md.
 */
#include "images/libc.h"
#include "packer/audit_inside.h"

enum {
	/* 64 + DL_NNS * 100 until 2.31, about as much since; what alignment may add. */
	TLS_SURPLUS = 64 + 16 * 100,
	TLS_SLACK = 64,
	TLS_ALIGN = 64, /* of the room, where nothing that was there from the start asks for more */
	/* Modules with TLS that threads have room for before 2.22. */
	DTV_SURPLUS = 14,
};

/* A library that was loaded, by its soname. */
struct copy {
	size_t load; /* number of the process it was last seen in */
	struct load_object object;
	bool of_python; /* a module of Python loaded it, `first`: */
	struct load_object first;
	struct str module;
};

/* What one process would hold that imports every module. */
struct audit_together {
	struct table sonames;  /* -> struct copy */
	struct table meant;    /* the host's sonames -> the tree's file in lib/, or NULL */
	struct table with_tls; /* paths of objects with TLS that modules bring */
	uint64_t static_bytes;
	size_t program_tls;            /* objects of the program itself that have TLS */
	const struct audit_file *last; /* the last with static TLS */
	size_t n_static;
};

static struct str path_of(const struct load_object *o)
{
	return o->file ? o->file->path : o->library->path;
}

/* --- shadows -------------------------------------------------------------------------------- */

/* The environment's own library of that name, where programs are meant to find it. */
static const struct audit_file *meant_by(struct auditing *au, struct str soname)
{
	union table_value *v = table_get(&au->together->meant, soname);
	const struct audit_file *f;

	if (v)
		return v->ptr;
	f = audit_tree_find(au->tree, arena_strf(au->a, "lib/%.*s", STR_ARG(soname)));
	if (f && !audit_counts(f))
		f = NULL;
	table_put(&au->together->meant, soname)->ptr = (void *)(uintptr_t)f;
	return f;
}

static void judge_shadow(struct auditing *au, const struct load *l, const struct load_object *o)
{
	const struct audit_file *meant, *by;
	bool root = o->library->path.n > 0;
	struct audit_finding *f;

	if (o->loader < 0 || au->tree->of_packages || au->tree->alone)
		return;
	by = l->objects[o->loader].file;
	meant = by ? meant_by(au, o->library->soname) : NULL;
	if (!meant)
		return;
	f = audit_add(au, &(struct audit_saying){RULE_SHADOWED,
				  au->process->kind == PROCESS_LIBRARY ? LEVEL_INFO : LEVEL_WARNING,
				  root ? SURE_CERTAIN : SURE_LIKELY, by, o->library->soname,
				  o->library->soname});
	if (f->text.n)
		return;
	f->has = o->library->path;
	f->text = arena_strf(au->a,
		"%.*s takes %.*s of the host, since no path to look for libraries leads to %.*s",
		STR_ARG(audit_name_file(au, by)), STR_ARG(o->library->soname),
		STR_ARG(audit_name_file(au, meant)));
}

/* --- copies --------------------------------------------------------------------------------- */

static bool same_thing(const struct load_object *a, const struct load_object *b)
{
	const struct elf *x = a->elf, *y = b->elf;

	if (a->file == b->file && a->library == b->library)
		return true;
	if (x->build_id.n && y->build_id.n)
		return str_eq(x->build_id, y->build_id);
	return x->build_id.n == y->build_id.n && x->n_defines == y->n_defines &&
	       x->n_needed == y->n_needed && x->n_needs == y->n_needs && x->tls_size == y->tls_size;
}

static void say_copies(struct auditing *au, const struct load_object *a,
	const struct load_object *b, struct str soname, bool certain, struct str module)
{
	const struct audit_file *file = b->file ? b->file : a->file;
	const struct load_object *other = b->file ? a : b;
	struct audit_finding *f;

	if (!file)
		return;
	f = audit_add(au, &(struct audit_saying){RULE_COPIES, LEVEL_WARNING,
				  certain ? SURE_LIKELY : SURE_POSSIBLE, file, soname, soname});
	if (f->text.n)
		return;
	f->has = path_of(other);
	if (certain)
		f->text = arena_strf(au->a,
			"%.*s and %s'%.*s' are two copies of %.*s, and '%.*s' would load both",
			STR_ARG(audit_name_file(au, file)), other->file ? "" : "the host's ",
			STR_ARG(path_of(other)), STR_ARG(soname), STR_ARG(au->process->name));
	else
		f->text = arena_strf(au->a,
			"%.*s and %s'%.*s' are two copies of %.*s: which one is used depends on "
			"whether "
			"'%.*s' or '%.*s' is imported first",
			STR_ARG(audit_name_file(au, file)), other->file ? "" : "the host's ",
			STR_ARG(path_of(other)), STR_ARG(soname), STR_ARG(au->process->name),
			STR_ARG(module));
}

static void judge_copy(struct auditing *au, const struct load *l, size_t i)
{
	struct audit_together *t = au->together;
	const struct load_object *o = &l->objects[i];
	struct str soname =
		o->file ? audit_library_name(o->file->path, o->elf) : o->library->soname;
	union table_value *v = table_put(&t->sonames, soname);
	struct copy *c = v->ptr;

	if (!c)
		c = v->ptr = arena_new(au->a, struct copy);
	else if (c->load == au->out->n_processes && !same_thing(&c->object, o))
		say_copies(au, &c->object, o, soname, true, (struct str){0});
	c->load = au->out->n_processes;
	c->object = *o;
	c->object.path.n = 0; /* it ends with the process */
	if (au->process->kind != PROCESS_MODULE || i == (size_t)l->module)
		return;
	if (c->of_python && !same_thing(&c->first, o))
		say_copies(au, &c->first, o, soname, false, c->module);
	if (!c->of_python) {
		c->of_python = true;
		c->first = c->object;
		c->module = au->process->name;
	}
}

/* --- static TLS ----------------------------------------------------------------------------- */

static uint64_t aligned(uint64_t size, uint64_t align)
{
	if (align < 2 || size > UINT64_MAX - align)
		return size;
	return (size + align - 1) / align * align;
}

static uint64_t static_tls(const struct load_object *o)
{
	return o->elf->static_tls ? aligned(o->elf->tls_size, o->elf->tls_align) : 0;
}

/* Room is aligned as what was there from the start needs it, and is not aligned anew. */
static void judge_alignment(struct auditing *au, const struct load *l)
{
	uint64_t room = TLS_ALIGN;
	struct audit_finding *f;

	for (size_t i = 0; i < l->n_objects; i++) {
		const struct load_object *o = &l->objects[i];
		bool linked = au->process->kind == PROCESS_LIBRARY;

		if (i < audit_first_of_module(l)) {
			room = o->elf->tls_align > room ? o->elf->tls_align : room;
			continue;
		}
		if (!o->file || !o->elf->static_tls || o->elf->tls_align <= room)
			continue;
		f = audit_add(au,
			&(struct audit_saying){RULE_STATIC_TLS, linked ? LEVEL_INFO : LEVEL_ERROR,
				linked ? SURE_POSSIBLE : SURE_CERTAIN, o->file,
				arena_strf(au->a, "static TLS aligned to %llu bytes",
					(unsigned long long)o->elf->tls_align),
				(struct str){0}});
		if (f->text.n)
			continue;
		f->has = arena_strf(au->a, "%llu bytes", (unsigned long long)room);
		f->text = arena_strf(au->a,
			"%.*s cannot be opened by a program that runs: its static thread-local "
			"storage is aligned to %llu bytes, and what the loader keeps to %llu",
			STR_ARG(audit_name_file(au, o->file)),
			(unsigned long long)o->elf->tls_align, (unsigned long long)room);
	}
}

static void judge_room(struct auditing *au, const struct load *l)
{
	const struct audit_file *largest = NULL;
	uint64_t sum = 0, most = 0;
	enum audit_level level;
	struct audit_finding *f;
	bool certain;

	for (size_t i = audit_first_of_module(l); i < l->n_objects; i++) {
		uint64_t size = static_tls(&l->objects[i]);

		sum = size > UINT64_MAX - sum ? UINT64_MAX : sum + size;
		if (size > most && l->objects[i].file) {
			most = size;
			largest = l->objects[i].file;
		}
	}
	if (sum <= TLS_SURPLUS || !largest)
		return;
	/* What is a runtime of compilers is linked, and then there is room. */
	certain = sum > TLS_SURPLUS + TLS_SLACK && au->process->kind != PROCESS_LIBRARY;
	level = certain                                ? LEVEL_ERROR
		: au->process->kind == PROCESS_LIBRARY ? LEVEL_INFO
						       : LEVEL_WARNING;
	f = audit_add(au, &(struct audit_saying){RULE_STATIC_TLS, level,
				  certain ? SURE_CERTAIN : SURE_POSSIBLE, largest,
				  STR("static TLS"), (struct str){0}});
	if (f->text.n)
		return;
	f->has = arena_strf(au->a, "%d bytes", TLS_SURPLUS);
	f->text = arena_strf(au->a,
		"%.*s %s be opened by a program that runs: it and what it needs take %llu "
		"bytes of static thread-local storage, and the loader of glibc %.*s keeps %d",
		STR_ARG(audit_name_file(au, largest)),
		sum > TLS_SURPLUS + TLS_SLACK ? "cannot" : "may not", (unsigned long long)sum,
		STR_ARG(au->out->glibc), TLS_SURPLUS);
}

static void count_tls(struct auditing *au, const struct load *l)
{
	struct audit_together *t = au->together;
	size_t of_program = 0;

	for (size_t i = 0; i < l->n_objects; i++) {
		const struct load_object *o = &l->objects[i];
		union table_value *v;

		if (!o->elf->tls_size)
			continue;
		if (i < audit_first_of_module(l)) {
			of_program++;
			continue;
		}
		v = table_put(&t->with_tls, path_of(o));
		if (v->num)
			continue;
		v->num = 1;
		t->static_bytes += static_tls(o) < UINT32_MAX ? static_tls(o) : UINT32_MAX;
		if (o->elf->static_tls && o->file) {
			t->n_static++;
			t->last = o->file;
		}
	}
	if (of_program > t->program_tls)
		t->program_tls = of_program;
}

void audit_judge_together(struct auditing *au)
{
	const struct audit_together *t = au->together;
	size_t n = t ? t->program_tls + t->with_tls.n : 0;
	bool slots =
		n > DTV_SURPLUS && au->out->glibc.n && glibc_cmp(au->out->glibc, STR("2.22")) < 0;
	struct audit_finding *f;

	if (!t || !t->last || (!slots && t->static_bytes <= TLS_SURPLUS))
		return;
	f = audit_add(au, &(struct audit_saying){RULE_STATIC_TLS, LEVEL_WARNING, SURE_POSSIBLE,
				  t->last, STR("static TLS"), (struct str){0}});
	if (f->text.n)
		return;
	if (slots) {
		f->has = arena_strf(au->a, "%d modules with TLS", DTV_SURPLUS);
		f->text = arena_strf(au->a,
			"%.*s may not be loaded by a program with threads that has imported much "
			"before: with all modules there are %zu libraries with thread-local "
			"storage, "
			"and glibc %.*s takes no static one beyond the %dth",
			STR_ARG(audit_name_file(au, t->last)), n, STR_ARG(au->out->glibc),
			DTV_SURPLUS);
		return;
	}
	f->has = arena_strf(au->a, "%d bytes", TLS_SURPLUS);
	f->text = arena_strf(au->a,
		"%.*s may not be loaded by a program that has imported much before: all modules "
		"together take %llu bytes of static thread-local storage, and the loader of glibc "
		"%.*s keeps %d",
		STR_ARG(audit_name_file(au, t->last)), (unsigned long long)t->static_bytes,
		STR_ARG(au->out->glibc), TLS_SURPLUS);
}

/* --- stacks and text ------------------------------------------------------------------------ */

static bool wants_stack(const struct load_object *o)
{
	return o->elf->stack != STACK_PLAIN;
}

/* From glibc 2.41 on dlopen() makes no stack executable that is not already. */
static bool refused_by_loader(struct auditing *au, const struct load *l)
{
	if (!au->out->glibc.n || glibc_cmp(au->out->glibc, STR("2.41")) < 0)
		return false;
	for (size_t k = 0; k < audit_first_of_module(l); k++)
		if (l->objects[k].elf->bits && l->objects[k].elf->dynamic &&
			wants_stack(&l->objects[k]))
			return false;
	return true;
}

static void judge_stack(struct auditing *au, const struct load_object *o, bool refused)
{
	bool forbidden = au->profile->audit.forbids_executable_stack;
	struct audit_finding *f = audit_add(au,
		&(struct audit_saying){RULE_STACK, refused || forbidden ? LEVEL_ERROR : LEVEL_INFO,
			refused ? SURE_CERTAIN : SURE_LIKELY, o->file, STR("an executable stack"),
			(struct str){0}});
	struct str name = audit_name_file(au, o->file);
	const char *how = o->elf->stack == STACK_UNSAID
				  ? "does not say that its stack need not be executable, so it is"
				  : "wants an executable stack";

	/* What is refused says more than what was met before. */
	if (f->text.n && !(refused && !f->has.n))
		return;
	if (refused) {
		f->has = arena_strf(au->a, "glibc %.*s", STR_ARG(au->out->glibc));
		f->text = arena_strf(au->a, "%.*s %s; dlopen() of glibc %.*s refuses that",
			STR_ARG(name), how, STR_ARG(au->out->glibc));
	} else if (forbidden) {
		f->text = arena_strf(au->a, "%.*s %s; target '%.*s' forbids that", STR_ARG(name),
			how, STR_ARG(au->profile->name));
	} else {
		f->text = arena_strf(au->a, "%.*s %s; SELinux may forbid that", STR_ARG(name), how);
	}
}

static void judge_text(struct auditing *au, const struct load_object *o)
{
	bool forbidden = au->profile->audit.forbids_text_relocations;
	struct audit_finding *f = audit_add(
		au, &(struct audit_saying){RULE_TEXT, forbidden ? LEVEL_ERROR : LEVEL_INFO,
			    SURE_LIKELY, o->file, STR("text relocations"), (struct str){0}});

	if (!f->text.n)
		f->text =
			arena_strf(au->a, "%.*s writes to its own code when it is loaded; %s%.*s%s",
				STR_ARG(audit_name_file(au, o->file)), forbidden ? "target '" : "",
				STR_ARG(forbidden ? au->profile->name : STR("SELinux")),
				forbidden ? "' forbids that" : " may forbid that");
}

void audit_judge_process(struct auditing *au, const struct load *l)
{
	size_t first = audit_first_of_module(l);
	bool refused = refused_by_loader(au, l);

	if (!au->together) {
		au->together = arena_new(au->a, struct audit_together);
		au->together->sonames.arena = au->together->with_tls.arena =
			au->together->meant.arena = au->a;
	}
	for (size_t i = 0; i < l->n_objects; i++) {
		const struct load_object *o = &l->objects[i];

		if (o->library && i)
			judge_shadow(au, l, o);
		if (i)
			judge_copy(au, l, i);
		if (o->file && wants_stack(o))
			judge_stack(au, o, refused && i >= first);
		if (o->file && o->elf->text_relocations)
			judge_text(au, o);
	}
	judge_room(au, l);
	judge_alignment(au, l);
	if (au->process->kind == PROCESS_MODULE)
		count_tls(au, l);
}

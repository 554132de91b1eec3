/* What of a process comes to nothing: libraries, versions, symbols. */
#include "images/libc.h"
#include "packer/audit_inside.h"

#include <fnmatch.h>

/* What a name that was needed is said of: the file of the tree that asks, itself or by way of the host's. */
struct asking {
	const struct audit_file *file;
	struct str through; /* the host's library that needs it on its behalf; empty: itself */
};

static struct asking who_asks(const struct load *l, size_t by)
{
	struct asking who = {0};
	ptrdiff_t i = (ptrdiff_t)by;

	if (l->objects[by].library)
		who.through = l->objects[by].library->soname;
	while (i >= 0 && !l->objects[i].file) {
		if (l->objects[i].loader >= i)
			return who;
		i = l->objects[i].loader;
	}
	if (i >= 0)
		who.file = l->objects[i].file;
	else if (l->n_objects)
		who.file = l->objects[l->module > 0 ? l->module : 0].file;
	return who;
}

/* What stands before "needs". */
static struct str asks(struct auditing *au, const struct asking *who)
{
	struct str name = audit_name_file(au, who->file);

	if (!who->through.n)
		return name;
	return arena_strf(
		au->a, "%.*s loads the host's %.*s, which", STR_ARG(name), STR_ARG(who->through));
}

static struct str target(const struct auditing *au)
{
	return au->profile->name;
}

/* It is opened, or linked, by what is not known: that may have loaded before what it lacks, or go on
 * without it, as programs do that look for plugins. */
static bool by_anybody(const struct auditing *au)
{
	return au->process->kind >= PROCESS_PLUGIN && !au->process->placed;
}

/* --- versions ------------------------------------------------------------------------------- */

/* Does a library of the environment have the version? */
static bool is_brought(struct auditing *au, const struct elf_need *need)
{
	union table_value *v = table_get(&au->brought, need->file);
	const struct audit_file *f = v ? v->ptr : NULL;

	return f &&
	       audit_has_version(f->binary->elf.defines, f->binary->elf.n_defines, need->version);
}

/* has: what the host's library defines of the kind; empty: nothing. */
static void lacks_of_host(
	struct auditing *au, const struct asking *who, const struct elf_need *need, struct str has)
{
	bool sure = au->out->against_root;
	/* What a single file needs besides the C library, its environment may bring. */
	bool maybe = !audit_glibc_number(need->version).n &&
		     (au->tree->alone || (by_anybody(au) && is_brought(au, need)));
	struct audit_finding *f = audit_add(
		au, &(struct audit_saying){RULE_VERSION, maybe ? LEVEL_WARNING : LEVEL_ERROR,
			    maybe  ? SURE_POSSIBLE
			    : sure ? SURE_CERTAIN
				   : SURE_LIKELY,
			    who->file, need->version, need->file});

	if (f->text.n)
		return;
	f->has = has;
	f->text = arena_strf(au->a, "%.*s needs %.*s of %.*s; hosts of target '%.*s' have %.*s%.*s",
		STR_ARG(audit_name_file(au, who->file)), STR_ARG(need->version),
		STR_ARG(need->file), STR_ARG(target(au)),
		STR_ARG(has.n ? has : STR("none of its kind")),
		STR_ARG(has.n ? STR(" at most") : STR("")));
}

static void lacks_of_tree(struct auditing *au, const struct asking *who,
	const struct elf_need *need, const struct audit_file *in)
{
	const struct elf *elf = &in->binary->elf;
	struct str has = audit_best_version(au, elf->defines, elf->n_defines, need->version);
	struct audit_finding *f =
		audit_add(au, &(struct audit_saying){RULE_VERSION, LEVEL_ERROR, SURE_CERTAIN,
				      who->file, need->version, need->file});

	if (f->text.n)
		return;
	f->has = has;
	f->text = arena_strf(au->a, "%.*s needs %.*s of %.*s; %.*s has %.*s%.*s",
		STR_ARG(asks(au, who)), STR_ARG(need->version), STR_ARG(need->file),
		STR_ARG(audit_name_file(au, in)), STR_ARG(has.n ? has : STR("none of its kind")),
		STR_ARG(has.n ? STR(" at most") : STR("")));
}

static void judge_lack(struct auditing *au, const struct load *l, const struct load_lack *lack)
{
	const struct load_object *in = &l->objects[lack->in];
	struct asking who = who_asks(l, lack->by);

	if (lack->unversioned || lack->need->weak || !who.file)
		return;
	if (in->file) {
		lacks_of_tree(au, &who, lack->need, in->file);
		return;
	}
	/* What the host has among its own libraries is no release's doing. */
	if (who.through.n)
		return;
	if (au->tree->of_packages && table_get(&au->brought, lack->need->file))
		return;
	/* Lists leave private versions out. */
	if (!in->library->path.n && str_ends(lack->need->version, STR("_PRIVATE")))
		return;
	lacks_of_host(au, &who, lack->need,
		audit_best_version(au, in->elf->defines, in->elf->n_defines, lack->need->version));
}

/* Of a library that nobody has seen, the list or the glibc that the target promises is the word. */
static void judge_promised(struct auditing *au, const struct load *l, const struct load_miss *m,
	const struct asking *who)
{
	const struct profile *p = au->profile;
	const struct profile_library *listed = profile_library(p, m->name);
	const struct elf *elf = l->objects[m->by].elf;

	if (who->through.n)
		return;
	for (size_t i = 0; i < elf->n_needs; i++) {
		const struct elf_need *need = &elf->needs[i];
		struct str number = audit_glibc_number(need->version), has;

		if (!str_eq(need->file, m->name) || need->weak)
			continue;
		if (listed && listed->n_versions &&
			!audit_has_version(listed->versions, listed->n_versions, need->version) &&
			!str_ends(need->version, STR("_PRIVATE"))) {
			has = audit_best_version(
				au, listed->versions, listed->n_versions, need->version);
			lacks_of_host(au, who, need, has);
		} else if (!listed && number.n && glibc_cmp(number, p->glibc) > 0) {
			has = arena_strf(au->a, "GLIBC_%.*s", STR_ARG(p->glibc));
			lacks_of_host(au, who, need, has);
		}
	}
}

/* --- libraries of the driver ---------------------------------------------------------------- */

/* It is asked for each miss of each process: nothing of it is kept. */
static bool fits(const struct str *patterns, size_t n, struct str name)
{
	CLEANUP_ARENA scratch = {0};
	const char *text = arena_cstr(&scratch, name);

	for (size_t i = 0; i < n; i++)
		if (fnmatch(arena_cstr(&scratch, patterns[i]), text, 0) == 0)
			return true;
	return false;
}

/* 1: there it is; 0: nothing of the driver's; -1: a finding. */
static int judge_driver(struct auditing *au, const struct asking *who, struct str name)
{
	static const struct str of_nvidia[] = {STR_INIT("libcuda.so*"), STR_INIT("libnvidia-*.so*"),
		STR_INIT("libcudadebugger.so*"), STR_INIT("libnvcuvid.so*"),
		STR_INIT("libnvoptix.so*")};
	const struct profile_gpu *gpu = &au->profile->gpu;
	bool plugin = au->process->kind >= PROCESS_PLUGIN;
	struct audit_finding *f;

	if (fits(gpu->libraries, gpu->n_libraries, name))
		return 1;
	if (!fits(of_nvidia, sizeof of_nvidia / sizeof *of_nvidia, name))
		return 0;
	/* A GPU's host whose profile names no libraries has what the driver always brings. */
	if (gpu->wanted && !gpu->n_libraries)
		return 1;
	/* Programs look for plugins of devices and go on without. */
	f = audit_add(au, &(struct audit_saying){RULE_DRIVER,
				  au->tree->alone ? LEVEL_INFO
				  : plugin        ? LEVEL_WARNING
						  : LEVEL_ERROR,
				  SURE_LIKELY, who->file, name, name});
	if (!f->text.n)
		f->text = arena_strf(au->a,
			"%.*s needs %.*s, which only the driver of a GPU brings; target '%.*s' %s",
			STR_ARG(asks(au, who)), STR_ARG(name), STR_ARG(target(au)),
			gpu->wanted ? "does not name it among its driver's" : "has no GPU");
	return -1;
}

/* --- libraries ------------------------------------------------------------------------------ */

/* A file stood in the way, or was passed over. */
static void judge_passed(struct auditing *au, const struct load_miss *m, const struct asking *who)
{
	static const enum audit_rule rules[] = {[PASSED_NONE] = RULE_LIBRARY,
		[PASSED_MACHINE] = RULE_MACHINE,
		[PASSED_KERNEL] = RULE_KERNEL,
		[PASSED_BROKEN] = RULE_BROKEN,
		[PASSED_FOLDER] = RULE_LIBRARY};
	const struct elf *elf = m->passed->binary ? &m->passed->binary->elf : &(struct elf){0};
	struct str why = {0}, needs = m->name;
	struct audit_finding *f;

	switch (m->why) {
	case PASSED_NONE:
	case PASSED_FOLDER:
		return;
	case PASSED_MACHINE:
		why = arena_strf(au->a, "is for %.*s", STR_ARG(audit_machine_name(au, elf)));
		break;
	case PASSED_KERNEL:
		needs = arena_strf(
			au->a, "Linux %u.%u.%u", elf->kernel[0], elf->kernel[1], elf->kernel[2]);
		why = arena_strf(au->a, "asks for %.*s, and hosts of target '%.*s' have %.*s",
			STR_ARG(needs), STR_ARG(target(au)), STR_ARG(au->kernel));
		break;
	case PASSED_BROKEN:
		why = m->passed->unread ? STR("could not be looked at") : STR("is broken");
		break;
	}
	f = audit_add(au, &(struct audit_saying){m->passed->unread ? RULE_UNREAD : rules[m->why],
				  by_anybody(au) ? LEVEL_WARNING : LEVEL_ERROR, SURE_LIKELY,
				  m->passed, needs, m->name});
	if (f->text.n)
		return;
	f->has = m->why == PASSED_KERNEL ? au->kernel : (struct str){0};
	f->text = arena_strf(au->a, "%.*s %.*s, and %.*s needs it",
		STR_ARG(audit_name_file(au, m->passed)), STR_ARG(why),
		STR_ARG(audit_name_file(au, who->file)));
}

/* What stands where the loader looks first, and is no library. */
static void judge_in_the_way(
	struct auditing *au, const struct load_miss *m, const struct asking *who)
{
	struct audit_finding *f = audit_add(au,
		&(struct audit_saying){RULE_LIBRARY, by_anybody(au) ? LEVEL_WARNING : LEVEL_ERROR,
			SURE_CERTAIN, who->file, m->name, m->name});
	struct str what;

	if (f->text.n)
		return;
	if (!m->refused)
		what = arena_strf(au->a, "'%.*s' is a folder", STR_ARG(m->folder));
	else if (m->refused->fault.n)
		what = arena_strf(au->a, "the host's %.*s", STR_ARG(m->refused->fault));
	else
		what = arena_strf(au->a, "the host's '%.*s' is none", STR_ARG(m->refused->path));
	f->has = m->refused ? m->refused->path : m->folder;
	f->text = arena_strf(au->a,
		"%.*s needs the library %.*s; %.*s, and the loader looks no further",
		STR_ARG(asks(au, who)), STR_ARG(m->name), STR_ARG(what));
}

/* Modules that Python and packages try to import, and go on without. */
static bool is_optional(const struct asking *who)
{
	CLEANUP_ARENA scratch = {0};
	static const char *const patterns[] = {"lib/python*/lib-dynload/nis.*",
		"lib/python*/lib-dynload/_crypt.*", "*/numba/np/ufunc/tbbpool.*",
		"*/numba/npyufunc/tbbpool.*", "*/cupy_backends/cuda/libs/*"};
	const char *path = arena_cstr(&scratch, who->file->path);

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		if (fnmatch(patterns[i], path, 0) == 0)
			return true;
	return false;
}

/* Without a root: what is neither brought nor listed may be there all the same. */
static void missing_on_list(struct auditing *au, const struct asking *who, struct str name)
{
	struct audit_finding *f = audit_add(au,
		&(struct audit_saying){RULE_LIBRARY, au->tree->alone ? LEVEL_INFO : LEVEL_WARNING,
			SURE_POSSIBLE, who->file, name, name});

	if (!f->text.n)
		f->text = arena_strf(au->a,
			"%.*s needs the library %.*s, which no package brings and target '%.*s' "
			"does not "
			"list",
			STR_ARG(asks(au, who)), STR_ARG(name), STR_ARG(target(au)));
}

static void missing_on_host(struct auditing *au, const struct asking *who, struct str name)
{
	bool listed = profile_library(au->profile, name) != NULL;
	bool alone = au->tree->alone, optional = by_anybody(au) || is_optional(who);
	struct audit_saying s = {.rule = RULE_LIBRARY,
		.level = LEVEL_ERROR,
		.sure = SURE_CERTAIN,
		.file = who->file,
		.needs = name,
		.library = name};
	struct audit_finding *f;

	/* Its hosts are promised to have it; a thin image does not. */
	if (listed || optional) {
		s.level = LEVEL_WARNING;
		s.sure = listed ? SURE_POSSIBLE : SURE_LIKELY;
	}
	if (alone) {
		s.level = LEVEL_INFO;
		s.sure = SURE_POSSIBLE;
	}
	f = audit_add(au, &s);
	if (f->text.n)
		return;
	f->text = arena_strf(au->a,
		"%.*s needs the library %.*s, which %s and the image of target '%.*s' does "
		"not have%s",
		STR_ARG(asks(au, who)), STR_ARG(name),
		alone ? "is not among these files" : "no package brings", STR_ARG(target(au)),
		listed ? ", though its profile lists it" : "");
}

/* What is not started by its name may have been given LD_LIBRARY_PATH by what starts it. */
static bool is_wrapped(const struct auditing *au)
{
	const struct audit_file *program = au->process->program;

	return program && !audit_is_in_bin(program->path);
}

/* The environment has it, but nothing leads there. */
static void out_of_reach(struct auditing *au, const struct asking *who, struct str name,
	const struct audit_file *brought)
{
	bool sure = au->out->against_root && !is_wrapped(au) && !by_anybody(au);
	struct audit_finding *f;

	/* They find what the program has loaded before them. */
	if (au->process->kind == PROCESS_LIBRARY || au->tree->of_packages || au->tree->alone)
		return;
	f = audit_add(au, &(struct audit_saying){RULE_LIBRARY, sure ? LEVEL_ERROR : LEVEL_WARNING,
				  sure ? SURE_CERTAIN : SURE_LIKELY, who->file, name, name});
	if (!f->text.n)
		f->text = arena_strf(au->a,
			"%.*s needs the library %.*s; the environment has it as '%.*s', but no "
			"path to look for libraries leads there",
			STR_ARG(asks(au, who)), STR_ARG(name), STR_ARG(brought->path));
}

static void judge_miss(struct auditing *au, const struct load *l, const struct load_miss *m)
{
	struct asking who = who_asks(l, m->by);
	union table_value *brought = table_get(&au->brought, m->name);

	if (!who.file || judge_driver(au, &who, m->name) != 0)
		return;
	if (m->passed) {
		judge_passed(au, m, &who);
		return;
	}
	if (m->refused || m->why == PASSED_FOLDER) {
		judge_in_the_way(au, m, &who);
		return;
	}
	if (brought) {
		if (au->profile->has_libraries || au->out->against_root)
			out_of_reach(au, &who, m->name, brought->ptr);
		return;
	}
	judge_promised(au, l, m, &who);
	if (au->out->against_root)
		missing_on_host(au, &who, m->name);
	else if (au->profile->has_libraries)
		missing_on_list(au, &who, m->name);
}

/* --- symbols -------------------------------------------------------------------------------- */

/* All symbols that files of the environment define, whoever may load them. */
static void gather_symbols(struct auditing *au)
{
	const struct audit_tree *t = au->tree;

	au->symbols = arena_new(au->a, struct table);
	au->symbols->arena = au->a;
	for (size_t i = 0; t->symbols && i < t->n_files; i++) {
		struct elf_symbols symbols;

		if (!audit_counts(&t->files[i]) ||
			t->symbols(t->ctx, au->a, i, &symbols, NULL) <= 0)
			continue;
		for (size_t k = 0; k < symbols.n_defined; k++)
			table_put(au->symbols, symbols.defined[k].name);
	}
}

/* May who opens a plugin or a library bring the symbol?  One with a version comes from what was linked. */
static bool may_come(struct auditing *au, const struct load_symbol *s)
{
	if (au->process->kind < PROCESS_PLUGIN || s->version.n)
		return false;
	if (!au->symbols)
		gather_symbols(au);
	return table_get(au->symbols, s->name) != NULL;
}

/* A symbol without a version that a plugin of an unknown program itself lacks, and no file here has. */
static bool is_hosts_of_plugin(
	struct auditing *au, const struct load *l, const struct load_symbol *s)
{
	return au->process->kind == PROCESS_PLUGIN && by_anybody(au) && !au->tree->alone &&
	       !s->version.n && l->objects[s->by].file && s->by >= audit_first_of_module(l) &&
	       !may_come(au, s);
}

/* Who opens a plugin is not there, and may have all that it lacks: that is one finding. */
static void judge_plugin(struct auditing *au, const struct load *l, const struct load_symbol *s)
{
	size_t n = 0;
	struct audit_finding *f;

	for (size_t i = 0; i < l->n_symbols; i++)
		n += l->symbols[i].by == s->by;
	f = audit_add(au, &(struct audit_saying){RULE_SYMBOL, LEVEL_WARNING, SURE_POSSIBLE,
				  l->objects[s->by].file, s->name, (struct str){0}});
	if (!f->text.n)
		f->text = arena_strf(au->a,
			"%.*s needs the symbol %.*s%s, which the program has to bring that opens "
			"it",
			STR_ARG(audit_name_file(au, l->objects[s->by].file)), STR_ARG(s->name),
			n > 1 ? arena_printf(au->a, " and %zu others", n - 1) : "");
}

static void judge_symbol(struct auditing *au, const struct load *l, const struct load_symbol *s)
{
	struct asking who = who_asks(l, s->by);
	bool linked = au->process->kind == PROCESS_LIBRARY;
	/* What is opened by Python is bound at once; of a program each function when it is called. */
	bool later = s->lazy && s->by < audit_first_of_module(l);
	struct audit_saying x = {.rule = RULE_SYMBOL,
		.level = LEVEL_ERROR,
		.sure = SURE_CERTAIN,
		.file = who.file,
		.needs = s->name};
	struct audit_finding *f;

	if (!who.file || (who.through.n && later))
		return;
	if (s->version.n)
		x.needs = arena_strf(au->a, "%.*s@%.*s", STR_ARG(s->name), STR_ARG(s->version));
	if (later || linked || au->tree->alone || may_come(au, s)) {
		x.level = later ? LEVEL_WARNING : LEVEL_INFO;
		x.sure = SURE_POSSIBLE;
	}
	f = audit_add(au, &x);
	if (!f->text.n)
		f->text = arena_strf(au->a,
			"%.*s needs the symbol %.*s, which nothing has that is loaded for '%.*s'",
			STR_ARG(asks(au, &who)), STR_ARG(x.needs), STR_ARG(au->process->name));
}

void audit_judge_load(struct auditing *au, const struct load *l)
{
	ptrdiff_t told = -1; /* plugin */

	for (size_t i = 0; i < l->n_misses; i++)
		judge_miss(au, l, &l->misses[i]);
	for (size_t i = 0; i < l->n_lacks; i++)
		judge_lack(au, l, &l->lacks[i]);
	for (size_t i = 0; i < l->n_symbols; i++) {
		const struct load_symbol *s = &l->symbols[i];

		if (!is_hosts_of_plugin(au, l, s)) {
			judge_symbol(au, l, s);
		} else if (told != (ptrdiff_t)s->by) {
			judge_plugin(au, l, s);
			told = (ptrdiff_t)s->by;
		}
	}
}

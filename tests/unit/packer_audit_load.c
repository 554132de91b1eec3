#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <elf.h>

#include "base/buf.h"
#include "packer/audit_load.h"

/* Trees are made of facts by hand; roots are folders with small files. */

#ifdef __aarch64__
enum { NATIVE = EM_AARCH64 };
#else
enum { NATIVE = EM_X86_64 };
#endif

static struct arena arena;

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

/* --- a tree ------------------------------------------------------------------------------- */

struct world {
	struct audit_file files[32];
	struct {
		const struct elf *file;
		struct elf_symbols symbols;
	} symbols[32];
	size_t n;
	struct audit_tree tree;
	struct profile profile;
	struct loader *loader;
	struct audit_world *world;
	const char *root;
};

static struct str words(const char *text)
{
	return text ? str_of(arena_strdup(&arena, text)) : str_n(NULL, 0);
}

/* "a b c" */
static struct str *list(const char *text, size_t *n)
{
	struct str rest = words(text), *v = arena_array(&arena, struct str, 16);

	*n = 0;
	while (rest.p && rest.n)
		v[(*n)++] = str_cut(&rest, ' ');
	return v;
}

static struct elf *add_elf(struct world *w, const char *path, const char *needed)
{
	struct binary *b = arena_new(&arena, struct binary);

	b->path = words(path);
	b->elf.type = ET_DYN;
	b->elf.machine = NATIVE;
	b->elf.bits = 64;
	b->elf.dynamic = true;
	b->elf.needed = list(needed, &b->elf.n_needed);
	w->files[w->n++] = (struct audit_file){
		.path = b->path, .package = -1, .type = PATH_FILE, .mode = 0755, .binary = b};
	return &b->elf;
}

static struct elf *add_library(
	struct world *w, const char *path, const char *soname, const char *needed)
{
	struct elf *elf = add_elf(w, path, needed);

	elf->soname = words(soname);
	return elf;
}

static void add_link(struct world *w, const char *path, const char *to)
{
	w->files[w->n++] = (struct audit_file){
		.path = words(path), .package = -1, .type = PATH_SOFTLINK, .link = words(to)};
}

static void need(struct elf *elf, const char *file, const char *version, bool weak)
{
	if (!elf->needs)
		elf->needs = arena_array(&arena, struct elf_need, 8);
	elf->needs[elf->n_needs++] = (struct elf_need){words(file), words(version), weak};
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct audit_file *)a)->path, ((const struct audit_file *)b)->path);
}

static struct profile_library libc_of_list[] = {{STR_INIT("libc.so.6"), NULL, 0}};

/* What a test has changed in `profile` and `tree` before, stays. */
static void open_world(struct world *w)
{
	struct err e = {0};

	qsort(w->files, w->n, sizeof *w->files, by_path);
	w->tree.what = "tree";
	w->tree.files = w->files;
	w->tree.n_files = w->n;
	w->profile.name = STR("t");
	if (!w->profile.glibc.n)
		w->profile.glibc = STR("2.17");
	if (!w->root && !w->profile.libraries) {
		libc_of_list[0].versions =
			list("GLIBC_2.2.5 GLIBC_2.17", &libc_of_list[0].n_versions);
		w->profile.has_libraries = true;
		w->profile.libraries = libc_of_list;
		w->profile.n_libraries = 1;
	}
	assert_int_equal(loader_open(&arena, w->root, &w->profile, &w->loader, &e), 0);
	w->world = audit_world_open(&arena, &w->tree, w->loader);
}

static const struct audit_file *file(const struct world *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_is(w->files[i].path, path))
			return &w->files[i];
	return NULL;
}

static void load(struct world *w, const char *program, const char *module, struct load *out)
{
	struct err e = {0};

	if (!w->world)
		open_world(w);
	assert_int_equal(audit_load(w->world, &arena, program ? file(w, program) : NULL,
				 module ? file(w, module) : NULL, false, out, &e),
		0);
}

/* "bin/p lib/a.so host:libc.so.6", then "!libx" for each miss */
static const char *told(const struct load *l)
{
	CLEANUP_BUF b = {0};

	for (size_t i = 0; i < l->n_objects; i++) {
		const struct load_object *o = &l->objects[i];

		buf_printf(&b, i ? " " : "");
		if (o->file)
			buf_str(&b, o->file->path);
		else
			buf_printf(&b, "host:%.*s",
				STR_ARG(o->library->path.n ? o->library->path
							   : o->library->soname));
	}
	for (size_t i = 0; i < l->n_misses; i++) {
		static const char marks[] = "!mkb";

		buf_printf(&b, " %c%.*s", marks[l->misses[i].why], STR_ARG(l->misses[i].name));
	}
	buf_putc(&b, 0);
	return arena_cstr(&arena, str_n(b.p, b.n - 1));
}

static const char *loaded(struct world *w, const char *program, const char *module)
{
	struct load l;

	load(w, program, module, &l);
	return told(&l);
}

/* --- order and names ---------------------------------------------------------------------- */

static void breadth_comes_first(void **state)
{
	struct world w = {0};

	(void)state;
	add_elf(&w, "bin/p", "a.so b.so")->rpath = STR("$ORIGIN/../lib");
	add_library(&w, "lib/a.so", "a.so", "c.so libc.so.6");
	add_library(&w, "lib/b.so", "b.so", "d.so a.so");
	add_library(&w, "lib/c.so", NULL, NULL);
	add_library(&w, "lib/d.so", NULL, "gone.so");
	assert_string_equal(loaded(&w, "bin/p", NULL),
		"bin/p lib/a.so lib/b.so lib/c.so host:libc.so.6 lib/d.so !gone.so");
	loader_close(w.loader);
}

/* A soname is a name as well, of the first that has it; the same file under another name is one. */
static void what_is_loaded_is_not_looked_for(void **state)
{
	struct world w = {0};

	(void)state;
	add_elf(&w, "bin/p", "a.so a.so.1 l.so b.so")->rpath =
		STR("$ORIGIN/../lib:$ORIGIN/../other");
	add_library(&w, "lib/a.so", "a.so.1", NULL);
	add_library(&w, "lib/b.so", NULL, NULL);
	add_library(&w, "other/a.so.1", NULL, NULL);
	add_link(&w, "lib/l.so", "b.so");
	assert_string_equal(loaded(&w, "bin/p", NULL), "bin/p lib/a.so lib/b.so");
	loader_close(w.loader);
}

/* --- rpaths ------------------------------------------------------------------------------- */

/* An rpath holds for what is loaded below, a runpath for its own file alone and in place of rpaths. */
static void rpaths_are_inherited_runpaths_are_not(void **state)
{
	struct world w = {0}, v = {0}, x = {0};
	struct elf *a;

	(void)state;
	add_elf(&w, "bin/p", "a.so")->rpath = STR("$ORIGIN/../lib:$ORIGIN/../deep");
	add_library(&w, "lib/a.so", NULL, "b.so");
	add_library(&w, "deep/b.so", NULL, "c.so");
	add_library(&w, "deep/c.so", NULL, NULL);
	assert_string_equal(loaded(&w, "bin/p", NULL), "bin/p lib/a.so deep/b.so deep/c.so");
	loader_close(w.loader);

	add_elf(&v, "bin/p", "a.so")->runpath = STR("$ORIGIN/../lib:$ORIGIN/../deep");
	add_library(&v, "lib/a.so", NULL, "b.so");
	add_library(&v, "deep/b.so", NULL, NULL);
	assert_string_equal(loaded(&v, "bin/p", NULL), "bin/p lib/a.so !b.so");
	loader_close(v.loader);

	add_elf(&x, "bin/p", "a.so")->rpath = STR("$ORIGIN/../lib:$ORIGIN/../deep");
	a = add_library(&x, "lib/a.so", NULL, "b.so d.so");
	a->runpath = STR("$ORIGIN/own");
	a->rpath = STR("$ORIGIN/../deep"); /* does not count beside it */
	add_library(&x, "deep/b.so", NULL, NULL);
	add_library(&x, "lib/own/d.so", NULL, "e.so");
	add_library(
		&x, "deep/e.so", NULL, NULL); /* through a.so, whose runpath hides only its own */
	assert_string_equal(
		loaded(&x, "bin/p", NULL), "bin/p lib/a.so lib/own/d.so deep/e.so !b.so");
	loader_close(x.loader);
}

/* The one that asks, then who loaded that one, then the program. */
static void the_nearest_rpath_is_first(void **state)
{
	struct world w = {0};

	(void)state;
	add_elf(&w, "bin/p", "a.so")->rpath = STR("$ORIGIN/../lib");
	add_library(&w, "lib/a.so", NULL, "b.so c.so")->rpath = STR("$ORIGIN/x");
	add_library(&w, "lib/b.so", NULL, NULL);
	add_library(&w, "lib/x/b.so", NULL, NULL);
	add_library(&w, "lib/c.so", NULL, NULL);
	assert_string_equal(loaded(&w, "bin/p", NULL), "bin/p lib/a.so lib/x/b.so lib/c.so");
	loader_close(w.loader);
}

static void words_are_expanded(void **state)
{
	static const struct {
		const char *rpath, *found;
	} cases[] = {
		{"$ORIGIN/../lib", "bin/p lib/a.so"},
		{"${ORIGIN}/../lib", "bin/p lib/a.so"},
		{"$ORIGIN/../lib/", "bin/p lib/a.so"},
		{"/nowhere:$ORIGIN/../lib", "bin/p lib/a.so"},
		{"$ORIGIN/../$LIB", "bin/p lib64/a.so"},
		{"$ORIGIN/../${PLATFORM}", "bin/p x86_64/a.so"},
		{"$ORIGINS/../lib", "bin/p !a.so"},
		{"${ORIGIN/../lib", "bin/p !a.so"},
		{"$OTHER/lib", "bin/p !a.so"},
		{"../lib", "bin/p !a.so"}, /* of the working directory */
		{"", "bin/p !a.so"},
		{":", "bin/p !a.so"},
		{"$ORIGIN/../../lib", "bin/p !a.so"}, /* above the tree is nothing */
		{"$ORIGIN/../none/../lib", "bin/p !a.so"},
		{"$ORIGIN/../lib/./../lib", "bin/p lib/a.so"},
		{"/opt/env/lib", "bin/p lib/a.so"},
		{"/opt/env//lib", "bin/p lib/a.so"},
		{"/opt/envy/lib", "bin/p !a.so"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world w = {.tree.prefix = STR("/opt/env/")};

		add_elf(&w, "bin/p", "a.so")->rpath = words(cases[i].rpath);
		add_library(&w, "lib/a.so", NULL, NULL);
		add_library(&w, "lib64/a.so", NULL, NULL);
		add_library(&w, "x86_64/a.so", NULL, NULL);
		assert_string_equal(loaded(&w, "bin/p", NULL), cases[i].found);
		loader_close(w.loader);
	}
}

/* $ORIGIN of a library is the folder it was opened in, of a program the one it lies in. */
static void origins_and_links(void **state)
{
	struct world w = {0};

	(void)state;
	add_link(&w, "bin/p", "../real/p");
	add_elf(&w, "real/p", "a.so")->rpath = STR("$ORIGIN/lib");
	add_link(&w, "real/lib", "../lib");
	add_link(&w, "lib/a.so", "deep/a.so");
	add_library(&w, "lib/deep/a.so", NULL, "b.so")->runpath = STR("$ORIGIN");
	add_library(&w, "lib/b.so", NULL, NULL);
	add_library(&w, "lib/deep/b.so", NULL, NULL);
	assert_string_equal(loaded(&w, "bin/p", NULL), "real/p lib/deep/a.so lib/b.so");
	loader_close(w.loader);
}

static void links_that_lead_nowhere_end(void **state)
{
	struct world w = {.tree.prefix = STR("/opt/env")};

	(void)state;
	add_elf(&w, "bin/p", "a.so b.so c.so d.so")->rpath = STR("$ORIGIN/../lib");
	add_link(&w, "lib/a.so", "a.so");
	add_link(&w, "lib/b.so", "../../b.so");
	add_link(&w, "lib/c.so", "/usr/lib/c.so");
	add_link(&w, "lib/d.so", "/opt/env/x/d.so");
	add_library(&w, "x/d.so", NULL, NULL);
	assert_string_equal(loaded(&w, "bin/p", NULL), "bin/p x/d.so !a.so !b.so !c.so");
	loader_close(w.loader);
}

static void names_with_a_slash_are_paths(void **state)
{
	struct world w = {.tree.prefix = STR("/opt/env")};

	(void)state;
	add_elf(&w, "bin/p", "$ORIGIN/../lib/a.so lib/a.so /opt/env/lib/b.so /lib/c.so")->rpath =
		STR("/opt/env");
	add_library(&w, "lib/a.so", NULL, NULL);
	add_library(&w, "lib/b.so", NULL, NULL);
	assert_string_equal(
		loaded(&w, "bin/p", NULL), "bin/p lib/a.so lib/b.so !lib/a.so !/lib/c.so");
	loader_close(w.loader);
}

/* --- files that are not taken --------------------------------------------------------------- */

static void other_machines_are_passed_over_broken_files_are_not(void **state)
{
	struct world w = {.tree.prefix = STR("/opt/env")};
	struct load l;

	(void)state;
	add_elf(&w, "bin/p", "a.so b.so c.so d.so e.so")->rpath =
		STR("$ORIGIN/../x:$ORIGIN/../lib");
	add_library(&w, "x/a.so", NULL, NULL)->machine = EM_PPC64;
	add_library(&w, "lib/a.so", NULL, NULL);
	add_library(&w, "x/b.so", NULL, NULL)->bits = 32;
	add_library(&w, "x/c.so", NULL, NULL);
	((struct binary *)w.files[w.n - 1].binary)->fault = STR("broken");
	add_library(&w, "lib/c.so", NULL, NULL);
	w.files[w.n++] = (struct audit_file){
		.path = STR("x/d.so"), .package = -1, .type = PATH_FILE}; /* GROUP ( ... ) */
	add_library(&w, "lib/d.so", NULL, NULL);
	add_library(&w, "x/e.so", NULL, NULL)->type = ET_REL;
	load(&w, "bin/p", NULL, &l);
	assert_string_equal(told(&l), "bin/p lib/a.so mb.so bc.so bd.so be.so");
	assert_ptr_equal(l.misses[0].passed, file(&w, "x/b.so"));
	assert_ptr_equal(l.misses[2].passed, file(&w, "x/d.so"));
	loader_close(w.loader);
}

/* Loaders up to 2.35 look at .note.ABI-tag of libraries, not of the program. */
static void what_is_no_library_stands_in_the_way(void **state)
{
	struct world w = {0};
	struct load l;

	(void)state;
	add_elf(&w, "bin/p", "liba.so libb.so libc1.so")->runpath =
		words("$ORIGIN/../one:$ORIGIN/../two");
	add_elf(&w, "one/liba.so/part.so", NULL);
	add_library(&w, "two/liba.so", "liba.so", NULL);
	add_library(&w, "one/libb.so", "libb.so", NULL)->dynamic = false;
	add_library(&w, "two/libb.so", "libb.so", NULL);
	add_link(&w, "one/libc1.so", "liba.so");
	add_library(&w, "two/libc1.so", "libc1.so", NULL);
	open_world(&w);
	load(&w, "bin/p", NULL, &l);
	assert_int_equal(l.n_objects, 1);
	assert_int_equal(l.n_misses, 3);
	assert_int_equal(l.misses[0].why, PASSED_FOLDER);
	assert_true(str_is(l.misses[0].folder, "one/liba.so"));
	assert_int_equal(l.misses[1].why, PASSED_BROKEN);
	assert_ptr_equal(l.misses[1].passed, file(&w, "one/libb.so"));
	assert_int_equal(l.misses[2].why, PASSED_FOLDER);
	loader_close(w.loader);
}

static void kernels_that_are_too_old(void **state)
{
	struct str *linux3 = list("__linux=3.10.0", &(size_t){0});

	(void)state;
	for (int newer = 0; newer < 2; newer++) {
		struct world w = {.profile = {.glibc = newer ? STR("2.36") : STR("2.35"),
					  .virtual_packages = linux3,
					  .n_virtual_packages = 1}};
		struct elf *elf = add_elf(&w, "bin/p", "a.so b.so");

		*elf = (struct elf){.type = ET_DYN,
			.machine = NATIVE,
			.bits = 64,
			.dynamic = true,
			.needed = elf->needed,
			.n_needed = 2,
			.rpath = STR("$ORIGIN"),
			.has_kernel = true,
			.kernel = {4, 0, 0}};
		elf = add_library(&w, "bin/a.so", NULL, NULL);
		elf->has_kernel = true;
		memcpy(elf->kernel, (unsigned[]){3, 10, 1}, sizeof elf->kernel);
		elf = add_library(&w, "bin/b.so", NULL, NULL);
		elf->has_kernel = true;
		memcpy(elf->kernel, (unsigned[]){3, 10, 0}, sizeof elf->kernel);
		assert_string_equal(loaded(&w, "bin/p", NULL),
			newer ? "bin/p bin/a.so bin/b.so" : "bin/p bin/b.so ka.so");
		loader_close(w.loader);
	}
}

/* --- versions ----------------------------------------------------------------------------- */

static void versions_are_looked_up_in_what_was_loaded(void **state)
{
	struct world w = {0};
	struct elf *p, *a;
	struct load l;

	(void)state;
	p = add_elf(&w, "bin/p", "a.so plain.so libc.so.6");
	p->rpath = STR("$ORIGIN/../lib");
	need(p, "a.so", "A_1", false);
	need(p, "a.so", "A_2", false);
	need(p, "a.so", "A_3", true);
	need(p, "plain.so", "X_1", false);
	need(p, "libc.so.6", "GLIBC_2.17", false);
	need(p, "libc.so.6", "GLIBC_2.18", false);
	a = add_library(&w, "lib/a.so", NULL, NULL);
	a->defines = list("A_0 A_1", &a->n_defines);
	need(a, "libc.so.6", "GLIBC_2.28", false); /* of one that it does not name itself */
	add_library(&w, "lib/plain.so", NULL, NULL);
	load(&w, "bin/p", NULL, &l);
	assert_int_equal(l.n_misses, 0);
	assert_int_equal(l.n_lacks, 4);
	assert_true(str_is(l.lacks[0].need->version, "A_2"));
	assert_false(l.lacks[0].unversioned);
	assert_int_equal(l.lacks[0].in, 1);
	assert_true(str_is(l.lacks[1].need->version, "X_1"));
	assert_true(l.lacks[1].unversioned);
	assert_true(str_is(l.lacks[2].need->version, "GLIBC_2.18"));
	assert_int_equal(l.lacks[3].by, 1);
	assert_true(str_is(l.lacks[3].need->version, "GLIBC_2.28"));
	loader_close(w.loader);
}

/* The loader has no answer to that but to end; a library that is missing is told once. */
static void a_version_of_what_nobody_loads(void **state)
{
	struct world w = {0};
	struct elf *p;

	(void)state;
	p = add_elf(&w, "bin/p", "gone.so a.so");
	p->rpath = STR("$ORIGIN");
	need(p, "gone.so", "A_1", false);
	need(p, "gone.so", "A_2", false);
	need(p, "other.so", "A_1", false);
	need(p, "a.so.1", "A_1", false); /* its soname, which nobody asked for */
	add_library(&w, "bin/a.so", "a.so.1", NULL);
	assert_string_equal(loaded(&w, "bin/p", NULL), "bin/p bin/a.so !gone.so !other.so !a.so.1");
	loader_close(w.loader);
}

/* --- modules ------------------------------------------------------------------------------ */

static void modules_come_to_what_the_program_has(void **state)
{
	struct world w = {0};
	struct load l;

	(void)state;
	add_elf(&w, "bin/p", "z.so.1 libc.so.6")->rpath = STR("$ORIGIN/../lib");
	add_library(&w, "lib/z.so.1", "z.so.1", NULL);
	add_library(&w, "lib/y.so", NULL, "gone.so");
	add_library(&w, "site/m.so", NULL, "z.so.1 y.so")->runpath = STR("$ORIGIN");
	add_library(&w, "site/z.so.1", "z.so.1", NULL);
	add_library(&w, "site/n.so", NULL, "z.so.1 y.so"); /* by the program's rpath */
	load(&w, "bin/p", "site/m.so", &l);
	assert_string_equal(told(&l), "bin/p lib/z.so.1 host:libc.so.6 site/m.so !y.so");
	assert_int_equal(l.module, 3);
	load(&w, "bin/p", "site/n.so", &l);
	assert_string_equal(
		told(&l), "bin/p lib/z.so.1 host:libc.so.6 site/n.so lib/y.so !gone.so");
	assert_int_equal(l.objects[3].loader, -1);
	assert_int_equal(l.objects[4].loader, 3);
	assert_true(l.objects[4].by_rpath);
	/* none of which changed the program's */
	load(&w, "bin/p", NULL, &l);
	assert_string_equal(told(&l), "bin/p lib/z.so.1 host:libc.so.6");
	assert_int_equal(l.module, -1);
	load(&w, NULL, "site/m.so", &l);
	assert_string_equal(told(&l), "site/m.so site/z.so.1 !y.so");
	assert_int_equal(l.module, 0);
	/* a library that the program has already */
	load(&w, "bin/p", "lib/z.so.1", &l);
	assert_int_equal(l.module, 1);
	assert_int_equal(l.n_objects, 3);
	loader_close(w.loader);
}

/* --- packages, whose links are not known -------------------------------------------------- */

static void packages_are_found_by_soname(void **state)
{
	struct world w = {.tree.of_packages = true}, v = {0};

	(void)state;
	add_elf(&w, "bin/p", "z.so.1")->rpath = STR("$ORIGIN/../lib");
	add_library(&w, "lib/z.so.1.2.11", "z.so.1", NULL);
	assert_string_equal(loaded(&w, "bin/p", NULL), "bin/p lib/z.so.1.2.11");
	loader_close(w.loader);

	add_elf(&v, "bin/p", "z.so.1")->rpath = STR("$ORIGIN/../lib");
	add_library(&v, "lib/z.so.1.2.11", "z.so.1", NULL);
	assert_string_equal(loaded(&v, "bin/p", NULL), "bin/p !z.so.1");
	loader_close(v.loader);
}

/* --- symbols ------------------------------------------------------------------------------ */

static int symbols_of(
	void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e)
{
	const struct world *w = ctx;

	(void)a;
	(void)e;
	for (size_t i = 0; i < w->n; i++)
		if (w->symbols[i].file == &w->files[file].binary->elf) {
			*out = w->symbols[i].symbols;
			return 1;
		}
	return 0;
}

/* "name", "name@VERSION" (hidden), "name@@VERSION" (the default); needed ones "name@VERSION file". */
static struct elf_symbol symbol(const char *text)
{
	struct str rest = words(text), file = {NULL, 0};
	struct elf_symbol s = {0};
	struct str head = str_cut(&rest, ' ');

	file = rest;
	s.name = str_cut(&head, '@');
	s.hidden = head.n && head.p[0] != '@';
	s.version = head.n && head.p[0] == '@' ? str_sub(head, 1, head.n) : head;
	s.file = file;
	s.function = true;
	return s;
}

static struct elf_symbols *symbols(struct world *w, const struct elf *elf)
{
	size_t i = 0;

	while (w->symbols[i].file && w->symbols[i].file != elf)
		i++;
	w->symbols[i].file = elf;
	if (!w->symbols[i].symbols.defined) {
		w->symbols[i].symbols.defined = arena_array(&arena, struct elf_symbol, 16);
		w->symbols[i].symbols.undefined = arena_array(&arena, struct elf_symbol, 16);
	}
	return &w->symbols[i].symbols;
}

static void has(struct world *w, const struct elf *elf, const char *text)
{
	struct elf_symbols *s = symbols(w, elf);

	s->defined[s->n_defined++] = symbol(text);
}

static struct elf_symbol *wants(struct world *w, const struct elf *elf, const char *text)
{
	struct elf_symbols *s = symbols(w, elf);

	s->undefined[s->n_undefined] = symbol(text);
	s->undefined[s->n_undefined].hidden = false;
	return &s->undefined[s->n_undefined++];
}

/* "a b@V", with "!" behind what is not lazy */
static const char *unresolved(struct world *w, const char *program, const char *module)
{
	CLEANUP_BUF b = {0};
	struct err e = {0};
	struct load l;

	w->tree.symbols = symbols_of;
	w->tree.ctx = w;
	if (!w->world)
		open_world(w);
	assert_int_equal(audit_load(w->world, &arena, file(w, program),
				 module ? file(w, module) : NULL, true, &l, &e),
		0);
	for (size_t i = 0; i < l.n_symbols; i++)
		buf_printf(&b, "%s%.*s%s%.*s%s", i ? " " : "", STR_ARG(l.symbols[i].name),
			l.symbols[i].version.n ? "@" : "", STR_ARG(l.symbols[i].version),
			l.symbols[i].lazy ? "" : "!");
	return arena_cstr(&arena, buf_view(&b));
}

static void symbols_by_version(void **state)
{
	struct world w = {0};
	struct elf *p, *a, *plain;

	(void)state;
	p = add_elf(&w, "bin/p", "a.so plain.so");
	p->rpath = STR("$ORIGIN/../lib");
	a = add_library(&w, "lib/a.so", NULL, NULL);
	a->defines = list("A_1 A_2", &a->n_defines);
	plain = add_library(&w, "lib/plain.so", NULL, NULL);
	need(plain, "a.so", "A_1", false); /* so that it has versions, if none of its own */
	symbols(&w, plain);
	has(&w, a, "f@A_1");
	has(&w, a, "f@@A_2");
	has(&w, a, "old@A_1");
	has(&w, a, "new@@A_2");
	has(&w, a, "late@A_2");
	has(&w, a, "none");
	has(&w, plain, "plain");
	has(&w, plain, "shy");
	symbols(&w, plain)->defined[1].hidden = true;
	wants(&w, p, "f@A_1 a.so");
	wants(&w, p, "f@A_2 a.so");
	wants(&w, p, "f@A_3 a.so");   /* missing */
	wants(&w, p, "old@A_2 a.so"); /* missing */
	wants(&w, p, "none@A_2 a.so");
	wants(&w, p, "plain@A_1 a.so"); /* one without a version is as good */
	wants(&w, p, "shy@A_1 a.so");   /* missing */
	wants(&w, p, "old");  /* without a version the first one is meant, hidden or not */
	wants(&w, p, "new");  /* or the default */
	wants(&w, p, "late"); /* missing */
	wants(&w, p, "gone")->weak = true;
	wants(&w, p, "gone")->function = false; /* missing, at once */
	assert_string_equal(unresolved(&w, "bin/p", NULL), "f@A_3 old@A_2 shy@A_1 late gone!");
	loader_close(w.loader);
}

/* A module sees what the program brings; the program does not see what a module brings. */
static void symbols_of_modules(void **state)
{
	struct world w = {0};
	struct elf *p, *m, *a;

	(void)state;
	p = add_elf(&w, "bin/p", NULL);
	a = add_library(&w, "site/a.so", NULL, NULL);
	m = add_library(&w, "site/m.so", NULL, "a.so");
	m->runpath = STR("$ORIGIN");
	m->bind_now = true;
	has(&w, p, "api");
	has(&w, a, "a");
	wants(&w, p, "a");
	wants(&w, m, "api");
	wants(&w, m, "a");
	wants(&w, m, "gone");
	wants(&w, a, "api");
	assert_string_equal(unresolved(&w, "bin/p", "site/m.so"), "a gone!");
	assert_string_equal(unresolved(&w, "bin/p", NULL), "a");
	loader_close(w.loader);
}

/* A copy of a variable does not do for itself, but for others. */
static void symbols_that_are_copied(void **state)
{
	struct world w = {0};
	struct elf *p, *a;

	(void)state;
	p = add_elf(&w, "bin/p", "a.so");
	p->rpath = STR("$ORIGIN");
	a = add_library(&w, "bin/a.so", NULL, NULL);
	has(&w, p, "here");
	has(&w, p, "gone");
	has(&w, a, "here");
	wants(&w, p, "here");
	wants(&w, p, "gone");
	wants(&w, a, "gone");
	assert_string_equal(unresolved(&w, "bin/p", NULL), "gone");
	loader_close(w.loader);
}

/* Who knows what a library has that is missing, or that only a list knows? */
static void what_is_not_certain_is_not_told(void **state)
{
	struct world w = {0};
	struct elf *p, *a;

	(void)state;
	p = add_elf(&w, "bin/p", "a.so libc.so.6 gone.so");
	p->rpath = STR("$ORIGIN");
	a = add_library(&w, "bin/a.so", NULL, NULL);
	a->defines = list("A_1", &a->n_defines);
	symbols(&w, a);
	wants(&w, p, "puts@GLIBC_2.2.5 libc.so.6");
	wants(&w, p, "g@G_1 gone.so");
	wants(&w, p, "any");
	wants(&w, p, "a@A_1 a.so"); /* that one is known */
	assert_string_equal(unresolved(&w, "bin/p", NULL), "a@A_1");
	loader_close(w.loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(breadth_comes_first, release),
		cmocka_unit_test_teardown(what_is_loaded_is_not_looked_for, release),
		cmocka_unit_test_teardown(rpaths_are_inherited_runpaths_are_not, release),
		cmocka_unit_test_teardown(the_nearest_rpath_is_first, release),
		cmocka_unit_test_teardown(words_are_expanded, release),
		cmocka_unit_test_teardown(origins_and_links, release),
		cmocka_unit_test_teardown(links_that_lead_nowhere_end, release),
		cmocka_unit_test_teardown(names_with_a_slash_are_paths, release),
		cmocka_unit_test_teardown(
			other_machines_are_passed_over_broken_files_are_not, release),
		cmocka_unit_test_teardown(what_is_no_library_stands_in_the_way, release),
		cmocka_unit_test_teardown(kernels_that_are_too_old, release),
		cmocka_unit_test_teardown(versions_are_looked_up_in_what_was_loaded, release),
		cmocka_unit_test_teardown(a_version_of_what_nobody_loads, release),
		cmocka_unit_test_teardown(modules_come_to_what_the_program_has, release),
		cmocka_unit_test_teardown(packages_are_found_by_soname, release),
		cmocka_unit_test_teardown(symbols_by_version, release),
		cmocka_unit_test_teardown(symbols_of_modules, release),
		cmocka_unit_test_teardown(symbols_that_are_copied, release),
		cmocka_unit_test_teardown(what_is_not_certain_is_not_told, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

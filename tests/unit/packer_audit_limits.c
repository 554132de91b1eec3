/* Trees that take long, or much memory, where work is done once more for each of many: what they take is bounded. */
#include "base/log.h"
#include "packer/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <elf.h>

enum { MANY = 65000, LIBRARIES = 4000, SECONDS = 20 };

static struct arena arena;

static int release(void **state)
{
	(void)state;
	alarm(0);
	arena_release(&arena);
	return 0;
}

struct made {
	struct audit_file *files;
	struct audit_tree tree;
	struct profile profile;
	struct audit audit;
};

#define HEAD                                                                   \
	"name: lab\nsubdir: linux-64\nlibraries: {libc.so.6: [GLIBC_2.2.5]}\n" \
	"virtual-packages:\n- __glibc=2.17\n- __linux=3.10.0\n- __archspec=1=x86_64\n"

static struct made *make(size_t most)
{
	static const struct audit_package package = {
		.name = STR_INIT("one"), .dist = STR_INIT("one-1-0")};
	struct made *m = arena_new(&arena, struct made);
	struct err e = {0};

	m->files = arena_array(&arena, struct audit_file, most);
	m->tree = (struct audit_tree){
		.what = "made", .packages = &package, .n_packages = 1, .prefix = STR("/env")};
	m->tree.files = m->files;
	assert_int_equal(profile_parse(&arena, "lab.yml", STR(HEAD), &m->profile, &e), 0);
	return m;
}

static struct elf *add(struct made *m, struct str path)
{
	struct binary *b = arena_new(&arena, struct binary);

	b->path = path;
	b->elf = (struct elf){.type = ET_DYN,
		.machine = EM_X86_64,
		.bits = 64,
		.dynamic = true,
		.stack = STACK_PLAIN};
	m->files[m->tree.n_files++] = (struct audit_file){
		.path = path, .package = 0, .type = PATH_FILE, .mode = 0755, .binary = b};
	return &b->elf;
}

/* PREFIX0SUFFIX and so on */
static void need(struct elf *elf, const char *prefix, const char *suffix, size_t first, size_t n)
{
	elf->needed = arena_array(&arena, struct str, n);
	for (; elf->n_needed < n; elf->n_needed++)
		elf->needed[elf->n_needed] =
			arena_strf(&arena, "%s%zu%s", prefix, first + elf->n_needed, suffix);
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct audit_file *)a)->path, ((const struct audit_file *)b)->path);
}

/* Whoever takes longer is ended by the alarm. */
static int run(struct made *m, struct err *e)
{
	struct audit_options o = {.profile = &m->profile};

	qsort(m->files, m->tree.n_files, sizeof *m->files, by_path);
	alarm(SECONDS);
	return audit_run(&arena, &m->tree, &o, &m->audit, e);
}

static void libraries_that_nobody_has(void **state)
{
	struct made *m = make(100);
	struct elf *python = add(m, STR("bin/python3.9"));
	struct err e = {0};

	(void)state;
	python->interpreter = STR("/lib64/ld-linux-x86-64.so.2");
	need(python, "libgone-", ".so.1", 0, MANY);
	for (size_t i = 0; i < 60; i++)
		need(add(m, arena_strf(&arena, "lib/python3.9/m%02zu.so", i)), "libgone-", ".so.1",
			i * MANY, MANY);
	assert_int_equal(run(m, &e), 0);
	/* enough of each is told, and each is */
	assert_in_range(m->audit.n_findings, 61, 61 * 256);
	assert_true(arena_used(&arena) < (size_t)1 << 30);
}

static void versions_that_a_library_lacks(void **state)
{
	struct made *m = make(8);
	struct elf *v = add(m, STR("lib/libv.so.1"));
	struct err e = {0};

	(void)state;
	v->soname = STR("libv.so.1");
	v->defines = arena_array(&arena, struct str, MANY);
	for (; v->n_defines < MANY; v->n_defines++)
		v->defines[v->n_defines] = arena_strf(&arena, "V_%zu", v->n_defines);
	for (size_t i = 0; i < 4; i++) {
		struct elf *x = add(m, arena_strf(&arena, "lib/python3.9/m%zu.so", i));

		x->rpath = STR("$ORIGIN/..");
		need(x, "libv.so.", "", 1, 1);
		x->needs = arena_array(&arena, struct elf_need, MANY);
		for (; x->n_needs < MANY; x->n_needs++)
			x->needs[x->n_needs] = (struct elf_need){STR("libv.so.1"),
				arena_strf(&arena, "V_%zu", x->n_needs + (i ? 0 : MANY)), false};
	}
	assert_int_equal(run(m, &e), 0);
	assert_in_range(m->audit.n_findings, 1, 256);
	assert_string_equal(arena_cstr(&arena, m->audit.findings[0].path), "lib/python3.9/m0.so");
	assert_string_equal(arena_cstr(&arena, m->audit.findings[0].has), "V_64999");
}

/* Each of many modules loads each of many libraries: honest ones are far from that. */
static void modules_that_all_load_everything(void **state)
{
	struct made *m = make((size_t)2 * LIBRARIES);
	struct err e = {0};
	size_t before;

	(void)state;
	for (size_t i = 0; i < LIBRARIES; i++) {
		struct elf *x = add(m, arena_strf(&arena, "lib/libx%zu.so", i));

		x->soname = arena_strf(&arena, "libx%zu.so", i);
		x->rpath = STR("$ORIGIN");
		need(x, "libx", ".so", i + 1, i + 1 < LIBRARIES);
		x = add(m, arena_strf(&arena, "lib/python3.9/m%04zu.so", i));
		x->rpath = STR("$ORIGIN/..");
		need(x, "libx", ".so", 0, 1);
	}
	before = arena_used(&arena);
	assert_int_equal(run(m, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	assert_non_null(strstr(e.text, "more libraries, and paths to look for them"));
	assert_true(arena_used(&arena) - before < (size_t)64 << 20);
	err_release(&e);
}

/* A path of many folders is gone through for each of many names. */
static void long_paths_for_many_names(void **state)
{
	struct made *m = make(4096);
	struct elf *x = add(m, STR("lib/python3.9/m.so"));
	struct str path = {0};
	struct err e = {0};
	int r;

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		path = arena_strf(&arena, "%.*s%s$ORIGIN/q%zu", STR_ARG(path), i ? ":" : "", i);
		m->files[m->tree.n_files++] =
			(struct audit_file){.path = arena_strf(&arena, "lib/python3.9/q%zu/x", i),
				.package = 0,
				.type = PATH_FILE};
	}
	x->runpath = path;
	need(x, "libgone-", ".so.1", 0, MANY);
	r = run(m, &e);
	assert_int_equal(r, 0);
	assert_in_range(m->audit.n_findings, 1, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(libraries_that_nobody_has, release),
		cmocka_unit_test_teardown(versions_that_a_library_lacks, release),
		cmocka_unit_test_teardown(modules_that_all_load_everything, release),
		cmocka_unit_test_teardown(long_paths_for_many_names, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

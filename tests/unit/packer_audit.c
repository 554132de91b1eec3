/* What an audit makes of findings: levels, ignores, their order; and rules that no compiler here makes files for. */
#include "base/log.h"
#include "images/libc.h"
#include "images/targets.h"
#include "packer/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <elf.h>

static struct arena arena;

/* --- made by hand --------------------------------------------------------------------------- */

enum { FILES_MAX = 64 };

struct made {
	struct audit_package packages[2];
	struct audit_file files[FILES_MAX];
	struct binary binaries[FILES_MAX];
	struct audit_tree tree;
	struct profile profile;
	struct audit audit;
};

#define HEAD                                                                                   \
	"name: lab\nsubdir: linux-64\n"                                                        \
	"libraries: {libc.so.6: [GLIBC_2.2.5], ld-linux-x86-64.so.2: []}\nvirtual-packages:\n" \
	"- __glibc=2.17\n- __linux=3.10.0\n- __archspec=1=x86_64\n"

static struct made *make(const char *profile)
{
	struct made *m = arena_new(&arena, struct made);
	struct err e = {0};

	m->packages[0] = (struct audit_package){.name = STR("one"), .dist = STR("one-1-0")};
	m->packages[1] = (struct audit_package){.name = STR("two"), .dist = STR("two-2-0")};
	m->tree = (struct audit_tree){.what = "made",
		.packages = m->packages,
		.n_packages = 2,
		.files = m->files,
		.prefix = STR("/env")};
	if (profile_parse(&arena, "lab.yml", str_of(profile), &m->profile, &e) < 0)
		fail_msg("%s", e.text);
	return m;
}

/* A shared library that needs nothing; paths have to come in their order. */
static struct elf *add(struct made *m, const char *path, int package)
{
	size_t i = m->tree.n_files++;
	struct binary *b = &m->binaries[i];

	assert_true(i < FILES_MAX && (i == 0 || str_cmp(m->files[i - 1].path, str_of(path)) < 0));
	b->path = str_of(path);
	b->elf = (struct elf){.type = ET_DYN,
		.machine = EM_X86_64,
		.bits = 64,
		.dynamic = true,
		.stack = STACK_PLAIN};
	m->files[i] = (struct audit_file){
		.path = b->path, .package = package, .type = PATH_FILE, .mode = 0755, .binary = b};
	return &b->elf;
}

static void need(struct elf *elf, const char *file, const char *version)
{
	elf->needed = arena_array(&arena, struct str, 1);
	elf->needed[0] = str_of(file);
	elf->n_needed = 1;
	if (!version)
		return;
	elf->needs = arena_array(&arena, struct elf_need, 1);
	elf->needs[0] = (struct elf_need){str_of(file), str_of(version), false};
	elf->n_needs = 1;
}

static void run(struct made *m, const struct audit_ignore *ignores, size_t n)
{
	struct audit_options o = {.profile = &m->profile, .ignores = ignores, .n_ignores = n};
	struct err e = {0};

	if (audit_run(&arena, &m->tree, &o, &m->audit, &e) < 0)
		fail_msg("%s", e.text);
}

static const struct audit_finding *found(
	const struct made *m, enum audit_rule rule, const char *path)
{
	for (size_t i = 0; i < m->audit.n_findings; i++)
		if (m->audit.findings[i].rule == rule && str_is(m->audit.findings[i].path, path))
			return &m->audit.findings[i];
	return NULL;
}

static enum audit_level level(const struct made *m, enum audit_rule rule, const char *path)
{
	const struct audit_finding *f = found(m, rule, path);

	return f ? f->level : LEVEL_OFF;
}

/* --- policy --------------------------------------------------------------------------------- */

static struct made *three_errors(const char *profile)
{
	struct made *m = make(profile);

	need(add(m, "lib/a.so", 0), "libc.so.6", "GLIBC_2.28");
	add(m, "lib/b.so", 1)->isa_needed = ELF_ISA_V3;
	need(add(m, "lib/c.so", -1), "libnone.so.1", NULL);
	return m;
}

static void the_worst_comes_first(void **state)
{
	struct made *m = three_errors(HEAD);
	const struct audit_finding *f;

	(void)state;
	run(m, NULL, 0);
	f = m->audit.findings;
	assert_int_equal(m->audit.n_findings, 3);
	assert_int_equal(f[0].rule, RULE_VERSION);
	assert_true(str_is(f[0].text,
		"'lib/a.so' of package 'one-1-0' needs GLIBC_2.28 of libc.so.6; hosts of target "
		"'lab' have GLIBC_2.2.5 at most"));
	assert_true(str_find(f[0].advice, STR("older build of 'one'")) >= 0);
	assert_true(str_find(f[0].advice, STR("'rocky8' is the nearest")) >= 0);
	assert_true(str_is(f[0].processes[0], "lib/a.so"));
	assert_int_equal(f[0].n_processes, 1);
	assert_int_equal(f[1].rule, RULE_ISA);
	assert_int_equal(f[2].level, LEVEL_WARNING);
	assert_true(str_is(f[2].text,
		"'lib/c.so' needs the library libnone.so.1, which no package brings and target "
		"'lab' does not list"));
	assert_int_equal(m->audit.n_of[LEVEL_ERROR], 2);
	assert_int_equal(m->audit.n_floors, 1);
	assert_true(str_is(m->audit.floors[0].glibc, "2.28"));
}

static void the_newest_version_comes_first(void **state)
{
	static const char *const versions[] = {
		"GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.28", "GLIBC_2.3.4"};
	static const char *const sorted[] = {
		"GLIBC_2.34", "GLIBC_2.28", "GLIBC_2.4", "GLIBC_2.3.4"};
	struct made *m = make(HEAD);
	struct elf *x = add(m, "lib/a.so", 0);

	(void)state;
	need(x, "libc.so.6", NULL);
	x->needs = arena_array(&arena, struct elf_need, 4);
	for (; x->n_needs < 4; x->n_needs++)
		x->needs[x->n_needs] =
			(struct elf_need){STR("libc.so.6"), str_of(versions[x->n_needs]), false};
	run(m, NULL, 0);
	assert_int_equal(m->audit.n_findings, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(str_is(m->audit.findings[i].needs, sorted[i]));
	assert_true(str_find(m->audit.findings[0].advice, STR("'rocky9' is the nearest")) >= 0);
}

/* What every target of the list promises to programs for any Linux (manylinux), and what its glibc is of. */
static void shipped_lists_hold_what_wheels_may_need(void **state)
{
	static const char *const names[] = {"libc.so.6", "libm.so.6", "libpthread.so.0",
		"libdl.so.2", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libutil.so.1",
		"libresolv.so.2", "libnsl.so.1", "libX11.so.6", "libXext.so.6", "libXrender.so.1",
		"libICE.so.6", "libSM.so.6", "libGL.so.1", "libgobject-2.0.so.0",
		"libgthread-2.0.so.0", "libglib-2.0.so.0", "ld-linux-x86-64.so.2"};
	size_t looked = 0;

	(void)state;
	for (size_t t = 0; t < N_TARGETS; t++) {
		struct made *m = make(HEAD);
		struct err e = {0};

		assert_int_equal(profile_parse(&arena, "", target_text(t), &m->profile, &e), 0);
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			char *path = arena_printf(&arena, "lib/%02zu.so", i);

			/* from RHEL 8 on it is a package of its own that hosts need not have */
			if (str_is(str_of(names[i]), "libnsl.so.1") &&
				glibc_cmp(m->profile.glibc, STR("2.28")) >= 0)
				continue;
			need(add(m, path, 0), names[i], i < 5 ? "GLIBC_2.2.5" : NULL);
		}
		run(m, NULL, 0);
		for (size_t i = 0; i < m->audit.n_findings; i++)
			print_error("%.*s: %.*s\n", STR_ARG(m->profile.name),
				STR_ARG(m->audit.findings[i].text));
		assert_int_equal(m->audit.n_findings, 0);
		assert_true(m->audit.n_processes >= 19);
		looked++;
	}
	assert_int_equal(looked, N_TARGETS);
}

static void a_profile_sets_levels(void **state)
{
	struct made *m =
		three_errors(HEAD "audit: {levels: {version-not-found: info, isa-level: off, "
				  "library-not-found: error}}\n");

	(void)state;
	run(m, NULL, 0);
	assert_int_equal(m->audit.n_findings, 2);
	assert_int_equal(m->audit.findings[0].rule, RULE_LIBRARY);
	assert_int_equal(m->audit.n_of[LEVEL_ERROR], 1);
	assert_int_equal(m->audit.n_of[LEVEL_INFO], 1);
}

static struct audit_ignore ignoring(const char *text)
{
	struct audit_ignore out;
	struct err e = {0};

	if (audit_ignore_parse(str_of(text), &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static void what_is_ignored_keeps_its_reason(void **state)
{
	struct made *m =
		three_errors(HEAD "audit: {ignore: [{rule: '*', pattern: lib/*, reason: all}]}\n");
	struct audit_ignore ignores[] = {ignoring("version-not-found:libc.so.6=by library"),
		ignoring("isa-level:lib/x*=nothing"), ignoring("isa-level:*/b.so=a = b")};

	(void)state;
	run(m, ignores, 3);
	assert_int_equal(m->audit.n_findings, 3);
	assert_int_equal(m->audit.n_ignored, 3);
	assert_int_equal(m->audit.n_of[LEVEL_ERROR], 0);
	assert_true(str_is(found(m, RULE_VERSION, "lib/a.so")->reason, "by library"));
	assert_true(str_is(found(m, RULE_ISA, "lib/b.so")->reason, "a = b"));
	assert_true(str_is(found(m, RULE_LIBRARY, "lib/c.so")->reason, "all"));
	assert_int_equal(m->audit.n_ignores, 4);
	assert_int_equal(m->audit.ignores[1].n, 0);
	assert_int_equal(m->audit.ignores[3].n, 1);
	assert_true(m->audit.ignores[3].of_profile && !m->audit.ignores[0].of_profile);
}

static void ignores_are_refused(void **state)
{
	static const char *const texts[] = {"", "static-tls", "static-tls:x", "static-tls:=x",
		"static-tls:x=", "static-tls:x=  ", "tls:x=y", ":x=y"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct audit_ignore out;
		struct err e = {0};

		assert_int_equal(audit_ignore_parse(str_of(texts[i]), &out, &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
		err_release(&e);
	}
}

/* --- rules ---------------------------------------------------------------------------------- */

static void code_of_gpus(void **state)
{
	static struct elf_gpu older[] = {{70, false}}, newer[] = {{80, false}, {90, true}},
			      ptx[] = {{60, true}}, minor[] = {{86, false}},
			      major[] = {{60, false}};
	static const struct {
		struct elf_gpu *code;
		size_t n;
		bool runs;
	} cases[] = {{older, 1, true}, {newer, 2, false}, {ptx, 1, true}, {minor, 1, false},
		{major, 1, false}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct made *m = make(HEAD "- __cuda=12.4\ngpu: {compute-capability: \"7.5\"}\n");
		struct elf *elf = add(m, "lib/libgpu.so", 0);

		elf->gpu = cases[i].code;
		elf->n_gpu = cases[i].n;
		run(m, NULL, 0);
		assert_int_equal(level(m, RULE_GPU, "lib/libgpu.so"),
			cases[i].runs ? LEVEL_OFF : LEVEL_WARNING);
	}
}

/* glibc before 2.22 has 14 places for what threads hold. */
static void too_many_libraries_with_tls(void **state)
{
	static const struct {
		const char *glibc;
		int n;
		bool is_static;
		enum audit_level level;
	} cases[] = {{"2.12", 15, true, LEVEL_WARNING}, {"2.12", 14, true, LEVEL_OFF},
		{"2.12", 15, false, LEVEL_OFF}, {"2.28", 15, true, LEVEL_OFF}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct made *m = make(arena_printf(&arena,
			"name: lab\nsubdir: linux-64\nvirtual-packages: [__glibc=%s]\nlibraries: "
			"{}\n",
			cases[i].glibc));
		char *last = NULL;

		for (int k = 0; k < cases[i].n; k++) {
			struct elf *elf;

			last = arena_printf(&arena, "lib/python3.6/m%02d.so", k);
			elf = add(m, last, 0);
			elf->tls_size = elf->tls_align = 8;
			elf->static_tls = cases[i].is_static;
		}
		run(m, NULL, 0);
		assert_int_equal(level(m, RULE_STATIC_TLS, last), cases[i].level);
		if (cases[i].level)
			assert_true(str_find(found(m, RULE_STATIC_TLS, last)->advice,
					    STR("LD_PRELOAD=$CONDA_PREFIX/lib/python3.6")) > 0);
	}
}

/* Of a plugin it is certain; what compilers link is there from the start, and then there is room. */
static void much_static_tls(void **state)
{
	struct made *m = make(HEAD);
	struct elf *plugin, *library;

	(void)state;
	library = add(m, "lib/liblsan.so.0", 0);
	library->soname = STR("liblsan.so.0");
	plugin = add(m, "lib/plugin.so", 0);
	library->tls_size = plugin->tls_size = 50000;
	library->tls_align = plugin->tls_align = 16;
	library->static_tls = plugin->static_tls = true;
	run(m, NULL, 0);
	assert_int_equal(level(m, RULE_STATIC_TLS, "lib/liblsan.so.0"), LEVEL_INFO);
	assert_int_equal(level(m, RULE_STATIC_TLS, "lib/plugin.so"), LEVEL_ERROR);
}

/* From 2.41 on an opened library gets no executable stack, unless the program has one. */
static void stacks_of_new_loaders(void **state)
{
	static const struct {
		const char *glibc;
		enum elf_stack program;
		enum audit_level level;
	} cases[] = {{"2.41", STACK_PLAIN, LEVEL_ERROR}, {"2.41", STACK_EXECUTABLE, LEVEL_INFO},
		{"2.40", STACK_PLAIN, LEVEL_INFO}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct made *m = make(arena_printf(&arena,
			"name: lab\nsubdir: linux-64\nvirtual-packages: [__glibc=%s]\nlibraries: "
			"{ld-linux-x86-64.so.2: []}\n",
			cases[i].glibc));
		struct elf *program = add(m, "bin/python3.6", 0);

		program->interpreter = STR("/lib64/ld-linux-x86-64.so.2");
		program->stack = cases[i].program;
		add(m, "lib/python3.6/m.so", 0)->stack = STACK_UNSAID;
		run(m, NULL, 0);
		assert_int_equal(level(m, RULE_STACK, "lib/python3.6/m.so"), cases[i].level);
		assert_int_equal(m->audit.n_processes, 2);
	}
}

/* What a single file needs of its environment, nobody knows. */
static void files_alone(void **state)
{
	struct made *m = make(HEAD);

	(void)state;
	need(add(m, "a.so", -1), "libfoo.so.1", NULL);
	need(add(m, "b.so", -1), "libc.so.6", "GLIBC_2.28");
	m->tree.alone = true;
	run(m, NULL, 0);
	assert_int_equal(level(m, RULE_LIBRARY, "a.so"), LEVEL_INFO);
	assert_int_equal(level(m, RULE_VERSION, "b.so"), LEVEL_ERROR);
}

static void links_are_followed(void **state)
{
	static const struct {
		const char *path, *link, *leads;
	} links[] = {{"a", "b", "real"}, {"b", "dir/../real", "real"}, {"c", "/env/d/x", "dir/x"},
		{"d", "dir", NULL}, {"dir/up", "../../etc", NULL}, {"dir/x", NULL, "dir/x"},
		{"loop", "loop", NULL}, {"out", "/etc/passwd", NULL}, {"real", NULL, "real"},
		{"sub/x", "../d/x", "dir/x"}};
	struct made *m = make(HEAD);

	(void)state;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		add(m, links[i].path, -1);
		if (!links[i].link)
			continue;
		m->files[i].type = PATH_SOFTLINK;
		m->files[i].binary = NULL;
		m->files[i].link = str_of(links[i].link);
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		const struct audit_file *f = audit_tree_find(&m->tree, str_of(links[i].path));

		if (!links[i].leads)
			assert_null(f);
		else if (!f || !str_is(f->path, links[i].leads))
			fail_msg("%s", links[i].path);
	}
	assert_non_null(audit_tree_find(&m->tree, STR("d/x")));
	assert_null(audit_tree_find(&m->tree, STR("d/y")));
	run(m, NULL, 0);
	/* A folder is something, too; what lies outside of the tree is not known. */
	assert_int_equal(level(m, RULE_LINK, "d"), LEVEL_OFF);
	assert_int_equal(level(m, RULE_LINK, "out"), LEVEL_OFF);
	assert_int_equal(level(m, RULE_LINK, "loop"), LEVEL_INFO);
	assert_int_equal(level(m, RULE_LINK, "dir/up"), LEVEL_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_comes_first),
		cmocka_unit_test(the_newest_version_comes_first),
		cmocka_unit_test(shipped_lists_hold_what_wheels_may_need),
		cmocka_unit_test(a_profile_sets_levels),
		cmocka_unit_test(what_is_ignored_keeps_its_reason),
		cmocka_unit_test(ignores_are_refused),
		cmocka_unit_test(code_of_gpus),
		cmocka_unit_test(too_many_libraries_with_tls),
		cmocka_unit_test(much_static_tls),
		cmocka_unit_test(stacks_of_new_loaders),
		cmocka_unit_test(files_alone),
		cmocka_unit_test(links_are_followed),
	};
	int rc;

	log_setup((struct log_options){.quiet = true});
	rc = cmocka_run_group_tests_name("packer_audit", tests, NULL, NULL);
	arena_release(&arena);
	return rc;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "images/compare.h"
#include "images/probe.h"
#include "tests/elf_maker.h"

static struct arena arena;
static char root[] = "/tmp/images_probe.XXXXXX";

static int make_root(void **state)
{
	(void)state;
	memcpy(root + sizeof root - 7, "XXXXXX", 6);
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	struct err e = {0};

	(void)state;
	arena_release(&arena);
	return dir_remove(root, &e);
}

static void write_text(const char *rel, struct str text)
{
	char *path = path_join(&arena, root, rel);
	struct err e = {0};

	assert_int_equal(dir_make(path_dir(&arena, path), &e), 0);
	assert_int_equal(file_write(path, text, 0644, &e), 0);
}

static void write_elf(const char *rel, const struct elf_plan *plan)
{
	CLEANUP_BUF bytes = {0};

	elf_make(&bytes, plan);
	write_text(rel, buf_view(&bytes));
}

static const struct elf_plan libc = {.machine = NATIVE,
	.soname = "libc.so.6",
	.defines = {"libc.so.6", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_PRIVATE"}};

static const char *versions_of(const struct profile *p, const char *soname)
{
	const struct profile_library *l = profile_library(p, str_of(soname));
	CLEANUP_BUF list = {0};

	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n_versions; i++)
		buf_printf(&list, "%.*s ", STR_ARG(l->versions[i]));
	return arena_cstr(&arena, buf_view(&list));
}

static void probe_here(struct profile *p)
{
	struct err e = {0};

	assert_int_equal(probe_root(&arena, root, "lab", p, &e), 0);
}

static void the_loaders_libraries_are_found(void **state)
{
	const struct elf_plan plain = {.machine = NATIVE, .soname = "libz.so.1"},
			      nameless = {.machine = NATIVE},
			      other = {.machine = EM_PPC64, .soname = "libppc.so.1"},
			      bad_words = {.machine = NATIVE,
				      .soname = "libodd.so.1",
				      .defines = {"libodd.so.1", "A,B", "2.0", "ODD_1", "ODD_1"}};
	struct profile p;

	(void)state;
	write_elf("lib64/libc.so.6", &libc);
	write_elf("usr/lib/libz.so.1", &plain);
	write_elf("usr/lib/libz.so.1.2.11", &plain);
	write_elf("usr/lib/libz.so", &plain);
	write_elf("usr/lib/libnameless.so.3", &nameless);
	write_elf("usr/lib/libppc.so.1", &other);
	write_elf("usr/lib/libodd.so.1", &bad_words);
	write_elf("usr/lib/other.so.1", &nameless);
	write_text("usr/lib/libscript.so.1", STR("GROUP ( libc.so.6 )"));
	assert_int_equal(mkfifo(path_join(&arena, root, "usr/lib/libfifo.so.1"), 0644), 0);
	assert_int_equal(
		symlink("/usr/lib/libz.so.1", path_join(&arena, root, "usr/lib/libl.so")), 0);
	probe_here(&p);
	assert_true(str_is(p.glibc, "2.17"));
	assert_string_equal(versions_of(&p, "libc.so.6"), "GLIBC_2.17 GLIBC_2.2.5 ");
	assert_string_equal(versions_of(&p, "libz.so.1"), "");
	assert_string_equal(versions_of(&p, "libnameless.so.3"), "");
	assert_string_equal(versions_of(&p, "libodd.so.1"), "2.0 ODD_1 ");
	assert_int_equal(p.n_libraries, 4);
}

static void folders_of_ld_so_conf_come_first(void **state)
{
	const struct elf_plan first = {.machine = NATIVE,
				      .soname = "libx.so.1",
				      .defines = {"libx.so.1", "FIRST"}},
			      second = {.machine = NATIVE,
				      .soname = "libx.so.1",
				      .defines = {"libx.so.1", "SECOND"}};
	struct profile p;

	(void)state;
	write_elf("lib64/libc.so.6", &libc);
	write_elf("opt/a/libx.so.1", &first);
	write_elf("opt/b/liby.so.1", &(struct elf_plan){.machine = NATIVE});
	write_elf("lib64/libx.so.1", &second);
	write_elf("opt/c/libhidden.so.1", &(struct elf_plan){.machine = NATIVE});
	write_text(
		"etc/ld.so.conf", STR("include ld.so.conf.d/*.conf # all\n\n/opt/b, relative\n"));
	write_text("etc/ld.so.conf.d/a.conf", STR("/opt/a=libc6\ninclude /etc/ld.so.conf\n"));
	write_text("etc/ld.so.conf.d/.c.conf", STR("/opt/c\n"));
	write_text("etc/ld.so.conf.d/c.conf.old", STR("/opt/c\n"));
	probe_here(&p);
	assert_string_equal(versions_of(&p, "libx.so.1"), "FIRST ");
	assert_non_null(versions_of(&p, "liby.so.1"));
	assert_null(versions_of(&p, "libhidden.so.1"));
}

/* A hostile image: 20000 includes of itself at each of eight depths. */
static void a_file_that_includes_itself_ends(void **state)
{
	CLEANUP_BUF text = {0};
	struct profile p;

	(void)state;
	write_elf("lib64/libc.so.6", &libc);
	for (int i = 0; i < 20000; i++)
		buf_puts(&text, "include ld.so.conf\n");
	write_text("etc/ld.so.conf", buf_view(&text));
	alarm(20);
	probe_here(&p);
	alarm(0);
}

static void links_of_a_root_stay_inside(void **state)
{
	struct profile p;

	(void)state;
	write_elf("usr/lib64/libc.so.6", &libc);
	assert_int_equal(symlink("/usr/lib64", path_join(&arena, root, "lib64")), 0);
	assert_int_equal(symlink("../../../../usr/lib", path_join(&arena, root, "lib")), 0);
	probe_here(&p);
	assert_int_equal(p.n_libraries, 1);
}

static void a_root_without_glibc_is_an_error(void **state)
{
	struct err e = {0};
	struct profile p;

	(void)state;
	assert_int_equal(probe_root(&arena, root, NULL, &p, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_non_null(strstr(e.text, "no glibc"));
	err_release(&e);
	assert_int_equal(probe_root(&arena, "/no/such", NULL, &p, &e), -1);
	err_release(&e);
}

/* --- writing ------------------------------------------------------------------------------ */

static struct profile parse(const char *text)
{
	struct profile p;
	struct err e = {0};

	if (profile_parse(&arena, "t.yml", str_of(text), &p, &e) < 0)
		fail_msg("%s", e.text);
	return p;
}

static char *write_profile(const struct profile *p)
{
	CLEANUP_BUF text = {0};

	profile_write(&text, p);
	return arena_cstr(&arena, buf_view(&text));
}

#define HEAD "name: lab\nsubdir: linux-64\nvirtual-packages:\n- __glibc=2.17\n"

static const char full[] =
	HEAD "- __cuda=12.4\ngpu:\n  compute-capability: \"8.0\"\n"
	     "  device-nodes: [/dev/nvidiactl, \"/dev/nvidia[0-9]*\"]\n"
	     "  libraries: [libcuda.so.1]\n  programs: [nvidia-smi]\nlibraries:\n"
	     "  libc.so.6: [GLIBC_2.17, GLIBC_2.2.5]\n  libodd.so.1: [\"2.0\"]\n"
	     "  libz.so.1: []\nfile-system:\n  case-sensitive: true\n"
	     "  noexec: [/dev/shm, \"/a b, \\\"c\\\\\"]\nlimits:\n  open-files: 1024\n"
	     "  stack: unlimited\n";

static void what_is_written_is_read_again(void **state)
{
	struct profile p, again;

	(void)state;
	p = parse(full);
	p = parse(write_profile(&p)); /* sorts */
	again = parse(write_profile(&p));
	assert_string_equal(write_profile(&p), write_profile(&again));
	assert_true(str_is(p.file_system.noexec[0], "/a b, \"c\\"));
	p = parse(HEAD "- __cuda=12\ngpu: {}\nlibraries: {}\n");
	assert_string_equal(write_profile(&p), HEAD "- __cuda=12\ngpu: {}\nlibraries: {}\n");
	p = parse(HEAD);
	assert_string_equal(write_profile(&p), HEAD);
}

/* --- union -------------------------------------------------------------------------------- */

static const char *united(const char *a, const char *b)
{
	const struct profile x = parse(a), y = parse(b);
	const struct profile *const v[] = {&x, &y};
	struct profile out;
	struct err e = {0};

	assert_int_equal(profile_union(&arena, "lab", v, 2, &out, &e), 0);
	return write_profile(&out);
}

static void both_ways(const char *a, const char *b, const char *want)
{
	assert_string_equal(united(a, b), want);
	assert_string_equal(united(b, a), want);
}

#define PACKAGES "name: lab\nsubdir: linux-64\nvirtual-packages:\n- __glibc="

static void the_weakest_is_kept(void **state)
{
	(void)state;
	both_ways(PACKAGES "2.9\n- __linux=4.18.0\n- __archspec=1=x86_64_v3\n",
		PACKAGES "2.17\n- __linux=4.9\n- __archspec=1=x86_64_v2\n",
		PACKAGES "2.9\n- __linux=4.9\n- __archspec=1=x86_64_v2\n");
	/* builds tell nothing of a C library; of others that differ nothing is promised */
	both_ways(PACKAGES "2.17=0\n- __x=1=a\n", PACKAGES "2.9\n- __x=1=b\n", PACKAGES "2.9\n");
	/* one lacks a virtual package; CPUs of which one is not known have nothing in common */
	both_ways(PACKAGES "2.17\n- __cuda=12.4\ngpu: {}\n", PACKAGES "2.17\n", PACKAGES "2.17\n");
	both_ways(PACKAGES "2.17\n- __archspec=1=zen3\n", PACKAGES "2.17\n- __archspec=1=zen9\n",
		PACKAGES "2.17\n");
	both_ways(PACKAGES "2.17\n- __archspec=1=zen3\n", PACKAGES "2.17\n- __archspec=1=skylake\n",
		PACKAGES "2.17\n- __archspec=1=x86_64_v3\n");
	both_ways(PACKAGES "2.17\n- __cuda=12.10\ngpu: {compute-capability: \"9.0\", programs: "
			   "[a, b]}\n",
		PACKAGES "2.17\n- __cuda=12.4\ngpu: {compute-capability: \"10.0\", programs: "
			 "[b, c]}\n",
		PACKAGES "2.17\n- __cuda=12.4\ngpu:\n  compute-capability: \"9.0\"\n  programs: "
			 "[b]\n");
	both_ways(PACKAGES "2.17\nlibraries: {a.so: [A1, A2], b.so: []}\n",
		PACKAGES "2.17\nlibraries: {a.so: [A2, A3], c.so: []}\n",
		PACKAGES "2.17\nlibraries:\n  a.so: [A2]\n");
	both_ways(PACKAGES "2.17\nlibraries: {a.so: []}\n", PACKAGES "2.17\n", PACKAGES "2.17\n");
	both_ways(PACKAGES "2.17\nfile-system: {case-sensitive: false, noexec: [/tmp]}\n",
		PACKAGES "2.17\nfile-system: {case-sensitive: true, noexec: [/a, /tmp]}\n",
		PACKAGES "2.17\nfile-system:\n  case-sensitive: false\n  noexec: [/a, /tmp]\n");
	both_ways(PACKAGES "2.17\nlimits: {open-files: 9, stack: unlimited, processes: 4}\n",
		PACKAGES "2.17\nlimits: {open-files: 10, stack: 8192}\n",
		PACKAGES "2.17\nlimits:\n  open-files: 9\n  stack: 8192\n");
}

static void subdirs_do_not_mix(void **state)
{
	const struct profile x = parse(HEAD);
	const struct profile y =
		parse("name: b\nsubdir: linux-aarch64\nvirtual-packages: [__glibc=2.17]\n");
	const struct profile *const v[] = {&x, &y};
	struct profile out;
	struct err e = {0};

	(void)state;
	assert_int_equal(profile_union(&arena, "u", v, 2, &out, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.text, "linux-aarch64"));
	err_release(&e);
}

/* --- drift -------------------------------------------------------------------------------- */

static const char *drifted(const char *said, const char *has, bool image)
{
	const struct profile x = parse(said), y = parse(has);
	CLEANUP_BUF text = {0};
	struct drifts drifts = {0};
	size_t lacking = 0;

	profile_drift(&arena, &x, &y, image, &drifts);
	for (size_t i = 0; i < drifts.n; i++) {
		lacking += drifts.v[i].lacks;
		buf_printf(&text, "%c%s %s/%s\n", drifts.v[i].lacks ? '-' : '+', drifts.v[i].what,
			drifts.v[i].said, drifts.v[i].has);
	}
	assert_int_equal(lacking, drifts.lacking);
	return arena_cstr(&arena, buf_view(&text));
}

static void drift_is_told_apart(void **state)
{
	const char *said = PACKAGES "2.17\n- __linux=4.18\n- __archspec=1=haswell\n"
				    "- __cuda=12.4\ngpu: {compute-capability: \"8.0\"}\n"
				    "libraries: {a.so: [A1, A2], b.so: [], c.so: []}\n"
				    "file-system: {case-sensitive: true, noexec: [/tmp]}\n"
				    "limits: {open-files: 1024, stack: unlimited}\n";
	const char *has = PACKAGES "2.12\n- __linux=5.14\n- __archspec=1=x86_64_v2\n"
				   "- __cuda=12.10\n- __x=1\ngpu: {compute-capability: \"7.5\"}\n"
				   "libraries: {a.so: [A2, A3], b.so: [B1], d.so: []}\n"
				   "file-system: {case-sensitive: false, noexec: [/a]}\n"
				   "limits: {open-files: 512, stack: 8192}\n";

	(void)state;
	assert_string_equal(drifted(said, said, false), "");
	assert_string_equal(drifted(said, has, false),
		"-__glibc 2.17/2.12\n+__linux 4.18/5.14\n-__archspec haswell/x86_64_v2\n"
		"+__cuda 12.4/12.10\n+__x /1\n-gpu: compute-capability 8.0/7.5\n"
		"-a.so A1/\n+a.so /A3\n+b.so /B1\n-c.so there/\n+libraries /1 more\n"
		"-file-system: case-sensitive true/false\n-file-system: noexec //a\n"
		"+file-system: noexec /tmp/\n-limits: open-files 1024/512\n"
		"-limits: stack unlimited/8192\n");
	assert_string_equal(
		drifted(said, HEAD "libraries: {a.so: [A1, A2], b.so: [], c.so: []}\n", true), "");
	assert_string_equal(drifted(said, HEAD, false),
		"-__linux 4.18/\n-__archspec haswell/\n-__cuda 12.4/\n-a.so there/\n-b.so there/\n"
		"-c.so there/\n+file-system: noexec /tmp/\n-limits: open-files 1024/\n"
		"-limits: stack unlimited/\n");
	assert_string_equal(drifted(HEAD, has, true), "-__glibc 2.17/2.12\n");
}

/* --- GPUs --------------------------------------------------------------------------------- */

static void drivers_are_known_by_their_branch(void **state)
{
	static const struct {
		const char *text, *cuda;
	} cases[] = {
		{"NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22\nGCC 8.5.0",
			"12.4"},
		{"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release",
			"13.0"},
		{"NVRM version: NVIDIA UNIX x86_64 Kernel Module  418.87  Tue", "10.1"},
		{"NVRM version: NVIDIA UNIX x86_64 Kernel Module  304.137", ""},
		{"NVRM version: none", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(str_is(cuda_of_driver(str_of(cases[i].text)), cases[i].cuda));
}

static void only_a_driver_makes_a_gpu(void **state)
{
	const struct probe_cuda none = {0}, some = {.version = STR("12.4")};
	struct profile p = {0};

	(void)state;
	probe_gpu(&arena, &none, &p);
	assert_false(p.gpu.wanted);
	probe_gpu(&arena, &some, &p);
	assert_true(p.gpu.wanted);
	assert_true(
		str_is(p.gpu.libraries[0], "libcuda.so.1")); /* no inventory: all there may be */
}

int main(void)
{
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		IN_ROOT(the_loaders_libraries_are_found),
		IN_ROOT(folders_of_ld_so_conf_come_first),
		IN_ROOT(a_file_that_includes_itself_ends),
		IN_ROOT(links_of_a_root_stay_inside),
		IN_ROOT(a_root_without_glibc_is_an_error),
		IN_ROOT(what_is_written_is_read_again),
		IN_ROOT(the_weakest_is_kept),
		IN_ROOT(subdirs_do_not_mix),
		IN_ROOT(drift_is_told_apart),
		IN_ROOT(drivers_are_known_by_their_branch),
		IN_ROOT(only_a_driver_makes_a_gpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

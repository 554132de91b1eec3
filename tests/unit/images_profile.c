#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "images/host.h"
#include "images/libc.h"
#include "images/probe.h"
#include "images/targets.h"

static struct arena arena;

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void a_whole_profile_is_read(void **state)
{
	struct profile p;
	struct err e = {0};
	struct str text = STR("name: lab\nsubdir: linux-64\n"
			      "virtual-packages: [__glibc=2.17, __unix=0=0]\n"
			      "image: {dockerfile: a.Dockerfile, reference: 'x/y:1', root: r}\n"
			      "pack: {format: tar.zst}\nnetwork: none\n"
			      "file-system: {case-sensitive: false, noexec: [/tmp, /dev/shm]}\n"
			      "libraries: {libz.so.1: [], libc.so.6: [GLIBC_2.4, GLIBC_2.17]}\n"
			      "limits: {open-files: 1024, stack: unlimited}\n");

	(void)state;
	assert_int_equal(profile_parse(&arena, "/p/lab.yml", text, &p, &e), 0);
	assert_true(str_is(p.name, "lab"));
	assert_true(str_is(p.subdir, "linux-64"));
	assert_true(str_is(p.glibc, "2.17"));
	assert_int_equal(p.n_virtual_packages, 2);
	assert_true(str_is(p.virtual_packages[1], "__unix=0=0"));
	assert_true(str_is(p.dockerfile, "a.Dockerfile"));
	assert_true(str_is(p.reference, "x/y:1"));
	assert_string_equal(p.root, "/p/r");
	assert_true(str_is(p.pack_format, "tar.zst"));
	assert_false(p.network);
	assert_false(p.host);
	assert_false(p.gpu.wanted);
	assert_int_equal(p.n_libraries, 2);
	assert_true(str_is(p.libraries[0].soname, "libc.so.6"));
	assert_true(str_is(p.libraries[0].versions[0], "GLIBC_2.17"));
	assert_int_equal(profile_library(&p, STR("libz.so.1"))->n_versions, 0);
	assert_null(profile_library(&p, STR("libz.so")));
	assert_int_equal(p.file_system.names, CASE_INSENSITIVE);
	assert_true(str_is(p.file_system.noexec[0], "/dev/shm"));
	assert_int_equal(p.limits.open_files, 1024);
	assert_int_equal(p.limits.processes, 0);
	assert_true(p.limits.stack == PROFILE_UNLIMITED);
}

static void a_gpu_is_read(void **state)
{
	struct profile p;
	struct err e = {0};
	struct str text =
		STR("name: lab\nsubdir: linux-64\n"
		    "virtual-packages: [__glibc=2.17, __cuda=12.4, __archspec=1=x86_64_v2]\n"
		    "gpu: {compute-capability: \"8.0\", programs: [nvidia-smi],\n"
		    "  device-nodes: [/dev/nvidiactl, '/dev/nvidia[0-9]*'],\n"
		    "  libraries: [libcuda.so.1]}\n");

	(void)state;
	assert_int_equal(profile_parse(&arena, "/p/lab.yml", text, &p, &e), 0);
	assert_true(p.gpu.wanted);
	assert_false(p.has_libraries);
	assert_true(str_is(p.gpu.compute_capability, "8.0"));
	assert_true(str_is(p.gpu.device_nodes[1], "/dev/nvidia[0-9]*"));
	assert_true(str_is(p.gpu.libraries[0], "libcuda.so.1"));
	assert_true(str_is(p.gpu.programs[0], "nvidia-smi"));
	assert_true(str_is(profile_virtual(&p, "__cuda"), "__cuda=12.4"));
	assert_true(str_is(profile_virtual_version(&p, "__cuda"), "12.4"));
	assert_int_equal(profile_virtual_build(&p, "__cuda").n, 0);
	assert_true(str_is(profile_virtual_build(&p, "__archspec"), "x86_64_v2"));
	assert_int_equal(profile_virtual_version(&p, "__osx").n, 0);
}

static void an_audit_is_read(void **state)
{
	struct profile p, again;
	struct buf written = {0};
	struct err e = {0};
	struct str text =
		STR("name: lab\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17]\n"
		    "audit:\n  levels: {static-tls: error, isa-level: off}\n"
		    "  executable-stack: forbidden\n  text-relocations: allowed\n"
		    "  ignore:\n  - {rule: library-not-found, pattern: 'libX*', reason: no "
		    "\\screens}\n"
		    "  - {rule: '*', pattern: bin/x, reason: '\"unused\"'}\n");

	(void)state;
	if (profile_parse(&arena, "t.yml", text, &p, &e) < 0)
		fail_msg("%s", e.text);
	for (int round = 0; round < 2; round++) {
		const struct profile_audit *a = &p.audit;

		assert_true(a->set[RULE_STATIC_TLS] && a->set[RULE_ISA] && !a->set[RULE_VERSION]);
		assert_int_equal(a->level[RULE_STATIC_TLS], LEVEL_ERROR);
		assert_int_equal(a->level[RULE_ISA], LEVEL_OFF);
		assert_true(a->forbids_executable_stack && !a->forbids_text_relocations);
		assert_int_equal(a->n_ignores, 2);
		assert_int_equal(a->ignores[0].rule, RULE_LIBRARY);
		assert_true(str_is(a->ignores[0].pattern, "libX*"));
		assert_true(str_is(a->ignores[0].reason, "no \\screens"));
		assert_int_equal(a->ignores[1].rule, AUDIT_RULES);
		assert_true(str_is(a->ignores[1].reason, "\"unused\""));
		/* And so is what is written of it. */
		buf_clear(&written);
		profile_write(&written, &p);
		assert_int_equal(profile_parse(&arena, "t.yml",
					 arena_str(&arena, buf_view(&written)), &again, &e),
			0);
		p = again;
	}
	buf_release(&written);
}

#define HEAD  "name: lab\nsubdir: linux-64\n"
#define GLIBC "virtual-packages:\n- __glibc=2.17\n"
#define CUDA  "virtual-packages: [__glibc=2.17, __cuda=12.4]\n"

static const struct fault {
	const char *text, *message, *advice;
} faults[] = {
	{"", "t.yml:1:1: ", "name:"},
	{"- a\n", "t.yml:1:1: the target profile must be a map", NULL},
	{HEAD, "t.yml:1:1: target 'lab' does not say which glibc it has", "- __glibc=2.17"},
	{HEAD "virtual-packages:\n- __unix=0=0\n",
		"t.yml:4:1: target 'lab' does not say which glibc it has",
		"add '- __glibc=2.17' under 'virtual-packages:'"},
	{GLIBC "name: x\n", "t.yml:1:1: the target has no 'subdir:'", "subdir: linux-64"},
	{GLIBC "subdir: linux-64\n", "t.yml:1:1: the target has no 'name:'", NULL},
	{HEAD GLIBC "glibc: 2\n", "t.yml:5:1: unknown key 'glibc'", NULL},
	{HEAD GLIBC "image: {file: 2}\n", "t.yml:5:9: unknown key 'file' in 'image'", NULL},
	{HEAD GLIBC "pack:\n  format: zip\n", "t.yml:6:11: unknown format 'zip'", NULL},
	{HEAD GLIBC "pack: zip\n", "t.yml:5:7: 'pack' must be a map", NULL},
	{HEAD GLIBC "network: maybe\n", "t.yml:5:10: 'network' is", NULL},
	{HEAD GLIBC "- glibc=2\n", "t.yml:5:3: a virtual package's name", NULL},
	{HEAD GLIBC "- __cuda\n", "t.yml:5:3: a virtual package reads", NULL},
	{HEAD GLIBC "- __cuda=\n", "t.yml:5:3: a virtual package reads", NULL},
	{HEAD GLIBC "- __cuda=1=\n", "t.yml:5:3: a virtual package reads", NULL},
	{HEAD GLIBC "- __cuda >=1\n", "t.yml:5:3: a virtual package", NULL},
	{HEAD GLIBC "- __glibc=2.18\n", "t.yml:5:3: '__glibc' is given twice", NULL},
	{HEAD "virtual-packages: [__glibc=new]\n", "t.yml:3:20: a glibc version looks", NULL},
	{HEAD "virtual-packages: [__glibc=2.]\n", "t.yml:3:20: a glibc version looks", NULL},
	{HEAD "virtual-packages: __glibc=2\n", "t.yml:3:19: 'virtual-packages' must be", NULL},
	{"name: a/b\nsubdir: linux-64\n" GLIBC, "t.yml:1:7: a target's name", NULL},
	{"name: [a]\nsubdir: linux-64\n" GLIBC, "t.yml:1:7: 'name' must be a text", NULL},
	{"name: a\nsubdir: ../x\n" GLIBC, "t.yml:2:9: a subdir looks like", NULL},
	{"name: a\nname: b\n", "t.yml:2:", NULL},
	{"name: [a\n", "t.yml:", NULL},
	{HEAD GLIBC "gpu: {}\n", "t.yml:5:6: target 'lab' has a GPU, but", "add '- __cuda=12.4'"},
	{HEAD CUDA "gpu: yes\n", "t.yml:4:6: 'gpu' must be a map", NULL},
	{HEAD CUDA "gpu: {nodes: []}\n", "t.yml:4:7: unknown key 'nodes' in 'gpu'", NULL},
	{HEAD CUDA "gpu: {compute-capability: 8}\n", "t.yml:4:27: a compute capability", NULL},
	{HEAD CUDA "gpu: {device-nodes: /dev/a}\n", "t.yml:4:21: 'device-nodes' must be", NULL},
	{HEAD CUDA "gpu: {device-nodes: [/etc/x]}\n", "t.yml:4:22: an entry of 'device-", NULL},
	{HEAD CUDA "gpu: {device-nodes: [/dev/../etc/x]}\n", "t.yml:4:22: an entry", NULL},
	{HEAD CUDA "gpu: {libraries: [a/b]}\n", "t.yml:4:19: an entry of 'libraries'", NULL},
	{HEAD CUDA "gpu: {programs: [a, a]}\n", "t.yml:4:21: 'a' is given twice", NULL},
	{HEAD GLIBC "libraries: [a]\n", "t.yml:5:12: 'libraries' must be a map", NULL},
	{HEAD GLIBC "libraries:\n  a.so: b\n", "t.yml:6:9: the symbol versions of", "write []"},
	{HEAD GLIBC "libraries:\n  a b: []\n", "t.yml:6:3: 'a b' is not the soname", NULL},
	{HEAD GLIBC "libraries: {a: ['x,y']}\n", "t.yml:5:17: 'x,y' is not a symbol", NULL},
	{HEAD GLIBC "libraries: {a: [b, b]}\n", "t.yml:5:16: 'b' is given twice", NULL},
	{HEAD GLIBC "libraries: {a: [], a: []}\n", "t.yml:5:", NULL},
	{HEAD GLIBC "file-system: {noexec: [tmp]}\n", "t.yml:5:24: an entry of 'noexec'", NULL},
	{HEAD GLIBC "file-system: {case-sensitive: 1}\n", "t.yml:5:31: 'case-sensitive'", NULL},
	{HEAD GLIBC "audit: []\n", "t.yml:5:8: 'audit' must be a map", NULL},
	{HEAD GLIBC "audit: {level: {}}\n", "t.yml:5:9: unknown key 'level' in 'audit'", NULL},
	{HEAD GLIBC "audit: {levels: {glibc: off}}\n", "t.yml:5:18: the audit has no rule 'glibc'",
		"there are version-not-found, library-not-found, "},
	{HEAD GLIBC "audit: {levels: {static-tls: no}}\n", "t.yml:5:30: a level is error, ", NULL},
	{HEAD GLIBC "audit: {levels: [a]}\n", "t.yml:5:17: 'levels' must be a map", NULL},
	{HEAD GLIBC "audit: {executable-stack: no}\n", "t.yml:5:27: 'executable-stack' is", NULL},
	{HEAD GLIBC "audit: {ignore: x}\n", "t.yml:5:17: 'ignore' must be a list", NULL},
	{HEAD GLIBC "audit: {ignore: [x]}\n", "t.yml:5:18: what is ignored is a map", NULL},
	{HEAD GLIBC "audit: {ignore: [{rule: x, pattern: y, reason: z}]}\n",
		"t.yml:5:18: the audit has no rule 'x'; there are version-not-found, ", NULL},
	{HEAD GLIBC "audit: {ignore: [{rule: static-tls, pattern: y}]}\n",
		"t.yml:5:18: what is ignored needs a pattern and a reason", NULL},
	{HEAD GLIBC "audit: {ignore: [{rule: static-tls, why: y}]}\n",
		"t.yml:5:37: unknown key 'why' in 'ignore'", NULL},
	{HEAD GLIBC "limits: {stack: 0}\n", "t.yml:5:17: 'stack' is a whole number", NULL},
	{HEAD GLIBC "limits: {processes: -1}\n", "t.yml:5:21: 'processes' is a whole", NULL},
	{HEAD GLIBC "limits: {memory: 1}\n", "t.yml:5:10: unknown key 'memory'", NULL},
	{HEAD GLIBC "- __archspec=1=x86-64-v3\n", "t.yml:5:3: no CPU level", "x86_64_v3"},
	{HEAD GLIBC "- __archspec=1=x86_64_v7\n", "t.yml:5:3: no CPU level", "x86_64_v4"},
};

/* archspec's list grows: what is not known is not wrong. */
static void unknown_cpus_pass(void **state)
{
	static const char *const names[] = {"zen9", "m1", "neoverse_v2", "power9le", "icelake"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *text = arena_printf(&arena, HEAD GLIBC "- __archspec=1=%s\n", names[i]);
		struct profile p;
		struct err e = {0};

		assert_int_equal(profile_parse(&arena, "t.yml", str_of(text), &p, &e), 0);
	}
}

static void faults_name_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct profile p;
		struct err e = {0};

		assert_int_equal(
			profile_parse(&arena, "t.yml", str_of(faults[i].text), &p, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_int_equal(err_exit_status(e.code), 2);
		if (strncmp(e.text, faults[i].message, strlen(faults[i].message)) != 0)
			fail_msg("'%s' gave '%s', not '%s'", faults[i].text, e.text,
				faults[i].message);
		if (faults[i].advice && !strstr(err_advice(&e), faults[i].advice))
			fail_msg("'%s' advises '%s'", e.text, err_advice(&e));
		err_release(&e);
	}
}

static void shipped_profiles_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_TARGETS; i++) {
		struct profile p;
		struct err e = {0};
		const char *name = arena_cstr(&arena, target_name(i));

		assert_int_equal(profile_find(&arena, name, NULL, &p, &e), 0);
		assert_true(str_eq(p.name, target_name(i)));
		assert_true(str_is(p.subdir, "linux-64"));
		assert_int_not_equal(p.n_virtual_packages, 0);
		assert_string_equal(p.source, "built-in");
		if (path_exists("images/targets"))
			assert_true(path_exists(arena_cstr(&arena, p.dockerfile)));
		assert_int_not_equal(p.reference.n, 0);
		assert_true(p.network);
	}
}

/* Every file of images/targets is in the program, byte for byte. */
static void shipped_profiles_are_the_files(void **state)
{
	DIR *d = opendir("images/targets");
	struct dirent *entry;
	size_t n = 0;

	(void)state;
	if (!d) {
		print_message(
			"# skip shipped_profiles_are_the_files: not in the project's folder\n");
		skip();
	}
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	assert_int_equal(n, N_TARGETS);
	for (size_t i = 0; i < N_TARGETS; i++) {
		char *path =
			arena_printf(&arena, "images/targets/%.*s.yml", STR_ARG(target_name(i)));
		struct err e = {0};
		struct str text;

		assert_int_equal(file_read(&arena, path, 1 << 20, &text, &e), 0);
		assert_true(str_eq(text, target_text(i)));
	}
}

static void a_projects_own_targets_come_first(void **state)
{
	char dir[] = "/tmp/images_profile.XXXXXX";
	struct err e = {0};
	struct profile p;
	struct str *names;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(dir_make(path_join(&arena, dir, "targets"), &e), 0);
	assert_int_equal(file_write(path_join(&arena, dir, "targets/rhel6.yml"),
				 STR("name: rhel6\nsubdir: linux-64\n"
				     "virtual-packages: [__glibc=2.11]\n"),
				 0644, &e),
		0);
	assert_int_equal(file_write(path_join(&arena, dir, "targets/lab.yml"),
				 STR("name: lab\nsubdir: linux-64\n"), 0644, &e),
		0);
	assert_int_equal(profile_find(&arena, "rhel6", dir, &p, &e), 0);
	assert_true(str_is(p.glibc, "2.11"));
	assert_int_equal(profile_names(&arena, dir, &names, &n, &e), 0);
	assert_int_equal(n, N_TARGETS + 2);
	assert_true(str_is(names[1], "host"));
	assert_true(str_is(names[2], "lab"));
	assert_int_equal(profile_find(&arena, "lab", dir, &p, &e), -1);
	assert_non_null(strstr(e.text, "targets/lab.yml:1:1: "));
	err_release(&e);
	assert_int_equal(profile_find(&arena, "rhel5", dir, &p, &e), -1);
	assert_int_equal(err_exit_status(e.code), 2);
	assert_non_null(strstr(e.text, "debian12, host, lab, rhel6, rhel7"));
	err_release(&e);
	assert_int_equal(profile_find(&arena, "missing.yml", dir, &p, &e), -1);
	assert_int_equal(err_exit_status(e.code), 2);
	err_release(&e);
	assert_int_equal(dir_remove(dir, &e), 0);
}

static bool has_package(const struct profile *p, const char *start)
{
	for (size_t i = 0; i < p->n_virtual_packages; i++)
		if (str_starts(p->virtual_packages[i], str_of(start)))
			return true;
	return false;
}

static void the_host_is_read_off_the_machine(void **state)
{
	struct err e = {0};
	struct profile p;
	struct str reason;

	(void)state;
	unsetenv("CONDA_OVERRIDE_GLIBC");
	assert_int_equal(profile_find(&arena, "host", NULL, &p, &e), 0);
	assert_true(p.host);
	assert_true(has_package(&p, "__linux="));
	assert_true(has_package(&p, "__unix=0=0"));
	assert_true(has_package(&p, "__archspec=1="));
#ifdef __GLIBC__
	assert_true(str_is(p.glibc, arena_printf(&arena, "%d.%d", __GLIBC__, __GLIBC_MINOR__)));
#endif
	assert_int_equal(root_satisfies(&arena, "/", &p, &reason, &e), 1);
}

static void overrides_win_and_empty_ones_hide(void **state)
{
	struct err e = {0};
	struct profile p;

	(void)state;
	setenv("CONDA_OVERRIDE_GLIBC", "2.5", 1);
	setenv("CONDA_OVERRIDE_CUDA", "12.4", 1);
	setenv("CONDA_OVERRIDE_LINUX", "3.2.1", 1);
	setenv("CONDA_OVERRIDE_ARCHSPEC", "zen3", 1);
	assert_int_equal(profile_find(&arena, "host", NULL, &p, &e), 0);
	assert_true(str_is(p.glibc, "2.5"));
	assert_true(has_package(&p, "__cuda=12.4"));
	assert_true(has_package(&p, "__linux=3.2.1"));
	assert_true(has_package(&p, "__archspec=1=zen3"));
	setenv("CONDA_OVERRIDE_CUDA", "", 1);
	assert_int_equal(profile_find(&arena, "host", NULL, &p, &e), 0);
	assert_false(has_package(&p, "__cuda"));
	setenv("CONDA_OVERRIDE_GLIBC", "", 1);
	assert_int_equal(profile_find(&arena, "host", NULL, &p, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	err_release(&e);
	unsetenv("CONDA_OVERRIDE_GLIBC");
	unsetenv("CONDA_OVERRIDE_CUDA");
	unsetenv("CONDA_OVERRIDE_LINUX");
	unsetenv("CONDA_OVERRIDE_ARCHSPEC");
}

static void cpu_levels_follow_the_psabi(void **state)
{
	static const char v2[] = "fpu sse2 cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2";
	const char *v3, *v4;

	(void)state;
	v3 = arena_printf(&arena, "%s avx avx2 bmi1 bmi2 f16c fma abm movbe xsave", v2);
	v4 = arena_printf(&arena, "%s avx512f avx512bw avx512cd avx512dq avx512vl", v3);
	assert_string_equal(x86_64_level(STR("fpu sse2")), "x86_64");
	assert_string_equal(x86_64_level(str_of(v2)), "x86_64_v2");
	assert_string_equal(x86_64_level(str_of(v3)), "x86_64_v3");
	assert_string_equal(x86_64_level(str_of(v4)), "x86_64_v4");
	assert_string_equal(x86_64_level(str_sub(str_of(v4), 0, strlen(v4) - 1)), "x86_64_v3");
}

static void kernel_versions_lose_their_tail(void **state)
{
	(void)state;
	assert_true(str_is(kernel_version(STR("5.14.0-70.el9.x86_64")), "5.14.0"));
	assert_true(str_is(kernel_version(STR("6.1.0-rc4")), "6.1.0"));
	assert_true(str_is(kernel_version(STR("2.6.32-754.35.1")), "2.6.32"));
	assert_true(str_is(kernel_version(STR("6.18.")), "6.18"));
}

/* --- the libraries of the shipped profiles ------------------------------------------------ */

static struct str newest_glibc(const struct profile_library *l)
{
	struct str best = {NULL, 0};

	for (size_t i = 0; i < l->n_versions; i++) {
		struct str v = l->versions[i];

		if (str_starts(v, STR("GLIBC_2")) &&
			(!best.n || glibc_cmp(str_sub(v, 6, v.n), best) > 0))
			best = str_sub(v, 6, v.n);
	}
	return best;
}

static void libraries_are_of_the_profiles_glibc(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_TARGETS; i++) {
		struct profile p;
		struct err e = {0};
		const struct profile_library *libc;

		assert_int_equal(
			profile_find(&arena, arena_cstr(&arena, target_name(i)), NULL, &p, &e), 0);
		libc = profile_library(&p, STR("libc.so.6"));
		assert_non_null(libc);
		assert_true(str_eq(newest_glibc(libc), p.glibc));
		for (size_t k = 0; k < p.n_libraries; k++)
			assert_true(glibc_cmp(newest_glibc(&p.libraries[k]), p.glibc) <= 0);
		assert_non_null(profile_library(&p, STR("libstdc++.so.6")));
		assert_non_null(profile_library(&p, STR("libgcc_s.so.1")));
		assert_non_null(profile_library(&p, STR("ld-linux-x86-64.so.2")));
		assert_int_equal(p.gpu.wanted, str_is(p.name, "rocky9-gpu"));
	}
}

static char *root_for_tests(const char *name)
{
	const char *const argv[] = {"tests/tools/roots.sh", name, NULL};
	CLEANUP_BUF out = {0};
	struct err e = {0};
	int status = 0;

	if (proc_run(&(struct proc){.argv = argv, .on_stdout = proc_to_buf, .ctx = &out}, &status,
		    &e) < 0 ||
		status != 0) {
		print_message("# skip: no root '%s': tests/tools/roots.sh\n", name);
		err_release(&e);
		return NULL;
	}
	return arena_cstr(&arena, str_trim(buf_view(&out)));
}

/* What the profile says of each library of the root is what the root has: how many were compared. */
static size_t compare_with(const char *target, const char *root)
{
	struct profile said, has;
	struct err e = {0};
	size_t n = 0;

	assert_int_equal(profile_find(&arena, target, NULL, &said, &e), 0);
	assert_int_equal(probe_root(&arena, root, NULL, &has, &e), 0);
	assert_true(str_eq(said.glibc, has.glibc));
	for (size_t i = 0; i < said.n_libraries; i++) {
		const struct profile_library *a = &said.libraries[i], *b;

		b = profile_library(&has, a->soname);
		if (!b)
			continue;
		n++;
		if (a->n_versions != b->n_versions)
			fail_msg("%.*s of %s: %zu versions, %zu in the root", STR_ARG(a->soname),
				target, a->n_versions, b->n_versions);
		for (size_t k = 0; k < a->n_versions; k++)
			assert_true(str_eq(a->versions[k], b->versions[k]));
	}
	return n;
}

static void rhel7_is_as_a_root_of_glibc_217(void **state)
{
	char *root = root_for_tests("glibc217");

	(void)state;
	if (!root)
		skip();
	/* glibc's ten, libcrypt, libstdc++, libgcc_s */
	assert_int_equal(compare_with("rhel7", root), 13);
}

static void debian12_is_as_a_root_of_bookworm(void **state)
{
	char *root = root_for_tests("bookworm");

	(void)state;
	if (!root)
		skip();
	assert_true(compare_with("debian12", root) >= 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_profile_is_read),
		cmocka_unit_test(a_gpu_is_read),
		cmocka_unit_test(an_audit_is_read),
		cmocka_unit_test(faults_name_their_place),
		cmocka_unit_test(unknown_cpus_pass),
		cmocka_unit_test(shipped_profiles_are_whole),
		cmocka_unit_test(shipped_profiles_are_the_files),
		cmocka_unit_test(a_projects_own_targets_come_first),
		cmocka_unit_test(the_host_is_read_off_the_machine),
		cmocka_unit_test(overrides_win_and_empty_ones_hide),
		cmocka_unit_test(cpu_levels_follow_the_psabi),
		cmocka_unit_test(kernel_versions_lose_their_tail),
		cmocka_unit_test(libraries_are_of_the_profiles_glibc),
		cmocka_unit_test(rhel7_is_as_a_root_of_glibc_217),
		cmocka_unit_test(debian12_is_as_a_root_of_bookworm),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}

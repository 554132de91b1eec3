/* What a GPU needs: specifications, what is sorted where, and what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "images/cdi.h"
#include "images/gpu.h"

static struct arena arena;
static char work[] = "/tmp/images_gpu.XXXXXX";

/* A library of this machine with a name of its own, which is all that is looked at. */
struct library {
	Elf64_Ehdr head;
	Elf64_Phdr load, dynamic;
	Elf64_Dyn entries[4];
	char names[64];
};

static void write_file(const char *rel, struct str bytes)
{
	const char *path = path_join(&arena, work, rel);
	struct err e = {0};

	assert_int_equal(dir_make(path_dir(&arena, path), &e), 0);
	assert_int_equal(file_write(path, bytes, 0755, &e), 0);
}

static void write_library(const char *rel, const char *soname, uint64_t names_at)
{
	struct library l = {
		.head = {.e_type = ET_DYN,
			.e_phoff = offsetof(struct library, load),
			.e_phentsize = sizeof l.load,
			.e_phnum = 2},
		.load = {.p_type = PT_LOAD, .p_vaddr = 0x10000, .p_filesz = sizeof l},
		.dynamic = {.p_type = PT_DYNAMIC,
			.p_offset = offsetof(struct library, entries),
			.p_vaddr = 0x10000 + offsetof(struct library, entries),
			.p_filesz = sizeof l.entries},
		.entries = {{.d_tag = DT_SONAME, .d_un.d_val = names_at},
			{.d_tag = DT_STRTAB,
				.d_un.d_ptr = 0x10000 + offsetof(struct library, names)},
			{.d_tag = DT_STRSZ, .d_un.d_val = sizeof l.names}},
	};

#ifdef __aarch64__
	l.head.e_machine = EM_AARCH64;
#else
	l.head.e_machine = EM_X86_64;
#endif
	memcpy(l.head.e_ident, ELFMAG, SELFMAG);
	l.head.e_ident[EI_CLASS] = ELFCLASS64;
	l.head.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(l.names + 1, soname, strlen(soname));
	write_file(rel, str_n((const char *)&l, sizeof l));
}

static int begin(void **state)
{
	(void)state;
	memcpy(work + sizeof work - 7, "XXXXXX", 6);
	if (!mkdtemp(work))
		return -1;
	/* of this machine nothing is found unless a test says so */
	setenv("CDI_SPEC_DIRS", path_join(&arena, work, "cdi"), 1);
	setenv("PATH", path_join(&arena, work, "path"), 1);
	unsetenv("LD_LIBRARY_PATH");
	write_library("root/usr/lib64/libc.so.6", "libc.so.6", 1);
	return 0;
}

static int end(void **state)
{
	struct err e = {0};

	(void)state;
	arena_release(&arena);
	return dir_remove(work, &e);
}

/* The device is /dev/null, which every machine has. */
static void write_spec(const char *mounts)
{
	write_file("cdi/test.yaml",
		arena_strf(&arena,
			"cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n"
			"containerEdits: {env: [NVIDIA_VISIBLE_DEVICES=void, PATH=/x]}\n"
			"devices:\n- name: all\n  containerEdits:\n"
			"    deviceNodes: [{path: /dev/null}, {path: /dev/no-such-device}]\n"
			"    mounts: [%s]\n",
			mounts));
}

static const char *mount_of(const char *host, const char *inside)
{
	return arena_printf(&arena, "{hostPath: %s/%s, containerPath: %s}", work, host, inside);
}

static int find_in(const char *root, const struct profile *p, enum gpu_mode mode, struct gpu *out,
	struct err *e)
{
	return gpu_find(&arena, p, path_join(&arena, work, root), mode, out, e);
}

static int find(enum gpu_mode mode, struct gpu *out, struct err *e)
{
	struct profile p = {.name = STR("test"), .gpu.wanted = true};

	return find_in("root", &p, mode, out, e);
}

static const char *source_of(const struct gpu *g, const char *to)
{
	for (size_t i = 0; i < g->n_files; i++)
		if (!strcmp(g->files[i].to, to))
			return path_base(g->files[i].from);
	return "";
}

static void test_names(void **state)
{
	struct err e = {0};
	struct gpu g;

	(void)state;
	write_library("driver/libcuda.so.535.1", "libcuda.so.1", 1);
	write_file("driver/bin/nvidia-smi", STR("#!/bin/sh\n"));
	write_spec(arena_printf(&arena, "%s, %s, %s",
		mount_of("driver/libcuda.so.535.1", "/usr/lib/x/libcuda.so.535.1"),
		mount_of("driver/bin/nvidia-smi", "/usr/bin/nvidia-smi"),
		mount_of("driver/missing.so.1", "/usr/lib/missing.so.1")));
	assert_int_equal(find(GPU_AUTO, &g, &e), 1);
	assert_string_equal(g.source, "CDI");
	assert_string_equal(g.device, "nvidia.com/gpu=all");
	assert_int_equal(g.n_nodes, 1);
	assert_string_equal(g.nodes[0], "/dev/null");
	assert_int_equal(g.n_env, 1);
	assert_string_equal(g.env[0], "NVIDIA_VISIBLE_DEVICES=void");
	assert_int_equal(g.n_files, 4);
	assert_string_equal(source_of(&g, "/usr/lib64/libcuda.so.535.1"), "libcuda.so.535.1");
	assert_string_equal(source_of(&g, "/usr/lib64/libcuda.so.1"), "libcuda.so.535.1");
	assert_string_equal(source_of(&g, "/usr/lib64/libcuda.so"), "libcuda.so.535.1");
	assert_string_equal(source_of(&g, "/usr/bin/nvidia-smi"), "nvidia-smi");
}

static void test_not_over_the_system(void **state)
{
	struct err e = {0};
	struct gpu g;

	(void)state;
	write_library("driver/libcuda.so.535.1", "libcuda.so.1", 1);
	/* named as the root's own, and by the name that it gives itself */
	write_library("driver/libc.so.6", "libc.so.6", 1);
	write_library("driver/libnvidia-x.so.1", "libc.so.6", 1);
	write_library("driver/libnvidia-y.so.1", "../../../etc/passwd.so", 1);
	write_library("driver/libnvidia-z.so.1", "z", UINT64_MAX);
	write_file("driver/bin/bash", STR("#!/bin/sh\n"));
	write_file("driver/passwd", STR("root:x:0:0::/:/bin/sh\n"));
	write_file("root/usr/bin/bash", STR("#!/bin/sh\n"));
	write_spec(arena_printf(&arena, "%s, %s, %s, %s, %s, %s, %s",
		mount_of("driver/libcuda.so.535.1", "/usr/lib/libcuda.so.535.1"),
		mount_of("driver/libc.so.6", "/usr/lib64/libc.so.6"),
		mount_of("driver/libnvidia-x.so.1", "/usr/lib64/libnvidia-x.so.1"),
		mount_of("driver/libnvidia-y.so.1", "/etc/libnvidia-y.so.1"),
		mount_of("driver/libnvidia-z.so.1", "/etc/libnvidia-z.so.1"),
		mount_of("driver/bin/bash", "/usr/bin/bash"),
		mount_of("driver/passwd", "/etc/passwd")));
	assert_int_equal(find(GPU_AUTO, &g, &e), 1);
	for (size_t i = 0; i < g.n_files; i++) {
		assert_true(str_starts(str_of(g.files[i].to), STR("/usr/lib64/lib")));
		assert_true(path_is_safe(str_of(g.files[i].to + 1)));
	}
	assert_string_equal(source_of(&g, "/usr/lib64/libc.so.6"), "");
	assert_string_equal(source_of(&g, "/usr/bin/bash"), "");
	/* a broken one is none */
	assert_int_equal(g.n_files, 5);
}

static void refused(const char *text, const char *why)
{
	struct err e = {0};
	struct cdi cdi;

	assert_int_equal(cdi_parse(&arena, "f", str_of(text), &cdi, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_non_null(strstr(e.text, why));
	err_release(&e);
}

static void test_hostile(void **state)
{
	static const char head[] = "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: a\n"
				   "  containerEdits: ";
	static const char *const edits[] = {
		"{deviceNodes: [{path: /dev/../etc/passwd}]}",
		"{deviceNodes: [{path: /etc/passwd}]}",
		"{deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/sda}]}",
		"{deviceNodes: [{hostPath: /dev/sda}]}",
		"{mounts: [{hostPath: ../x, containerPath: /x}]}",
		"{mounts: [{hostPath: /x, containerPath: /usr/../etc/passwd}]}",
		"{mounts: [{hostPath: /x}]}",
		"{mounts: [{hostPath: \"/x\\0y\", containerPath: /x}]}",
		"[]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
		refused(arena_printf(&arena, "%s%s\n", head, edits[i]), "f:5:");
	refused("", "empty");
	refused("cdiVersion: 2.0.0\nkind: a/gpu\n", "version '2.0.0'");
	refused("kind: a/gpu\n", "'cdiVersion'");
	refused("cdiVersion: 1.0.0\nkind: a/gpu\n", "'devices'");
}

static void test_other_kind(void **state)
{
	struct err e = {0};
	struct cdi cdi;

	(void)state;
	assert_int_equal(
		cdi_parse(&arena, "f",
			STR("{\n\t\"cdiVersion\": \"0.6.0\",\n\t\"kind\": \"a.b/net\"}"), &cdi, &e),
		0);
}

/* A disk, kernel memory and a terminal are no GPU, whoever names them. */
static void test_other_devices(void **state)
{
	struct str nodes[] = {STR_INIT("/dev/mem"), STR_INIT("/dev/kmsg"), STR_INIT("/dev/tty"),
		STR_INIT("/dev/loop0"), STR_INIT("/dev/../etc/passwd")};
	struct profile p = {.name = STR("test"),
		.gpu = {.wanted = true, .device_nodes = nodes, .n_device_nodes = 5}};
	struct err e = {0};
	struct gpu g;

	(void)state;
	assert_int_equal(find_in("root", &p, GPU_REQUIRE, &g, &e), -1);
	assert_int_equal(e.code, ERR_SANDBOX);
	err_release(&e);
}

static void test_by_hand(void **state)
{
	struct str nodes[] = {STR_INIT("/dev/nul[l]")}, libraries[] = {STR_INIT("libcuda.so.*")},
		   programs[] = {STR_INIT("nvidia-smi"), STR_INIT("../driver/bin/bash")};
	struct profile p = {
		.name = STR("test"), .gpu = {true, {NULL, 0}, nodes, 1, libraries, 1, programs, 2}};
	struct err e = {0};
	struct gpu g;

	(void)state;
	write_library("driver/libcuda.so.1", "libcuda.so.1", 1);
	write_file("path/nvidia-smi", STR("#!/bin/sh\n"));
	setenv("LD_LIBRARY_PATH", path_join(&arena, work, "driver"), 1);
	assert_int_equal(find_in("root", &p, GPU_AUTO, &g, &e), 1);
	assert_string_equal(g.source, "profile");
	assert_null(g.device);
	assert_string_equal(g.nodes[0], "/dev/null");
	assert_string_equal(source_of(&g, "/usr/lib64/libcuda.so.1"), "libcuda.so.1");
}

static void test_missing(void **state)
{
	struct str nodes[] = {STR_INIT("/dev/envbuild-none")};
	struct profile p = {.name = STR("test"),
		.gpu = {.wanted = true, .device_nodes = nodes, .n_device_nodes = 1}};
	struct err e = {0};
	struct gpu g;

	(void)state;
	assert_int_equal(find_in("root", &p, GPU_AUTO, &g, &e), 0);
	assert_int_equal(g.n_nodes, 0);
	assert_int_equal(find_in("root", &p, GPU_NONE, &g, &e), 0);
	assert_int_equal(find_in("root", &p, GPU_REQUIRE, &g, &e), -1);
	assert_non_null(strstr(e.text, "/dev/envbuild-none"));
	assert_non_null(strstr(err_advice(&e), "driver"));
	err_release(&e);
	/* a device without its library */
	nodes[0] = STR("/dev/null");
	assert_int_equal(find_in("root", &p, GPU_REQUIRE, &g, &e), -1);
	assert_non_null(strstr(e.text, "libcuda.so.1"));
	err_release(&e);
	/* not wanted */
	p.gpu.wanted = false;
	assert_int_equal(find_in("root", &p, GPU_AUTO, &g, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, begin, end),
		cmocka_unit_test_setup_teardown(test_not_over_the_system, begin, end),
		cmocka_unit_test_setup_teardown(test_hostile, begin, end),
		cmocka_unit_test_setup_teardown(test_other_kind, begin, end),
		cmocka_unit_test_setup_teardown(test_other_devices, begin, end),
		cmocka_unit_test_setup_teardown(test_by_hand, begin, end),
		cmocka_unit_test_setup_teardown(test_missing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

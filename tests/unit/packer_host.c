/* What an environment needs of its host, and whether a host has it. */
#include "base/file.h"
#include "packer/papers.h"
#include "packer/relocator/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD RELOCATE_HOST_MAGIC "\n"

static void good(void **state)
{
	static const char text[] = HEAD "target rocky8\nmachine x86_64\nglibc 2.28\nkernel 4.18.0\n"
					"level x86_64_v3\ncuda 12.4\nlater words are passed over\n";
	struct relocate_host need;
	struct relocate_error e;

	(void)state;
	assert_int_equal(relocate_host_parse(text, sizeof text - 1, &need, &e), 0);
	assert_string_equal(need.target, "rocky8");
	assert_string_equal(need.machine, "x86_64");
	assert_string_equal(need.glibc, "2.28");
	assert_string_equal(need.kernel, "4.18.0");
	assert_string_equal(need.cuda, "12.4");
	assert_int_equal(need.level, 3);
	assert_int_equal(relocate_host_parse(HEAD, sizeof HEAD - 1, &need, &e), 0);
	assert_string_equal(need.glibc, "");
	assert_int_equal(relocate_host_compare(&need, "", &e), 0);
}

static void bad(void **state)
{
	static const char *const texts[] = {
		"",
		"envbuild host 2\n",
		"envbuild host 1",
		"envbuild host 1 \n",
		HEAD "glibc\n",
		HEAD "glibc \n",
		HEAD " glibc 2\n",
		HEAD "\n",
		HEAD "glibc 2.28",
		HEAD "glibc 2.28x\n",
		HEAD "glibc 2..28\n",
		HEAD "glibc .28\n",
		HEAD "glibc 1.2.3.4.5\n",
		HEAD "glibc 1234567890\n",
		HEAD "glibc 2.28\nglibc 2.28\n",
		HEAD "level x86_64_v5\n",
		HEAD "level haswell\n",
		HEAD "target a\tb\n",
		HEAD "target a\033[31m\n",
		HEAD "target 0123456789012345678901234567890123456789012345678901234567890123456789"
		     "0123456789\n",
	};
	struct relocate_host need;
	struct relocate_error e;
	CLEANUP_BUF large = {0};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		e.status = RELOCATE_OK;
		if (relocate_host_parse(texts[i], strlen(texts[i]), &need, &e) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(e.status, RELOCATE_DAMAGED);
	}
	buf_puts(&large, HEAD);
	while (large.n <= RELOCATE_HOST_MAX)
		buf_puts(&large, "word value\n");
	assert_int_equal(relocate_host_parse(large.p, large.n, &need, &e), -1);
}

static void versions(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
		{"2.9", "2.17", -1},
		{"2.17", "2.17", 0},
		{"2", "2.0", 0},
		{"2.17.1", "2.17", 1},
		{"", "2.17", -1},
		{"5.14.0-70.el9.x86_64", "5.14", 0},
		{"5.14.0-70.el9.x86_64", "5.14.1", -1},
		{"4.18.0-rc1", "4.18.0", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(relocate_host_version_cmp(cases[i].a, cases[i].b), cases[i].order);
		assert_int_equal(
			relocate_host_version_cmp(cases[i].b, cases[i].a), -cases[i].order);
	}
}

/* A root whose C library is made of a header and some strings. */
static void make_libc(const char *root, const char *place, int elf_class, const char *strings)
{
	CLEANUP_BUF to = {0};
	struct err e = {0};
	struct arena a = {0};
	char *path = path_join(&a, root, place);
	FILE *self = fopen("/proc/self/exe", "rb");
	char header[64];

	assert_int_equal(fread(header, 1, sizeof header, self), sizeof header);
	fclose(self);
	header[4] = (char)elf_class;
	buf_add(&to, header, sizeof header);
	for (; *strings; strings += strlen(strings) + 1)
		buf_add(&to, strings, strlen(strings) + 1);
	assert_int_equal(dir_make(path_dir(&a, path), &e), 0);
	assert_int_equal(file_write(path, buf_view(&to), 0755, &e), 0);
	arena_release(&a);
}

static void glibc_of_root(void **state)
{
	static const struct {
		const char *place, *strings;
		int elf_class;
		const char *needed, *says; /* NULL: good */
	} cases[] = {
		{"lib64/libc.so.6", "GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_PRIVATE\0", 2, "2.17", NULL},
		{"lib64/libc.so.6", "GLIBC_2.2.5\0GLIBC_2.17\0", 2, "2.18", "has glibc 2.17;"},
		{"lib64/libc.so.6", "GLIBC_2.18\0release version \0release version 2.20, by\0", 2,
			"2.21", "has glibc 2.20;"},
		{"lib64/libc.so.6", "GLIBC_2.18\0stable release version 2.20.\0", 2, "2.20", NULL},
		{"lib/x86_64-linux-gnu/libc.so.6", "GLIBC_2.36\0", 2, "2.28", NULL},
		{"lib/libc.so.6", "GLIBC_2.36\0", 1, "2.28", "this host has none"},
		{"lib64/libc.so.6", "nothing\0", 2, "2.28", "this host has none"},
		{"lib64/libc.so", "GLIBC_2.36\0", 2, "2.28", "this host has none"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct relocate_host need = {.target = "x"};
		struct relocate_error e = {0};
		char root[] = "/tmp/envbuild-host.XXXXXX";
		const char *tmp = getenv("TMPDIR");
		struct arena a = {0};
		char *dir = path_join(&a, tmp ? tmp : "/tmp", root + 5);
		int rc;

		assert_non_null(mkdtemp(dir));
		make_libc(dir, cases[i].place, cases[i].elf_class, cases[i].strings);
		snprintf(need.glibc, sizeof need.glibc, "%s", cases[i].needed);
		rc = relocate_host_compare(&need, dir, &e);
		assert_int_equal(rc, cases[i].says ? -1 : 0);
		if (cases[i].says && !strstr(e.text, cases[i].says))
			fail_msg("%zu: %s", i, e.text);
		if (cases[i].says)
			assert_non_null(strstr(e.text, "ENVBUILD_SKIP_CHECK=1"));
		dir_remove(dir, NULL);
		arena_release(&a);
	}
}

static void rest_of_host(void **state)
{
	struct relocate_error e;
	struct utsname u;
	struct relocate_host need = {.level = 1};

	(void)state;
	assert_int_equal(uname(&u), 0);
	snprintf(need.machine, sizeof need.machine, "%s", u.machine);
	assert_int_equal(relocate_host_compare(&need, "", &e), 0);
	snprintf(need.kernel, sizeof need.kernel, "2.6.32");
	assert_int_equal(relocate_host_compare(&need, "", &e), 0);
	snprintf(need.kernel, sizeof need.kernel, "99.1");
	assert_int_equal(relocate_host_compare(&need, "", &e), -1);
	assert_non_null(strstr(e.text, "needs a kernel from 99.1, and this host has "));
	need.kernel[0] = 0;
	snprintf(need.machine, sizeof need.machine, "s390x");
	assert_int_equal(relocate_host_compare(&need, "", &e), -1);
	assert_non_null(strstr(e.text, "needs a machine of kind s390x"));
	need.machine[0] = 0;
	snprintf(need.cuda, sizeof need.cuda, "12.4");
	/* A remark, not a refusal; where there is a driver not even that. */
	assert_in_range(relocate_host_compare(&need, "", &e), 0, 1);
}

/* --- what is written ---------------------------------------------------------------------- */

static void write_and_read(struct str *depends, size_t n, struct profile *profile, const char *want)
{
	struct record record = {.depends = depends, .n_depends = n};
	struct package package = {.record = &record};
	struct content content = {.packages = &package, .n_packages = 1};
	struct pack_request r = {.content = &content, .target = STR("t"), .profile = profile};
	struct relocate_host need;
	struct relocate_error e;
	CLEANUP_BUF text = {0};

	host_write(&r, &text);
	assert_true(str_is(buf_view(&text), want));
	assert_int_equal(relocate_host_parse(text.p, text.n, &need, &e), 0);
}

static void written(void **state)
{
	static struct str nothing[] = {STR_INIT("python >=3.6"), STR_INIT("__glibc >=2.17"),
		STR_INIT("__unix"), STR_INIT("__linux")};
	static struct str much[] = {STR_INIT("__linux >=3.10"), STR_INIT("__linux >=4.18,<6"),
		STR_INIT("__cuda >=11.8"), STR_INIT("__cuda >=9"),
		STR_INIT("__archspec 1 x86_64_v2"), STR_INIT("__archspec * x86_64_v3"),
		STR_INIT("__cuda >=x")};
	struct profile p = {.subdir = STR("linux-64"), .glibc = STR("2.28")};

	(void)state;
	write_and_read(nothing, 4, &p, HEAD "target t\nmachine x86_64\nglibc 2.28\n");
	write_and_read(much, 7, &p,
		HEAD "target t\nmachine x86_64\nglibc 2.28\nkernel 4.18\nlevel x86_64_v3\n"
		     "cuda 11.8\n");
	write_and_read(nothing, 4, NULL, HEAD "target t\n");
	p.subdir = STR("linux-aarch64");
	write_and_read(nothing, 1, &p, HEAD "target t\nmachine aarch64\nglibc 2.28\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(versions),
		cmocka_unit_test(glibc_of_root),
		cmocka_unit_test(rest_of_host),
		cmocka_unit_test(written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "images/ld_cache.h"
#include "images/loader.h"
#include "tests/elf_maker.h"

#if defined(__aarch64__)
#define FLAGS 0x0a03
#else
#define FLAGS 0x0303
#endif

static struct arena arena;
static char root[4096]; /* a folder that each test finds empty */

static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(root, sizeof root, "%s/loader.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(root) ? 0 : -1;
}

static int leave(void **state)
{
	(void)state;
	arena_release(&arena);
	return dir_remove(root, NULL);
}

/* --- making a root ------------------------------------------------------------------------ */

static const char *in_root(const char *path)
{
	return arena_printf(&arena, "%s%s", root, path);
}

static void put(const char *path, struct str bytes)
{
	struct err e = {0};

	assert_int_equal(dir_make(path_dir(&arena, in_root(path)), &e), 0);
	assert_int_equal(file_write(in_root(path), bytes, 0755, &e), 0);
}

static void put_library(const char *path, const char *soname, int machine)
{
	CLEANUP_BUF bytes = {0};

	elf_make(&bytes, &(struct elf_plan){.machine = machine, .soname = soname});
	put(path, buf_view(&bytes));
}

/* A C library of that age, and a loader with those folders (NULL: none). */
static void put_glibc(const char *version, const char *folders, size_t n)
{
	CLEANUP_BUF libc = {0}, ld_so = {0};

	elf_make(&libc,
		&(struct elf_plan){.machine = NATIVE,
			.soname = "libc.so.6",
			.defines = {"libc.so.6", arena_printf(&arena, "GLIBC_%s", version)}});
	put("/lib64/libc.so.6", buf_view(&libc));
	elf_make(&ld_so, &(struct elf_plan){.machine = NATIVE,
				 .soname = "ld-linux-x86-64.so.2",
				 .tail = str_n(folders, n)});
#if defined(__aarch64__)
	put("/lib/ld-linux-aarch64.so.1", buf_view(&ld_so));
#else
	put("/lib64/ld-linux-x86-64.so.2", buf_view(&ld_so));
#endif
}

/* --- making a cache ----------------------------------------------------------------------- */

struct line {
	const char *name, *path;
	uint64_t hwcap;
	uint32_t kernel, flags; /* 0: of this machine */
};

#define EXTENDED(i) ((UINT64_C(1) << 62) | (i))

static void u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof v);
}

/* base: what stands before it in the file. */
static void new_cache(struct buf *out, const struct line *lines, uint32_t n, uint8_t flags)
{
	static const char *const names[] = {"x86-64-v2", "x86-64-v3"};
	CLEANUP_BUF strings = {0};
	size_t base = out->n;
	uint32_t at = 48 + 24 * n, header[4] = {0}, hwcaps[2], extension;

	buf_str(out, STR("glibc-ld.so.cache1.1"));
	for (uint32_t i = 0; i < n; i++) {
		buf_add(&strings, lines[i].name, strlen(lines[i].name) + 1);
		buf_add(&strings, lines[i].path, strlen(lines[i].path) + 1);
	}
	for (int i = 0; i < 2; i++) {
		hwcaps[i] = at + (uint32_t)strings.n;
		buf_add(&strings, names[i], strlen(names[i]) + 1);
	}
	while ((base + at + strings.n) % 4)
		buf_putc(&strings, 0);
	extension = (uint32_t)base + at + (uint32_t)strings.n;
	u32(out, n);
	u32(out, (uint32_t)strings.n);
	buf_putc(out, (char)flags);
	buf_add(out, "\0\0", 3);
	u32(out, extension);
	buf_add(out, header, 12);
	for (uint32_t i = 0; i < n; i++) {
		u32(out, lines[i].flags ? lines[i].flags : FLAGS);
		u32(out, at);
		at += (uint32_t)strlen(lines[i].name) + 1;
		u32(out, at);
		at += (uint32_t)strlen(lines[i].path) + 1;
		u32(out, lines[i].kernel);
		buf_add(out, &lines[i].hwcap, 8);
	}
	buf_str(out, buf_view(&strings));
	u32(out, 0xeaa42174);
	u32(out, 1);
	u32(out, 1);
	u32(out, 0);
	u32(out, extension + 24);
	u32(out, sizeof hwcaps);
	buf_add(out, hwcaps, sizeof hwcaps);
}

/* Without strings where the new format follows, as ldconfig writes both. */
static void old_cache(struct buf *out, const struct line *lines, uint32_t n)
{
	uint32_t at = 0;

	buf_add(out, "ld.so-1.7.0", 12);
	u32(out, n);
	for (uint32_t i = 0; i < n; i++) {
		u32(out, FLAGS);
		u32(out, at);
		at += (uint32_t)strlen(lines[i].name) + 1;
		u32(out, at);
		at += (uint32_t)strlen(lines[i].path) + 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		buf_add(out, lines[i].name, strlen(lines[i].name) + 1);
		buf_add(out, lines[i].path, strlen(lines[i].path) + 1);
	}
}

static void put_cache(const struct line *lines, uint32_t n)
{
	CLEANUP_BUF b = {0};

	new_cache(&b, lines, n, 2);
	put("/etc/ld.so.cache", buf_view(&b));
}

/* --- asking ------------------------------------------------------------------------------- */

static struct loader *opened(const char *archspec, const char *kernel)
{
	struct profile *p = arena_new(&arena, struct profile);
	struct loader *l;
	struct err e = {0};

	p->name = STR("t");
	p->glibc = STR("2.12");
	p->virtual_packages = arena_array(&arena, struct str, 2);
	p->virtual_packages[p->n_virtual_packages++] =
		arena_strf(&arena, "__archspec=1=%s", archspec);
	p->virtual_packages[p->n_virtual_packages++] = arena_strf(&arena, "__linux=%s", kernel);
	assert_int_equal(loader_open(&arena, root, p, &l, &e), 0);
	return l;
}

/* The path of what is found, "fault" where it cannot be read, "" where there is nothing. */
static const char *path_of(int r, const struct host_library *const *l)
{
	assert_true(r >= 0);
	if (r == 0)
		return "";
	return (*l)->fault.n ? "fault" : arena_cstr(&arena, (*l)->path);
}

static const char *find(struct loader *l, const char *name)
{
	const struct host_library *out = NULL;

	return path_of(loader_find(l, str_of(name), false, &out, NULL), &out);
}

static const char *find_without_defaults(struct loader *l, const char *name)
{
	const struct host_library *out = NULL;

	return path_of(loader_find(l, str_of(name), true, &out, NULL), &out);
}

static const char *find_in(struct loader *l, const char *folder, const char *name)
{
	const struct host_library *out = NULL;

	return path_of(loader_find_in(l, str_of(folder), str_of(name), &out, NULL), &out);
}

static const char *file_at(struct loader *l, const char *path)
{
	const struct host_library *out = NULL;

	return path_of(loader_file(l, str_of(path), &out, NULL), &out);
}

static const char *hwcaps(struct loader *l)
{
	CLEANUP_BUF b = {0};
	size_t n;
	const struct str *v = loader_hwcaps(l, &n);

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%.*s ", STR_ARG(v[i]));
	return arena_cstr(&arena, buf_view(&b));
}

/* --- folders ------------------------------------------------------------------------------ */

static void the_loader_says_its_folders(void **state)
{
	static const char folders[] = "abc\0/opt/lib/\0/usr/lib/x/\0\0/usr/lib/\0";
	struct loader *l;

	(void)state;
	put_glibc("2.17", folders, sizeof folders);
	put_library("/opt/lib/a.so", NULL, NATIVE);
	put_library("/usr/lib/x/a.so", NULL, NATIVE);
	put_library("/usr/lib/x/b.so", NULL, NATIVE);
	put_library("/usr/lib/c.so", NULL, NATIVE);
	l = opened("x86_64", "3.10");
	assert_true(loader_has_root(l));
	assert_true(str_is(loader_glibc(l), "2.17"));
	assert_true(str_is(loader_lib(l), "opt/lib"));
	assert_string_equal(find(l, "a.so"), "/opt/lib/a.so");
	assert_string_equal(find(l, "b.so"), "/usr/lib/x/b.so");
	assert_string_equal(find(l, "c.so"), "");
	assert_string_equal(find(l, "../lib/a.so"), "");
	assert_string_equal(find_without_defaults(l, "a.so"), "");
	loader_close(l);
}

static void without_that_they_go_by_its_c_library(void **state)
{
	struct loader *l;

	(void)state;
	put_glibc("2.17", "", 0);
	put_library("/usr/lib64/a.so", NULL, NATIVE);
	put_library("/usr/lib/b.so", NULL, NATIVE);
	l = opened("x86_64", "3.10");
	assert_true(str_is(loader_lib(l), "lib64"));
	assert_string_equal(find(l, "libc.so.6"), "/lib64/libc.so.6");
	assert_string_equal(find(l, "a.so"), "/usr/lib64/a.so");
	assert_string_equal(find(l, "b.so"), "");
	loader_close(l);
}

/* --- subfolders --------------------------------------------------------------------------- */

static void subfolders_by_age_and_processor(void **state)
{
#if !defined(__aarch64__)
	static const struct {
		const char *glibc, *archspec, *hwcaps;
	} cases[] = {
		{"2.17", "x86_64_v3", "tls/x86_64/ tls/ x86_64/ "},
		{"2.17", "haswell", "tls/x86_64/ tls/ x86_64/ "},
		{"2.28", "x86_64_v3",
			"tls/x86_64/x86_64/ tls/x86_64/ tls/ x86_64/x86_64/ x86_64/ "},
		{"2.28", "haswell",
			"tls/haswell/x86_64/ tls/haswell/ tls/x86_64/ tls/ haswell/x86_64/ "
			"haswell/ "
			"x86_64/ "},
		{"2.36", "x86_64_v2",
			"glibc-hwcaps/x86-64-v2/ tls/x86_64/x86_64/ tls/x86_64/ tls/ "
			"x86_64/x86_64/ "
			"x86_64/ "},
		{"2.37", "x86_64_v4",
			"glibc-hwcaps/x86-64-v4/ glibc-hwcaps/x86-64-v3/ glibc-hwcaps/x86-64-v2/ "},
		{"2.37", "x86_64", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct loader *l;

		put_glibc(cases[i].glibc, "", 0);
		l = opened(cases[i].archspec, "3.10");
		assert_string_equal(hwcaps(l), cases[i].hwcaps);
		loader_close(l);
	}
	put_library("/lib64/a.so", NULL, NATIVE);
	put_library("/lib64/glibc-hwcaps/x86-64-v2/a.so", NULL, NATIVE);
	put_library("/lib64/glibc-hwcaps/x86-64-v3/a.so", NULL, NATIVE);
	put_glibc("2.37", "", 0);
	{
		struct loader *v2 = opened("x86_64_v2", "3.10"), *v3 = opened("x86_64_v3", "3.10"),
			      *none = opened("x86_64", "3.10");

		assert_string_equal(find(v2, "a.so"), "/lib64/glibc-hwcaps/x86-64-v2/a.so");
		assert_string_equal(find(v3, "a.so"), "/lib64/glibc-hwcaps/x86-64-v3/a.so");
		assert_string_equal(find(none, "a.so"), "/lib64/a.so");
		assert_string_equal(
			find_in(v2, "/lib64/", "a.so"), "/lib64/glibc-hwcaps/x86-64-v2/a.so");
		assert_string_equal(file_at(v2, "/lib64/a.so"), "/lib64/a.so");
		loader_close(v2);
		loader_close(v3);
		loader_close(none);
	}
#else
	(void)state;
	skip();
#endif
}

/* --- the cache ---------------------------------------------------------------------------- */

static void the_cache_comes_first(void **state)
{
	static const struct line lines[] = {
		{"a.so", "/opt/a.so", 0, 0, 0},
		{"b.so", "/opt/gone.so", 0, 0, 0},
		{"c.so", "/opt/c.so", 0, 0, 0x0803}, /* of x32 */
		{"d.so", "/lib64/d.so", 0, 0, 0},
		{"e.so", "/opt/foreign.so", 0, 0, 0},
	};
	struct loader *l;

	(void)state;
	put_glibc("2.17", "", 0);
	put_cache(lines, 5);
	put_library("/opt/a.so", NULL, NATIVE);
	put_library("/lib64/a.so", NULL, NATIVE);
	put_library("/usr/lib64/b.so", NULL, NATIVE);
	put_library("/opt/c.so", NULL, NATIVE);
	put_library("/lib64/d.so", NULL, NATIVE);
	put_library("/opt/foreign.so", NULL, EM_PPC64);
	put_library("/lib64/e.so", NULL, NATIVE);
	l = opened("x86_64", "3.10");
	assert_string_equal(find(l, "a.so"), "/opt/a.so");
	assert_string_equal(find(l, "b.so"), "/usr/lib64/b.so");
	assert_string_equal(find(l, "c.so"), "");
	assert_string_equal(find(l, "e.so"), "/lib64/e.so");
	assert_string_equal(find_without_defaults(l, "a.so"), "/opt/a.so");
	assert_string_equal(find(l, "d.so"), "/lib64/d.so");
	assert_string_equal(find_without_defaults(l, "d.so"), "");
	loader_close(l);
}

static void entries_for_some_hosts_only(void **state)
{
	static const struct line lines[] = {
		{"a.so", "/opt/v3.so", EXTENDED(1), 0, 0},
		{"a.so", "/opt/v2.so", EXTENDED(0), 0, 0},
		{"a.so", "/opt/a.so", 0, 0, 0},
		{"b.so", "/opt/v3.so", EXTENDED(9), 0, 0}, /* a name that is not there */
		{"c.so", "/opt/v3.so", UINT64_C(1) << 63, 0, 0},
		{"d.so", "/opt/v3.so", 1 << 2, 0, 0},
		{"e.so", "/opt/v3.so", 0, 0x040000, 0},
	};
	struct loader *l;

	(void)state;
	put_cache(lines, 7);
	put_library("/opt/a.so", NULL, NATIVE);
	put_library("/opt/v2.so", NULL, NATIVE);
	put_library("/opt/v3.so", NULL, NATIVE);
	put_glibc("2.33", "", 0);
	l = opened("x86_64_v2", "3.10");
	assert_string_equal(find(l, "a.so"), "/opt/v2.so");
	assert_string_equal(find(l, "b.so"), "");
	assert_string_equal(find(l, "c.so"), "/opt/v3.so");
	assert_string_equal(find(l, "d.so"), "");
	assert_string_equal(find(l, "e.so"), "");
	loader_close(l);
	l = opened("x86_64_v4", "4.0");
	assert_string_equal(find(l, "a.so"), "/opt/v3.so");
	assert_string_equal(find(l, "e.so"), "/opt/v3.so");
	loader_close(l);
	put_glibc("2.32", "", 0);
	l = opened("x86_64_v4", "3.10");
	assert_string_equal(find(l, "a.so"), "/opt/a.so");
	loader_close(l);
	put_glibc("2.37", "", 0);
	l = opened("x86_64", "3.10");
	assert_string_equal(find(l, "a.so"), "/opt/a.so");
	assert_string_equal(find(l, "c.so"), "");
	assert_string_equal(find(l, "e.so"), "/opt/v3.so");
	loader_close(l);
}

static void caches_of_all_formats(void **state)
{
	static const struct line one[] = {{"a.so", "/opt/a.so", 0, 0, 0}},
				 two[] = {{"a.so", "/opt/b.so", 0, 0, 0},
					 {"a.so", "/opt/v3.so", EXTENDED(1), 0, 0}};
	struct ld_cache c;

	(void)state;
	for (unsigned both = 0; both < 2; both++) {
		CLEANUP_BUF b = {0};

		old_cache(&b, one, 1);
		if (both) {
			b.n = 16 + 12; /* the new one instead of the strings */
			while (b.n % 8)
				buf_putc(&b, 0);
			new_cache(&b, two, 2, 0);
		}
		assert_int_equal(ld_cache_read(&arena, buf_view(&b), &c), 1);
		assert_true(c.n >= 1);
		assert_true(str_is(c.v[0].name, "a.so"));
		assert_true(str_is(c.v[0].path, both ? "/opt/b.so" : "/opt/a.so"));
		/* names of subfolders are not where ld.so looks for them */
		for (size_t i = 0; i < c.n; i++)
			assert_false(str_is(c.v[i].subfolder, "x86-64-v3"));
	}
}

/* Of the other byte order, or cut: nothing, or what is whole. */
static void broken_caches_bring_nothing(void **state)
{
	static const struct line lines[] = {
		{"a.so", "/opt/a.so", EXTENDED(1), 0, 0}, {"b.so", "opt/b.so", 0, 0, 0}};
	CLEANUP_BUF b = {0};
	struct ld_cache c;

	(void)state;
	new_cache(&b, lines, 2, 2);
	assert_int_equal(ld_cache_read(&arena, buf_view(&b), &c), 1);
	assert_int_equal(c.n, 1); /* the other one is relative */
	for (size_t n = 0; n < b.n; n++) {
		const char *exact = arena_cstr(&arena, str_n(b.p, n));

		ld_cache_read(&arena, str_n(exact, n), &c);
		assert_true(c.n <= 1);
	}
	for (size_t i = 20; i < b.n; i++) {
		char *changed = arena_cstr(&arena, buf_view(&b));

		changed[i] = (char)0xff;
		ld_cache_read(&arena, str_n(changed, b.n), &c);
		assert_true(c.n <= 2);
	}
	b.p[28] = 3;
	assert_int_equal(ld_cache_read(&arena, buf_view(&b), &c), 0);
	assert_int_equal(ld_cache_read(&arena, STR("no cache"), &c), 0);
}

/* --- files -------------------------------------------------------------------------------- */

static void links_stay_in_the_root(void **state)
{
	struct loader *l;

	(void)state;
	put_glibc("2.17", "", 0);
	put_library("/opt/real.so", "real", NATIVE);
	assert_int_equal(symlink("/opt/real.so", in_root("/lib64/a.so")), 0);
	assert_int_equal(symlink("../../../../opt/real.so", in_root("/lib64/b.so")), 0);
	assert_int_equal(symlink("c.so", in_root("/lib64/c.so")), 0);
	assert_int_equal(symlink("/proc/self/exe", in_root("/lib64/d.so")), 0);
	assert_int_equal(mkfifo(in_root("/lib64/e.so"), 0644), 0);
	l = opened("x86_64", "3.10");
	assert_string_equal(find(l, "a.so"), "/lib64/a.so");
	assert_string_equal(find(l, "b.so"), "/lib64/b.so");
	assert_string_equal(find(l, "c.so"), "");
	assert_string_equal(find(l, "d.so"), "");
	assert_string_equal(find(l, "e.so"), "");
	assert_true(loader_has_path(l, STR("/lib64/a.so")));
	assert_false(loader_has_path(l, STR("/lib64/c.so")));
	assert_true(loader_has_path(l, STR("/lib64")));
	assert_false(loader_has_path(l, STR("/lib64/d.so")));
	loader_close(l);
}

static void one_file_under_two_names(void **state)
{
	const struct host_library *a, *b, *c;
	struct loader *l;

	(void)state;
	put_glibc("2.17", "", 0);
	put_library("/lib64/a.so", "a", NATIVE);
	put_library("/lib64/c.so", "a", NATIVE);
	assert_int_equal(symlink("lib64", in_root("/link")), 0);
	l = opened("x86_64", "3.10");
	assert_int_equal(loader_file(l, STR("/lib64/a.so"), &a, NULL), 1);
	assert_int_equal(loader_file(l, STR("/link/a.so"), &b, NULL), 1);
	assert_int_equal(loader_file(l, STR("/lib64/c.so"), &c, NULL), 1);
	assert_ptr_equal(loader_identity(a), loader_identity(b));
	assert_ptr_not_equal(loader_identity(a), loader_identity(c));
	assert_true(str_is(b->path, "/link/a.so"));
	assert_true(str_is(b->soname, "a"));
	loader_close(l);
}

/* What is no library ends a search; of another machine it does not. */
static void what_cannot_be_loaded(void **state)
{
	static const char header[64] = "\177ELF\1\1\1";
	const struct str of_32_bits = str_n(header, sizeof header);
	struct loader *l;

	(void)state;
	put_glibc("2.17", "", 0);
	put("/lib64/a.so", STR("GROUP ( libc.so.6 )"));
	put_library("/usr/lib64/a.so", NULL, NATIVE);
	put("/lib64/b.so", STR(""));
	put("/lib64/c.so", of_32_bits);
	put_library("/usr/lib64/c.so", NULL, NATIVE);
	put_library("/lib64/d.so", NULL, EM_PPC64);
	l = opened("x86_64", "3.10");
	assert_string_equal(find(l, "a.so"), "fault");
	assert_string_equal(file_at(l, "/lib64/a.so"), "");
	assert_string_equal(find(l, "b.so"), "fault");
	assert_string_equal(find(l, "c.so"), "/usr/lib64/c.so");
	assert_string_equal(find(l, "d.so"), "");
	loader_close(l);
}

static void kernels(void **state)
{
	static const struct {
		unsigned kernel[3];
		bool too_old;
	} cases[] = {{{2, 6, 32}, false}, {{3, 10, 0}, false}, {{3, 10, 1}, true},
		{{3, 11, 0}, true}, {{4, 0, 0}, true}};
	struct loader *old, *newer;

	(void)state;
	put_glibc("2.17", "", 0);
	old = opened("x86_64", "3.10.0");
	put_glibc("2.36", "", 0);
	newer = opened("x86_64", "3.10.0");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct elf elf = {.type = ET_DYN,
			.machine = NATIVE,
			.bits = 64,
			.dynamic = true,
			.has_kernel = true};

		memcpy(elf.kernel, cases[i].kernel, sizeof elf.kernel);
		assert_int_equal(loader_fits(old, &elf), cases[i].too_old ? FIT_KERNEL : FIT_TAKEN);
		assert_int_equal(loader_fits(newer, &elf), FIT_TAKEN);
		elf.has_kernel = false;
		assert_int_equal(loader_fits(old, &elf), FIT_TAKEN);
		elf.dynamic = false;
		assert_int_equal(loader_fits(old, &elf), FIT_FAILS);
	}
	/* the other byte order ends an old loader */
	assert_int_equal(loader_fits(old, &(struct elf){.type = ET_DYN,
						  .machine = EM_PPC64,
						  .bits = 64,
						  .big_endian = true}),
		FIT_FAILS);
	assert_int_equal(loader_fits(newer, &(struct elf){.type = ET_DYN,
						    .machine = EM_PPC64,
						    .bits = 64,
						    .big_endian = true}),
		FIT_MACHINE);
	loader_close(old);
	loader_close(newer);
}

static void the_loader_itself(void **state)
{
	const struct host_library *x;
	struct loader *l;

	(void)state;
	put_glibc("2.17", "", 0);
	l = opened("x86_64", "3.10");
	assert_int_equal(loader_interpreter(l, STR(""), &x, NULL), 1);
	assert_true(str_is(x->soname, "ld-linux-x86-64.so.2"));
	assert_int_equal(loader_interpreter(l, STR("/lib/ld-other.so.1"), &x, NULL), 0);
	loader_close(l);
}

/* --- a list ------------------------------------------------------------------------------- */

static void a_list_knows_what_it_says(void **state)
{
	struct str versions[] = {STR("GLIBC_2.2.5"), STR("GLIBC_2.12")};
	struct profile_library libraries[] = {
		{STR("libc.so.6"), versions, 2}, {STR("libm.so.6"), NULL, 0}};
	struct profile p = {.name = STR("t"),
		.glibc = STR("2.12"),
		.has_libraries = true,
		.libraries = libraries,
		.n_libraries = 2};
	const struct host_library *x;
	struct loader *l;

	(void)state;
	assert_int_equal(loader_open(&arena, NULL, &p, &l, NULL), 0);
	assert_false(loader_has_root(l));
	assert_true(str_is(loader_glibc(l), "2.12"));
	assert_int_equal(loader_find(l, STR("libc.so.6"), false, &x, NULL), 1);
	assert_int_equal(x->elf.n_defines, 2);
	assert_int_equal(x->path.n, 0);
	assert_int_equal(loader_find(l, STR("libz.so.1"), false, &x, NULL), 0);
	assert_int_equal(loader_find_in(l, STR("/lib64"), STR("libc.so.6"), &x, NULL), 0);
	assert_int_equal(loader_file(l, STR("/lib64/libc.so.6"), &x, NULL), 0);
	assert_false(loader_has_path(l, STR("/lib64/libc.so.6")));
	assert_int_equal(loader_interpreter(l, STR("/lib64/ld-x.so.2"), &x, NULL), 1);
	assert_true(str_is(x->soname, "ld-x.so.2"));
	loader_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_loader_says_its_folders, enter, leave),
		cmocka_unit_test_setup_teardown(
			without_that_they_go_by_its_c_library, enter, leave),
		cmocka_unit_test_setup_teardown(subfolders_by_age_and_processor, enter, leave),
		cmocka_unit_test_setup_teardown(the_cache_comes_first, enter, leave),
		cmocka_unit_test_setup_teardown(entries_for_some_hosts_only, enter, leave),
		cmocka_unit_test_setup_teardown(caches_of_all_formats, enter, leave),
		cmocka_unit_test_setup_teardown(broken_caches_bring_nothing, enter, leave),
		cmocka_unit_test_setup_teardown(links_stay_in_the_root, enter, leave),
		cmocka_unit_test_setup_teardown(one_file_under_two_names, enter, leave),
		cmocka_unit_test_setup_teardown(what_cannot_be_loaded, enter, leave),
		cmocka_unit_test_setup_teardown(kernels, enter, leave),
		cmocka_unit_test_setup_teardown(the_loader_itself, enter, leave),
		cmocka_unit_test_setup_teardown(a_list_knows_what_it_says, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

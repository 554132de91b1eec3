/* Files of ELF facts and symbols, and exported facts: read back as written, and no damage gets through. */
#include "builder/binaries_file.h"

#include "base/file.h"
#include "base/hash.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- what is compared ------------------------------------------------------------------------- */

static void assert_str(struct str a, struct str b)
{
	if (!str_eq(a, b))
		fail_msg("'%.*s' is not '%.*s'", STR_ARG(a), STR_ARG(b));
}

static void assert_names(const struct str *a, const struct str *b, size_t n, size_t m)
{
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++)
		assert_str(a[i], b[i]);
}

static void assert_flags(const struct elf *a, const struct elf *b)
{
	assert_true(a->type == b->type && a->machine == b->machine && a->bits == b->bits);
	assert_true(a->big_endian == b->big_endian && a->dynamic == b->dynamic);
	assert_true(a->static_tls == b->static_tls && a->bind_now == b->bind_now);
	assert_true(a->text_relocations == b->text_relocations &&
		    a->no_default_folders == b->no_default_folders);
	assert_int_equal(a->stack, b->stack);
	assert_int_equal(a->isa_needed, b->isa_needed);
	assert_true(a->tls_size == b->tls_size && a->tls_align == b->tls_align);
	assert_int_equal(a->has_kernel, b->has_kernel);
	for (size_t i = 0; a->has_kernel && i < 3; i++)
		assert_int_equal(a->kernel[i], b->kernel[i]);
}

static void assert_elf(const struct elf *a, const struct elf *b)
{
	assert_flags(a, b);
	assert_str(a->interpreter, b->interpreter);
	assert_str(a->soname, b->soname);
	assert_str(a->rpath, b->rpath);
	assert_str(a->runpath, b->runpath);
	assert_str(a->build_id, b->build_id);
	assert_names(a->needed, b->needed, a->n_needed, b->n_needed);
	assert_names(a->defines, b->defines, a->n_defines, b->n_defines);
	assert_int_equal(a->n_needs, b->n_needs);
	for (size_t i = 0; i < a->n_needs; i++) {
		assert_str(a->needs[i].file, b->needs[i].file);
		assert_str(a->needs[i].version, b->needs[i].version);
		assert_int_equal(a->needs[i].weak, b->needs[i].weak);
	}
	assert_int_equal(a->n_gpu, b->n_gpu);
	for (size_t i = 0; i < a->n_gpu; i++)
		assert_true(a->gpu[i].architecture == b->gpu[i].architecture &&
			    a->gpu[i].ptx == b->gpu[i].ptx);
}

static void assert_binaries(const struct binaries *a, const struct binaries *b)
{
	assert_memory_equal(a->sha256, b->sha256, 32);
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_str(a->v[i].path, b->v[i].path);
		assert_str(a->v[i].fault, b->v[i].fault);
		assert_str(a->v[i].leftover, b->v[i].leftover);
		assert_elf(&a->v[i].elf, &b->v[i].elf);
	}
}

static void assert_symbols(
	const struct elf_symbol *a, const struct elf_symbol *b, size_t n, size_t m)
{
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		assert_str(a[i].name, b[i].name);
		assert_str(a[i].version, b[i].version);
		assert_str(a[i].file, b[i].file);
		assert_true(a[i].weak == b[i].weak && a[i].function == b[i].function &&
			    a[i].hidden == b[i].hidden);
	}
}

/* --- made up: every field is set in one of the files ------------------------------------------- */

static struct str needed[] = {STR_INIT("libc.so.6"), STR_INIT("lib\xff.so"), STR_INIT("libc.so.6")};
static struct str defines[] = {STR_INIT("A_1"), STR_INIT("A_2")};
static struct elf_need needs[] = {{STR_INIT("libc.so.6"), STR_INIT("GLIBC_2.17"), false},
	{STR_INIT("x"), STR_INIT("A_1"), true}};
static struct elf_gpu gpu[] = {{70, false}, {90, true}};
static struct binary made[] = {
	{.path = STR_INIT("bin/other"),
		.elf = {.type = 2, .machine = 21, .bits = 32, .big_endian = true}},
	{.path = STR_INIT("lib/broken.so"), .fault = STR_INIT("'lib/broken.so' is broken")},
	{.path = STR_INIT("lib/x.so"),
		.leftover = STR_INIT("/opt/conda/conda-bld/x"),
		.elf = {.type = 3,
			.machine = 62,
			.bits = 64,
			.interpreter = STR_INIT("/lib64/ld-linux-x86-64.so.2"),
			.soname = STR_INIT("x.so"),
			.rpath = STR_INIT("$ORIGIN/../lib"),
			.runpath = STR_INIT("/ENV/lib"),
			.needed = needed,
			.n_needed = 3,
			.defines = defines,
			.n_defines = 2,
			.needs = needs,
			.n_needs = 2,
			.dynamic = true,
			.has_kernel = true,
			.kernel = {2, 6, 32},
			.isa_needed = ELF_ISA_BASELINE | ELF_ISA_V3,
			.tls_size = 4096,
			.tls_align = 64,
			.static_tls = true,
			.text_relocations = true,
			.bind_now = true,
			.no_default_folders = true,
			.stack = STACK_EXECUTABLE,
			.build_id = STR_INIT("\x01\xab\0\xff"),
			.gpu = gpu,
			.n_gpu = 2}},
};
static const struct binaries made_up = {.sha256 = {0xab, 1}, .v = made, .n = 3};

/* --- real: what this very program is made of ---------------------------------------------------- */

enum { MAX_REAL = 64 };

struct real {
	struct arena a;
	struct binary v[MAX_REAL];
	struct elf_symbols symbols[MAX_REAL];
	size_t n;
};

static bool is_known(const struct real *r, struct str path)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].path, path))
			return true;
	return false;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct binary *)a)->path, ((const struct binary *)b)->path);
}

static void read_real(struct real *r)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps) && r->n < MAX_REAL) {
		char *path = strchr(line, '/');
		CLEANUP_FD fd = -1;
		struct err e = {0};

		if (!path)
			continue;
		path[strcspn(path, "\n")] = '\0';
		struct str rel = str_of(path + 1);
		if (is_known(r, rel) || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		if (binary_read_fd(&r->a, arena_str(&r->a, rel), fd, &r->v[r->n], &e) == 1)
			r->n++;
		assert_int_equal(e.code, 0);
	}
	fclose(maps);
	qsort(r->v, r->n, sizeof *r->v, by_path);
	for (size_t i = 0; i < r->n; i++) {
		char *path = arena_printf(&r->a, "/%.*s", STR_ARG(r->v[i].path));
		CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		binary_read_symbols(&r->a, path, fd, &r->symbols[i], NULL);
	}
}

/* --- elf ------------------------------------------------------------------------------------- */

static void round_trip(const struct binaries *b)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0}, again = {0};
	struct binaries back;
	struct err e = {0};

	binaries_encode(b, &text);
	assert_int_equal(binaries_decode(&a, buf_view(&text), &back, &e), 0);
	assert_binaries(b, &back);
	binaries_encode(&back, &again);
	assert_str(buf_view(&text), buf_view(&again));
}

static void test_elf(void **state)
{
	struct real *r = calloc(1, sizeof *r);
	const struct binaries none = {.sha256 = {7}};

	(void)state;
	assert_non_null(r);
	read_real(r);
	assert_true(r->n >= 3);
	round_trip(&made_up);
	round_trip(&none);
	round_trip(&(struct binaries){.sha256 = {1}, .v = r->v, .n = r->n});
	/* It is something that was compared. */
	size_t with_needs = 0;
	for (size_t i = 0; i < r->n; i++)
		with_needs += r->v[i].elf.n_needs > 0;
	assert_true(with_needs > 0);
	arena_release(&r->a);
	free(r);
}

static void test_elf_damage(void **state)
{
	CLEANUP_BUF text = {0};

	(void)state;
	binaries_encode(&made_up, &text);
	for (size_t i = 0; i < text.n; i++) {
		CLEANUP_ARENA a = {0};
		struct binaries b;

		text.p[i] ^= 0x20;
		assert_int_equal(binaries_decode(&a, buf_view(&text), &b, NULL), -1);
		text.p[i] ^= 0x20;
		assert_int_equal(binaries_decode(&a, str_n(text.p, i), &b, NULL), -1);
	}
}

static void assert_sane(const struct binaries *b)
{
	for (size_t i = 0; i < b->n; i++) {
		assert_true(path_is_safe(b->v[i].path));
		assert_true(i == 0 || str_cmp(b->v[i - 1].path, b->v[i].path) < 0);
		assert_true(b->v[i].elf.stack <= STACK_EXECUTABLE);
	}
}

/* With a right sum: what is inside is refused or holds together. */
static void test_elf_lies(void **state)
{
	enum { HEADER = 8 + 32 };
	static const unsigned char VALUES[] = {0, 1, 0x7f, 0xff};
	CLEANUP_BUF text = {0};
	size_t taken = 0, refused = 0;

	(void)state;
	binaries_encode(&made_up, &text);
	for (size_t i = HEADER; i < text.n; i++) {
		char old = text.p[i];

		for (size_t v = 0; v < sizeof VALUES; v++) {
			CLEANUP_ARENA a = {0};
			struct binaries b;

			text.p[i] = (char)VALUES[v];
			sha256_of(text.p + HEADER, text.n - HEADER, (uint8_t *)text.p + 8);
			if (binaries_decode(&a, buf_view(&text), &b, NULL) < 0) {
				refused++;
				continue;
			}
			taken++;
			assert_sane(&b);
		}
		text.p[i] = old;
	}
	assert_true(taken > 0 && refused > 0);
}

/* --- symbols --------------------------------------------------------------------------------- */

static void write_symbols(struct arena *a, const struct real *r, struct buf *to)
{
	static const uint8_t SUM[32] = {9};
	struct symbols_writer w = {.arena = a};

	for (size_t i = 0; i < r->n; i++)
		symbols_add(&w, r->v[i].path, &r->symbols[i]);
	symbols_encode(&w, SUM, to);
	buf_release(&w.bytes);
}

static void test_symbols(void **state)
{
	static const uint8_t SUM[32] = {9}, OTHER[32] = {8};
	struct real *r = calloc(1, sizeof *r);
	CLEANUP_BUF text = {0};
	struct elf_symbols s;
	struct err e = {0};

	(void)state;
	assert_non_null(r);
	read_real(r);
	write_symbols(&r->a, r, &text);
	assert_int_equal(symbols_check(buf_view(&text), SUM, &e), 0);
	for (size_t i = 0; i < r->n; i++) {
		const struct elf_symbols *was = &r->symbols[i];

		assert_int_equal(
			symbols_find(&r->a, buf_view(&text), SUM, r->v[i].path, &s, &e), 1);
		assert_symbols(s.undefined, was->undefined, s.n_undefined, was->n_undefined);
		assert_symbols(s.defined, was->defined, s.n_defined, was->n_defined);
	}
	assert_int_equal(symbols_find(&r->a, buf_view(&text), SUM, STR("no"), &s, &e), 0);
	assert_int_equal(symbols_find(&r->a, buf_view(&text), OTHER, STR("no"), &s, NULL), -1);
	arena_release(&r->a);
	free(r);
}

static void test_symbols_damage(void **state)
{
	static const uint8_t SUM[32] = {9};
	static struct elf_symbol undefined[] = {{STR_INIT("puts"), STR_INIT("GLIBC_2.2.5"),
							STR_INIT("libc.so.6"), false, true, false},
		{.name = STR_INIT("weak"), .weak = true}};
	static struct elf_symbol defined[] = {
		{.name = STR_INIT("one"), .version = STR_INIT("A_1"), .hidden = true}};
	const struct elf_symbols symbols = {undefined, defined, 2, 1};
	CLEANUP_ARENA a = {0};
	struct symbols_writer w = {.arena = &a};
	CLEANUP_BUF text = {0};

	(void)state;
	symbols_add(&w, STR("a"), &symbols);
	symbols_add(&w, STR("b"), &(struct elf_symbols){0});
	symbols_encode(&w, SUM, &text);
	buf_release(&w.bytes);
	assert_int_equal(symbols_check(buf_view(&text), SUM, NULL), 0);
	for (size_t i = 0; i < text.n; i++) {
		struct elf_symbols s;

		assert_int_equal(symbols_check(str_n(text.p, i), SUM, NULL), -1);
		text.p[i] ^= 0x20;
		assert_int_equal(symbols_check(buf_view(&text), SUM, NULL), -1);
		/* Of one file only what concerns it is looked at. */
		if (symbols_find(&a, buf_view(&text), SUM, STR("a"), &s, NULL) == 1)
			assert_symbols(s.undefined, undefined, s.n_undefined, 2);
		text.p[i] ^= 0x20;
	}
}

/* --- handed on ------------------------------------------------------------------------------- */

static const struct binaries *find(const struct known_binaries *k, const struct binaries *b)
{
	union table_value *v =
		table_get(&k->by_sum, str_n((const char *)b->sha256, sizeof b->sha256));

	return v ? v->ptr : NULL;
}

static void test_export(void **state)
{
	struct real *r = calloc(1, sizeof *r);
	assert_non_null(r);
	read_real(r);
	const struct record record = {.name = STR("x"), .version = STR("1"), .build = STR("0")};
	const struct binaries real = {.sha256 = {3}, .v = r->v, .n = r->n}, none = {.sha256 = {4}};
	const struct binaries *forth[] = {&made_up, &real, &none, &real};
	const struct binaries *back[] = {&none, &real, &made_up};
	const struct record *records[] = {&record, NULL, NULL, NULL},
			    *other[] = {NULL, NULL, &record};
	struct known_binaries k = {.arena = &r->a, .by_sum.arena = &r->a};
	CLEANUP_BUF text = {0}, again = {0};
	struct err e = {0};

	(void)state;
	binaries_export(&r->a, forth, 4, records, &text);
	binaries_export(&r->a, back, 3, other, &again);
	assert_str(buf_view(&text), buf_view(&again));
	if (known_binaries_parse(&k, "facts", buf_view(&text), &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(k.by_sum.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(find(&k, back[i]));
		assert_binaries(back[i], find(&k, back[i]));
	}
	arena_release(&r->a);
	free(r);
}

static void test_refused(void **state)
{
	static const char SUM[] =
		"\"sha256\":\"00000000000000000000000000000000000000000000000000000000000000ff\"";
	static const struct {
		const char *text, *says;
	} CASES[] = {
		{"", "f:1:1: "},
		{"[]", "f:1:1: "},
		{"{}", "f:1:2: it is no file of facts"},
		{"{\"envbuild_facts\":2}", "f:1:19: facts of version 2"},
		{"{\"envbuild_facts\":1,\"packages\":{}}", "f:1:32: "},
		{"{\"envbuild_facts\":1,\n\"packages\":[{}]}", "f:2:14: a package without"},
		{"{\"envbuild_facts\":1,\"packages\":[{\"sha256\":\"xx\",\"files\":[]}]}",
			"no hex digits"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{}]}]}", "usable path"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"../x\"}]}]}",
			"usable path"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\"},{\"path\":"
		 "\"a\"}]}]}",
			"not sorted"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\",\"type\":-1}]}]"
		 "}",
			"out of range"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\",\"needed\":[1]}"
		 "]}]}",
			"a text"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\",\"stack\":"
		 "\"x\"}]}]}",
			"no kind of stack"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\",\"kernel\":\"2."
		 "6\"}]}]}",
			"no version of Linux"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\",\"gpu\":[\"x\"]"
		 "}]}]}",
			"no architecture"},
		{"{\"envbuild_facts\":1,\"packages\":[{@,\"files\":[{\"path\":\"b\",\"soname\":"
		 "\"a\\u0000\"}]}]}",
			"a NUL"},
		{"{\"envbuild_facts\":1,\"packages\":[]} x", "f:1:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		CLEANUP_ARENA a = {0};
		CLEANUP_BUF text = {0};
		struct known_binaries k = {.arena = &a, .by_sum.arena = &a};
		struct str rest = str_of(CASES[i].text);
		struct err e = {0};

		buf_str(&text, str_cut(&rest, '@'));
		if (rest.p) {
			buf_puts(&text, SUM);
			buf_str(&text, rest);
		}
		assert_int_equal(known_binaries_parse(&k, "f", buf_view(&text), &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		if (!strstr(e.text, CASES[i].says) || strncmp(e.text, "f:", 2) != 0)
			fail_msg("case %zu: '%s' says nothing of '%s'", i, e.text, CASES[i].says);
		err_release(&e);
	}
}

/* --- a placeholder ----------------------------------------------------------------------------- */

static void test_replace(void **state)
{
	CLEANUP_ARENA a = {0};
	struct str lib = STR("/opt/placeholder/lib.so");
	struct binary b = {.elf = {.rpath = STR("/opt/placeholder/lib:$ORIGIN:/opt/placeholder"),
				   .interpreter = STR("/lib/ld.so"),
				   .needed = &lib,
				   .n_needed = 1}};

	(void)state;
	binary_replace(&a, &b, STR("/opt/placeholder"), BINARY_PREFIX);
	assert_str(b.elf.rpath, STR("/ENV/lib:$ORIGIN:/ENV"));
	assert_str(b.elf.needed[0], STR("/ENV/lib.so"));
	assert_str(b.elf.interpreter, STR("/lib/ld.so"));
	/* What would make texts longer is not done. */
	binary_replace(&a, &b, STR("/"), BINARY_PREFIX);
	assert_str(b.elf.interpreter, STR("/lib/ld.so"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_elf_damage),
		cmocka_unit_test(test_elf_lies),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_symbols_damage),
		cmocka_unit_test(test_export),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

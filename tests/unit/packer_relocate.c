/* The relocation index and what one file becomes, from tables. */
#include "packer/pack.h"
#include "packer/relocation_write.h"
#include "packer/sums.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char P[] = "/a/placeholder/of/some/length/that/binaries/have/room/in";

struct file_case {
	const char *name;
	const char *original; /* % stands for the prefix, $ for a NUL */
	const char *to;
	const char *expected; /* the same */
	bool binary;
};

#define LONG                                                                                   \
	"/a/path/so/long/that/no/old/kernel/would/take/it/in/a/first/line/of/any/script/that/" \
	"stands/in/it/at/all/or/so/it/seems/to/me"

static const struct file_case cases[] = {
	{"text", "x=%/lib\n%%", "/new", "x=%/lib\n%%", false},
	{"only the prefix", "%", "/new", "%", false},
	{"shebang", "#!%/bin/python\nprint('%')\n", "/new", "#!%/bin/python\nprint('%')\n", false},
	{"shebang with a space", "#!%/bin/python\n%", "/n w", "#!/usr/bin/env python\n%", false},
	{"shebang with a tab", "#!%/bin/python\n%", "/n\tw", "#!/usr/bin/env python\n%", false},
	{"long shebang", "#!%/bin/python3.6\n%", LONG, "#!/usr/bin/env python3.6\n%", false},
	{"long, with an argument", "#!%/bin/perl -w\n", LONG, "#!/usr/bin/env -S perl -w\n", false},
	{"long, an argument of blanks", "#!%/bin/perl \n", LONG, "#!/usr/bin/env perl \n", false},
	{"long, spaces before", "#!   %/bin/python\n", LONG, "#!/usr/bin/env python\n", false},
	{"long, no newline", "#!%/bin/python", LONG, "#!/usr/bin/env python", false},
	{"long, carriage return", "#!%/bin/sh\r\n", LONG, "#!/usr/bin/env sh\r\n", false},
	{"long, prefix as argument", "#!/bin/sh %/x\n", LONG, "#!/usr/bin/env -S sh %/x\n", false},
	{"long, but no path", "#!python %\n", LONG, "#!python %\n", false},
	{"long, prefix in line 2", "#!/bin/sh\n# %\n", LONG, "#!/bin/sh\n# %\n", false},
	{"long, escaped space", "#!%/my\\ bin/py\n", LONG, "#!/usr/bin/env py\n", false},
	{"binary", "$ELF$%/lib$", "/new", "$ELF$%/lib~$", true},
	{"binary, the same string twice", "$%/lib:%/lib64$x$", "/new", "$%/lib:%/lib64~~$x$", true},
	{"binary, side by side", "$%%$%$", "/new", "$%%~~$%~$", true},
	{"binary, without a NUL at the end", "$%/lib", "/new", "$%/lib~", true},
	{"binary, at the start", "%$rest", "/new", "%~$rest", true},
	{"binary, no shebang", "#!%/bin/sh\n$", LONG + 100, "#!%/bin/sh\n~$", true},
};

/* ~ stands for the bytes that one placeholder has more than the prefix, all NUL. */
static void expand(const char *pattern, const char *prefix, struct buf *to)
{
	static const char zeros[256];

	for (; *pattern; pattern++) {
		if (*pattern == '%')
			buf_puts(to, prefix);
		else if (*pattern == '$')
			buf_add(to, "", 1);
		else if (*pattern == '~')
			buf_add(to, zeros, strlen(P) - strlen(prefix));
		else
			buf_putc(to, *pattern);
	}
}

/* The offsets of a pattern expanded with P. */
static size_t offsets_of(const char *pattern, uint64_t offsets[16])
{
	uint64_t at = 0;
	size_t n = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '%')
			offsets[n++] = at;
		at += *pattern == '%' ? strlen(P) : 1;
	}
	return n;
}

static int to_buf(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

static void make_file(struct arena *a, const struct file_case *c, struct str original,
	struct relocation_file *file)
{
	uint64_t offsets[16];
	struct err e = {0};
	struct content_entry entry = {
		.path = STR("lib/file"),
		.size = original.n,
		.prefix = str_of(P),
		.binary = c->binary,
		.offsets = offsets,
		.n_offsets = offsets_of(c->original, offsets),
	};

	assert_int_equal(relocation_file_make(a, &entry, file, &e), 0);
	assert_int_equal(relocation_file_measure(file, original, &e), 0);
}

static void check_file(const struct file_case *c, const struct relocate_entry *f,
	struct str original, struct str expected)
{
	CLEANUP_BUF moved = {0};
	CLEANUP_BUF back = {0};

	assert_true(relocate_holds(f, original.p, original.n, P));
	assert_false(relocate_holds(f, original.p, original.n, c->to));
	assert_int_equal(relocate_convert(f, original.p, original.n, P, c->to, to_buf, &moved), 0);
	assert_int_equal(moved.n, expected.n);
	assert_memory_equal(moved.p, expected.p, expected.n);
	assert_true(relocate_holds(f, moved.p, moved.n, c->to));
	assert_int_equal(relocate_convert(f, moved.p, moved.n, c->to, P, to_buf, &back), 0);
	assert_true(str_eq(buf_view(&back), original));
}

static void every_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct file_case *c = &cases[i];
		CLEANUP_ARENA a = {0};
		CLEANUP_BUF original = {0};
		CLEANUP_BUF expected = {0};
		CLEANUP_BUF index = {0};
		struct relocation_file file, *list = &file;
		struct relocation r;
		struct relocate_entry entry;
		struct relocate_error why;
		size_t cursor;

		print_message("# %s\n", c->name);
		expand(c->original, P, &original);
		expand(c->expected, c->to, &expected);
		make_file(&a, c, buf_view(&original), &file);
		check_file(c, &file.entry, buf_view(&original), buf_view(&expected));
		relocation_write(&list, 1, &index);
		assert_int_equal(relocation_open(&r, index.p, index.n, &why), 0);
		cursor = r.first;
		assert_true(relocation_next(&r, &cursor, &entry));
		assert_string_equal(entry.path, "lib/file");
		check_file(c, &entry, buf_view(&original), buf_view(&expected));
		assert_false(relocation_next(&r, &cursor, &entry));
	}
}

/* Every single changed byte outside the prefixes is seen. */
static void an_edit_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP_ARENA a = {0};
		CLEANUP_BUF original = {0};
		CLEANUP_BUF text = {0};
		struct relocation_file file;

		expand(cases[i].original, P, &original);
		make_file(&a, &cases[i], buf_view(&original), &file);
		buf_str(&text, buf_view(&original));
		for (size_t at = 0; at < text.n; at++) {
			text.p[at] ^= 1;
			if (relocate_holds(&file.entry, text.p, text.n, P))
				fail_msg("%s: byte %zu", cases[i].name, at);
			text.p[at] ^= 1;
		}
		assert_false(relocate_holds(&file.entry, text.p, text.n - 1, P));
		assert_true(relocate_holds(&file.entry, text.p, text.n, P));
	}
}

static void a_binary_cannot_grow(void **state)
{
	static const struct file_case c = {.original = "$%/lib$", .binary = true};
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF original = {0};
	CLEANUP_BUF to = {0};
	struct relocation_file file;

	(void)state;
	expand(c.original, P, &original);
	make_file(&a, &c, buf_view(&original), &file);
	assert_int_not_equal(
		relocate_convert(&file.entry, original.p, original.n, P, LONG, to_buf, &to), 0);
	assert_int_equal(to.n, 0);
}

static void content_that_lies(void **state)
{
	static const struct {
		const char *prefix;
		uint64_t size, offsets[2];
		const char *data;
	} lies[] = {
		{"/abc", 8, {0, 3}, "/abcabcx"}, /* overlap */
		{"/abc", 8, {4, 0}, "/abc/abc"}, /* falling */
		{"/abc", 8, {0, 5}, "/abcx/ab"}, /* beyond the end */
		{"/abc", 8, {0, 4}, "/abc/abx"}, /* something else stands there */
		{"abc", 8, {0, 4}, "abc/abcx"},  /* not absolute */
		{"/abc/", 10, {0, 5}, "/abc//abc/"},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		uint64_t offsets[2] = {lies[i].offsets[0], lies[i].offsets[1]};
		struct content_entry entry = {.path = STR("f"),
			.size = lies[i].size,
			.prefix = str_of(lies[i].prefix),
			.offsets = offsets,
			.n_offsets = 2};
		struct relocation_file file;
		struct err e = {0};
		int rc = relocation_file_make(&a, &entry, &file, &e);

		if (rc == 0)
			rc = relocation_file_measure(&file, str_of(lies[i].data), &e);
		assert_int_equal(rc, -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
}

/* Every cut and every flipped bit of an index is refused, by its sum. */
static void a_damaged_index(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF original = {0};
	CLEANUP_BUF index = {0};
	struct relocation_file file, *list = &file;
	struct relocation r;
	struct relocate_error why;

	(void)state;
	expand(cases[2].original, P, &original);
	make_file(&a, &cases[2], buf_view(&original), &file);
	relocation_write(&list, 1, &index);
	for (size_t n = 0; n < index.n; n++)
		assert_int_equal(relocation_open(&r, index.p, n, &why), -1);
	for (size_t bit = 0; bit < 8 * index.n; bit++) {
		index.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(relocation_open(&r, index.p, index.n, &why), -1);
		assert_int_equal(why.status, RELOCATE_DAMAGED);
		index.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(relocation_open(&r, index.p, index.n, &why), 0);
}

/* The sum does not depend on how the bytes are cut. */
static void the_sum(void **state)
{
	static const char text[] = "some text that is longer than a few words of eight bytes";
	struct relocate_hash whole, cut;
	uint64_t sum;

	(void)state;
	relocate_hash_init(&whole);
	relocate_hash_add(&whole, text, sizeof text);
	sum = relocate_hash_end(&whole);
	for (size_t i = 0; i < sizeof text; i++)
		for (size_t k = i; k < sizeof text; k++) {
			relocate_hash_init(&cut);
			relocate_hash_add(&cut, text, i);
			relocate_hash_add(&cut, text + i, k - i);
			relocate_hash_add(&cut, text + k, sizeof text - k);
			assert_true(relocate_hash_end(&cut) == sum);
		}
}

static void formats(void **state)
{
	static const struct {
		const char *path;
		int format;
	} table[] = {
		{"a.tar.gz", PACK_TAR_GZ},
		{"dir.tar/a.tgz", PACK_TAR_GZ},
		{"a.b.tar.zst", PACK_TAR_ZST},
		{"a.tar", PACK_TAR},
		{"a.tar.xz", -1},
		{".tar.gz", -1},
		{"tar.gz", -1},
		{"atar.gz", -1},
		{"", -1},
	};
	enum pack_format f;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int rc = pack_format_of_path(table[i].path, &f);

		assert_int_equal(rc < 0 ? -1 : (int)f, table[i].format);
	}
	assert_int_equal(pack_format_parse(STR("tar.zst"), &f), 0);
	assert_string_equal(pack_format_name(f), "tar.zst");
	assert_int_equal(pack_format_parse(STR("zip"), &f), -1);
}

static void sums(void **state)
{
	static const char *const paths[] = {"plain", "new\nline", "back\\slash\r", "spa ce"};
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};
	struct table files = {.arena = &a};
	uint8_t sha256[4][SHA256_LEN];
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		sha256_of(paths[i], strlen(paths[i]), sha256[i]);
		sums_add(&text, str_of(paths[i]), sha256[i]);
		table_put(&files, str_of(paths[i]))->ptr = sha256[i];
	}
	assert_int_equal(sums_check(&files, buf_view(&text), &e), 0);
	for (size_t n = 0; n + 1 < text.n; n++) {
		assert_int_equal(sums_check(&files, str_n(text.p, n), &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
	sha256[2][5] ^= 1;
	assert_int_equal(sums_check(&files, buf_view(&text), &e), -1);
	err_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case),
		cmocka_unit_test(an_edit_is_seen),
		cmocka_unit_test(a_binary_cannot_grow),
		cmocka_unit_test(content_that_lies),
		cmocka_unit_test(a_damaged_index),
		cmocka_unit_test(the_sum),
		cmocka_unit_test(formats),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

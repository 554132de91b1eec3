/* The relocation index and what one file becomes, from tables. */
#include "base/file.h"
#include "builder/scan.h"
#include "packer/pack.h"
#include "packer/relocation_write.h"
#include "packer/sums.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char P[] = "/a/placeholder/of/some/length/that/binaries/have/room/in";

struct file_case {
	const char *name;
	/* % stands for the prefix, $ for a NUL, both in an encoding that \1 to \4, \5 (UTF-8) set */
	const char *original;
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
	{"UTF-16", "\1x=%/lib\n%%", "/new", "\1x=%/lib\n%%", false},
	{"every encoding", "\5%\1%\2%\3%\4%\5x%", "/new", "\5%\1%\2%\3%\4%\5x%", false},
	{"shebang, and UTF-16 behind", "#!%/bin/sh\n\2%\n", LONG, "#!/usr/bin/env sh\n\2%\n",
		false},
	{"UTF-16 in the first line", "#!\2%/sh\n", LONG, "#!\2%/sh\n", false},
	{"letters of all lengths", "\1%a\2%b\3%c\4%d", "/\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d",
		"\1%a\2%b\3%c\4%d", false},
	{"binary, UTF-16", "$ELF$\1%/lib$x$", "/new", "$ELF$\1%/lib~$x$", true},
	{"binary, UTF-16, big end first", "\2%/lib$x$", "/new", "\2%/lib~$x$", true},
	{"binary, UTF-32", "\3%/lib:%$x$\4%$", "/new", "\3%/lib:%~~$x$\4%~$", true},
	{"binary, one string of two encodings", "\1%x\5%/y$\1z$", "/new", "\1%x\5%/y\1~\5~$\1z$",
		true},
	{"binary, all", "\5%a:%$\1%b:%$\2%c$\3%d$\4%e$\5%", "/n\xc3\xa4",
		"\5%a:%~~$\1%b:%~~$\2%c~$\3%d~$\4%e~$\5%~", true},
	{"binary, no shebang", "#!%/bin/sh\n$", LONG + 100, "#!%/bin/sh\n~$", true},
};

/*
 * ~ stands for the bytes that one placeholder has more than the prefix, all NUL.  Where places is
 * not NULL they are noted, as in a binary.
 */
static void expand(const char *pattern, const char *prefix, struct buf *to, struct places *places)
{
	enum text_encoding encoding = TEXT_UTF8;

	for (; *pattern; pattern++) {
		size_t unit = text_unit(encoding), before = to->n;

		if (*pattern >= 1 && *pattern <= 5) {
			encoding = (enum text_encoding)(*pattern % 5);
		} else if (*pattern == '%') {
			text_encode(str_of(prefix), encoding, to);
			if (places) {
				places->offsets[places->n] = before;
				places->forms[places->n++].encoding = (uint8_t)encoding;
			}
		} else if (*pattern == '$') {
			buf_add(to, "\0\0\0", unit);
			if (places && places->n && places->forms[places->n - 1].end == 0)
				places->forms[places->n - 1].end = before;
		} else if (*pattern == '~') {
			ptrdiff_t units = text_units(str_of(prefix), encoding);

			for (size_t i = 0; i < (strlen(P) - (size_t)units) * unit; i++)
				buf_putc(to, 0);
		} else {
			text_encode(str_n(pattern, 1), encoding, to);
		}
	}
}

static int to_buf(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

static void make_file(struct arena *a, const struct file_case *c, struct str original,
	struct relocation_file *file)
{
	uint64_t offsets[16];
	struct prefix_form forms[16] = {0};
	struct places places = {offsets, forms, 0};
	CLEANUP_BUF again = {0};
	struct err e = {0};
	bool wide = strpbrk(c->original, "\1\2\3\4") != NULL;

	expand(c->original, P, &again, &places);
	for (size_t i = 0; i < places.n; i++)
		if (!c->binary)
			forms[i].end = 0;
		else if (i + 1 == places.n && !forms[i].end)
			forms[i].end = original.n;
	struct content_entry entry = {
		.path = STR("lib/file"),
		.size = original.n,
		.prefix = str_of(P),
		.binary = c->binary,
		.offsets = offsets,
		.forms = wide ? forms : NULL,
		.n_offsets = places.n,
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
		expand(c->original, P, &original, NULL);
		expand(c->expected, c->to, &expected, NULL);
		make_file(&a, c, buf_view(&original), &file);
		check_file(c, &file.entry, buf_view(&original), buf_view(&expected));
		relocation_write(&list, 1, &index);
		assert_int_equal(relocation_open(&r, index.p, index.n, &why), 0);
		assert_int_equal(r.version, file.entry.forms ? 2 : 1);
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

		expand(cases[i].original, P, &original, NULL);
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
	expand(c.original, P, &original, NULL);
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

/* What takes more units than there is room for, or cannot be written in the encoding. */
static void a_path_that_does_not_fit(void **state)
{
	static const char *const NOT_UTF8[] = {
		"/\xff", "/\xc3", "/\xed\xa0\x80", "/\xc0\xaf", "/\xf4\x90\x80\x80", "/\xe2\x82"};
	static const struct file_case binary = {.original = "\1%$\3%$", .binary = true};
	static const struct file_case text = {.original = "\2%x"};
	const struct file_case *const both[] = {&binary, &text};
	/* As many units of UTF-16 as there is room for, and three bytes of UTF-8 each. */
	char wide[3 * sizeof P + 1] = "/";
	enum relocate_encoding refused;
	size_t units;

	(void)state;
	for (size_t i = 1; i < strlen(P); i++)
		memcpy(wide + 3 * i - 2, "\xe2\x82\xac", 3);
	for (size_t i = 0; i < 2; i++) {
		CLEANUP_ARENA a = {0};
		CLEANUP_BUF original = {0};
		CLEANUP_BUF to = {0};
		struct relocation_file file;

		expand(both[i]->original, P, &original, NULL);
		make_file(&a, both[i], buf_view(&original), &file);
		for (size_t k = 0; k < sizeof NOT_UTF8 / sizeof *NOT_UTF8; k++) {
			assert_false(relocate_fits(&file.entry, NOT_UTF8[k], &refused, &units));
			assert_true(units == SIZE_MAX);
			assert_int_not_equal(relocate_convert(&file.entry, original.p, original.n,
						     P, NOT_UTF8[k], to_buf, &to),
				0);
		}
		assert_true(relocate_fits(&file.entry, wide, &refused, &units));
		assert_int_equal(
			relocate_convert(&file.entry, original.p, original.n, P, wide, to_buf, &to),
			0);
		assert_true(relocate_holds(&file.entry, to.p, to.n, wide));
	}
	memcpy(wide + strlen(wide), "x", 2);
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF original = {0};
	struct relocation_file file;

	expand(binary.original, P, &original, NULL);
	make_file(&a, &binary, buf_view(&original), &file);
	assert_false(relocate_fits(&file.entry, wide, &refused, &units));
	assert_int_equal(refused, RELOCATE_UTF16LE);
	assert_int_equal(units, strlen(P) + 1);
}

/* An index of a later version is no damaged one. */
static void a_later_index(void **state)
{
	CLEANUP_BUF index = {0};
	struct relocation r;
	struct relocate_error why;

	(void)state;
	relocation_write(NULL, 0, &index);
	assert_int_equal(relocation_open(&r, index.p, index.n, &why), 0);
	index.p[sizeof RELOCATE_MAGIC - 1] = '3';
	assert_int_equal(relocation_open(&r, index.p, index.n, &why), -1);
	assert_int_equal(why.status, RELOCATE_FAILED);
	assert_non_null(strstr(why.text, "of version 3, this program knows 1 and 2"));
}

/* Places in other encodings that lie: refused by who writes the index. */
static void forms_that_lie(void **state)
{
	static const struct {
		const char *prefix;
		bool binary;
		uint64_t offsets[2];
		struct prefix_form forms[2];
	} LIES[] = {
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 9}, {5, 20}}},
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 9}, {TEXT_UTF16LE, 0}}},
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 11}, {TEXT_UTF16LE, 18}}},
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 7}, {TEXT_UTF16LE, 18}}},
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 8}, {TEXT_UTF16LE, 31}}},
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 8}, {TEXT_UTF8, 13}}},
		{"/abc", true, {0, 10}, {{TEXT_UTF16LE, 8}, {TEXT_UTF8, 0}}},
		{"/abc", false, {0, 10}, {{TEXT_UTF16LE, 8}, {TEXT_UTF16LE, 0}}},
		{"/abc", false, {0, 10}, {{TEXT_UTF32BE, 0}, {TEXT_UTF16LE, 0}}},
		{"/abc", false, {0, 15}, {{TEXT_UTF16LE, 0}, {TEXT_UTF32LE, 0}}},
		{"/a\xc3\xa4", false, {0, 10}, {{TEXT_UTF16LE, 0}, {TEXT_UTF16LE, 0}}},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof LIES / sizeof *LIES; i++) {
		uint64_t offsets[2] = {LIES[i].offsets[0], LIES[i].offsets[1]};
		struct prefix_form forms[2] = {LIES[i].forms[0], LIES[i].forms[1]};
		struct content_entry entry = {.path = STR("f"),
			.size = 30,
			.prefix = str_of(LIES[i].prefix),
			.binary = LIES[i].binary,
			.offsets = offsets,
			.forms = forms,
			.n_offsets = 2};
		struct relocation_file file;
		struct err e = {0};

		if (relocation_file_make(&a, &entry, &file, &e) == 0)
			fail_msg("lie %zu", i);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
}

/* Every cut and every flipped bit of an index is refused, by its sum. */
static void a_damaged_index(void **state)
{
	static const struct file_case damaged = {.original = "\1%$\5%$\4%$", .binary = true};
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF original = {0};
	CLEANUP_BUF index = {0};
	struct relocation_file file, *list = &file;
	struct relocation r;
	struct relocate_error why;

	(void)state;
	expand(damaged.original, P, &original, NULL);
	make_file(&a, &damaged, buf_view(&original), &file);
	relocation_write(&list, 1, &index);
	for (size_t n = 0; n < index.n; n++)
		assert_int_equal(relocation_open(&r, index.p, n, &why), -1);
	for (size_t bit = 0; bit < 8 * index.n; bit++) {
		index.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(relocation_open(&r, index.p, index.n, &why), -1);
		/* Another version may be meant. */
		assert_true(why.status == RELOCATE_DAMAGED || bit / 8 == sizeof RELOCATE_MAGIC - 1);
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
		{"a.squashfs", PACK_SQUASHFS},
		{"a.tar.gz.00", PACK_TAR_GZ},
		{"a.squashfs.9000", PACK_SQUASHFS},
		{"dir/", PACK_DIR},
		{"a.tar.gz/", PACK_DIR},
		{"dir", -1},
		{"a.dir", -1},
		{"a.00", -1},
		{"a.tar.gz.90", -1},
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
	assert_int_equal(pack_format_parse(STR("dir"), &f), 0);
	assert_int_equal(f, PACK_DIR);
	assert_int_equal(pack_stem_length("a/b.tar.gz.00"), 3);
	assert_int_equal(pack_stem_length("a/b.squashfs"), 3);
	assert_int_equal(pack_stem_length("a/b//"), 3);
	assert_int_equal(pack_stem_length("a/b.00"), 6);
	assert_int_equal(pack_format_parse(STR("zip"), &f), -1);
}

/* What cannot be read is no damage, and its cause is named. */
static void a_record_that_cannot_be_read(void **state)
{
	static const char *const folders[] = {
		"conda-meta", "conda-meta/envbuild", "conda-meta/envbuild/prefix"};
	char place[] = "/tmp/envbuild-unit.XXXXXX", prefix[RELOCATE_PATH_MAX + 1];
	struct relocate_error e = {0};

	(void)state;
	assert_non_null(mkdtemp(place));
	CLEANUP_FD root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mkdirat(root, folders[i], 0755), 0);
	assert_int_equal(relocate_recorded(root, prefix, &e), -1);
	assert_int_equal(e.status, RELOCATE_FAILED);
	assert_non_null(strstr(e.text, "Is a directory"));
	assert_int_equal(dir_remove(place, NULL), 0);
}

/* What somebody put where a temporary goes is not written to, nor waited for. */
static void a_temporary_that_is_there(void **state)
{
	const struct file_case c = {.original = "x=%\n"};
	char place[] = "/tmp/envbuild-unit.XXXXXX";
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF original = {0};
	CLEANUP_BUF index = {0};
	struct relocation_file file, *list = &file;
	struct relocate_request request = {.prefix = "/new"};
	struct relocate_counts counts;
	struct relocate_error why = {0};
	struct str now;
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(place));
	expand("x=%\n", P, &original, NULL);
	make_file(&a, &c, buf_view(&original), &file);
	relocation_write(&list, 1, &index);
	CLEANUP_FD root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	request.root = root;
	assert_int_equal(dir_make(path_join(&a, place, "conda-meta/envbuild"), &e), 0);
	assert_int_equal(dir_make(path_join(&a, place, "lib"), &e), 0);
	assert_int_equal(
		file_write(path_join(&a, place, RELOCATE_INDEX), buf_view(&index), 0644, &e), 0);
	assert_int_equal(
		file_write(path_join(&a, place, "lib/file"), buf_view(&original), 0644, &e), 0);
	assert_int_equal(file_write(path_join(&a, place, "other"), STR("precious"), 0644, &e), 0);
	for (int i = 0; i < 2; i++) {
		char *temp = arena_printf(&a, "lib/.envbuild-relocate.%ld-0.tmp", (long)getpid());

		request.prefix = i ? "/next" : "/new";
		assert_int_equal(
			i ? mkfifoat(root, temp, 0600) : linkat(root, "other", root, temp, 0), 0);
		assert_int_equal(relocate_tree(&request, &counts, &why), 0);
		assert_int_equal(counts.rewritten, 1);
	}
	assert_int_equal(file_read_at(&a, root, "other", 100, &now, &e), 0);
	assert_true(str_is(now, "precious"));
	assert_int_equal(file_read_at(&a, root, "lib/file", 100, &now, &e), 0);
	assert_true(str_is(now, "x=/next\n"));
	assert_int_equal(dir_remove(place, NULL), 0);
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
		cmocka_unit_test(a_path_that_does_not_fit),
		cmocka_unit_test(a_later_index),
		cmocka_unit_test(content_that_lies),
		cmocka_unit_test(forms_that_lie),
		cmocka_unit_test(a_damaged_index),
		cmocka_unit_test(the_sum),
		cmocka_unit_test(a_record_that_cannot_be_read),
		cmocka_unit_test(a_temporary_that_is_there),
		cmocka_unit_test(formats),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

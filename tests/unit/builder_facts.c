/* The facts file: what is written is read back, and no damage gets through. */
#include "builder/facts.h"

#include "base/file.h"
#include "builder/listing.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t offsets[] = {3, 90, 4000};

/* Placeholders of 16 characters: in UTF-8, then two in one string of UTF-16, then UTF-32. */
static uint64_t wide_offsets[] = {0, 40, 80, 200};
static struct prefix_form forms[] = {
	{TEXT_UTF8, 0}, {TEXT_UTF16BE, 0}, {TEXT_UTF16BE, 120}, {TEXT_UTF32LE, 264}};

static struct package_file files[] = {
	{.path = STR_INIT("bin/tool"),
		.mode = 0755,
		.size = 5000,
		.mtime = -7,
		.sha256 = {1, 2, 3},
		.placeholder = STR_INIT("/opt/placeholder"),
		.binary = true,
		.offsets = offsets,
		.n_offsets = 3,
		.undeclared = true,
		.undeclared_prefix = STR_INIT("/home/x/_placehold_placehold")},
	{.path = STR_INIT("bin/wide"),
		.mode = 0644,
		.size = 300,
		.sha256 = {7},
		.placeholder = STR_INIT("/opt/placeholder"),
		.binary = true,
		.offsets = wide_offsets,
		.forms = forms,
		.n_offsets = 4},
	{.path = STR_INIT("lib/dir"), .type = PATH_DIRECTORY, .mode = 0755},
	{.path = STR_INIT("lib/link"),
		.type = PATH_SOFTLINK,
		.mode = 0777,
		.sha256 = {9},
		.link = STR_INIT("../bin/tool")},
	{.path = STR_INIT("lib/plain"), .mode = 0644, .no_link = true, .mtime = 1500000000},
};

enum { N_FILES = sizeof files / sizeof *files };

static struct entry_point points[] = {{STR_INIT("a"), STR_INIT("b.c"), STR_INIT("d")}};

static const struct package package = {.sha256 = {0xab},
	.files = files,
	.n_files = N_FILES,
	.noarch = NOARCH_PYTHON,
	.entry_points = points,
	.n_entry_points = 1,
	.post_link = STR_INIT("bin/.x-post-link.sh"),
	.index_json = STR_INIT("{\"name\": \"x\"}")};

static void assert_same_file(const struct package_file *a, const struct package_file *b)
{
	assert_true(str_eq(a->path, b->path));
	assert_true(a->type == b->type && a->mode == b->mode && a->size == b->size &&
		    a->mtime == b->mtime && a->no_link == b->no_link && a->binary == b->binary &&
		    a->undeclared == b->undeclared && a->n_offsets == b->n_offsets);
	assert_memory_equal(a->sha256, b->sha256, 32);
	assert_true(str_eq(a->link, b->link));
	assert_true(str_eq(a->placeholder, b->placeholder));
	assert_true(str_eq(a->undeclared_prefix, b->undeclared_prefix));
	for (size_t i = 0; i < a->n_offsets; i++)
		assert_true(a->offsets[i] == b->offsets[i]);
	assert_int_equal(a->forms != NULL, b->forms != NULL);
	for (size_t i = 0; a->forms && i < a->n_offsets; i++)
		assert_true(a->forms[i].encoding == b->forms[i].encoding &&
			    a->forms[i].end == b->forms[i].end);
}

static void test_round_trip(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0}, again = {0};
	struct package p = {0};
	struct err e = {0};

	(void)state;
	facts_encode(&package, &text);
	assert_int_equal(facts_decode(&a, buf_view(&text), &p, &e), 0);
	assert_memory_equal(p.sha256, package.sha256, 32);
	assert_int_equal(p.noarch, NOARCH_PYTHON);
	assert_int_equal(p.n_files, N_FILES);
	for (size_t i = 0; i < N_FILES; i++)
		assert_same_file(&p.files[i], &files[i]);
	assert_true(str_eq(p.post_link, package.post_link));
	assert_int_equal(p.pre_link.n, 0);
	assert_true(str_eq(p.index_json, package.index_json));
	assert_true(str_is(p.entry_points[0].module, "b.c"));
	facts_encode(&p, &again);
	assert_true(str_eq(buf_view(&text), buf_view(&again)));
}

/* Each byte flipped, each length cut: refused, since the sum covers all. */
static void test_damage(void **state)
{
	CLEANUP_BUF text = {0};

	(void)state;
	facts_encode(&package, &text);
	for (size_t i = 0; i < text.n; i++) {
		CLEANUP_ARENA a = {0};
		struct package p = {0};
		text.p[i] ^= 0x20;
		assert_int_equal(facts_decode(&a, buf_view(&text), &p, NULL), -1);
		text.p[i] ^= 0x20;
		assert_int_equal(facts_decode(&a, str_n(text.p, i), &p, NULL), -1);
	}
}

/* Every place lies in the file, and behind the string of the place before. */
static void assert_places(const struct package_file *f)
{
	uint64_t after = 0;

	for (size_t i = 0; i < f->n_offsets; i++) {
		const struct prefix_form *form = f->forms ? &f->forms[i] : NULL;
		uint64_t n = f->placeholder.n;

		if (form) {
			assert_true(form->encoding < TEXT_ENCODINGS);
			n *= text_unit((enum text_encoding)form->encoding);
		}
		assert_true(f->offsets[i] >= after && f->offsets[i] + n <= f->size);
		after = f->offsets[i] + n;
		if (form && form->end) {
			assert_true(form->end >= after && form->end <= f->size);
			after = form->end;
		}
	}
}

/* With a right sum, what is inside must still hold together: no crash, no lie about offsets. */
static void test_lies(void **state)
{
	enum { HEADER = 8 + 32 };
	CLEANUP_BUF text = {0};

	(void)state;
	facts_encode(&package, &text);
	for (size_t i = HEADER; i < text.n; i++) {
		static const unsigned char VALUES[] = {0, 1, 0x7f, 0xff};
		char old = text.p[i];
		for (size_t v = 0; v < sizeof VALUES; v++) {
			CLEANUP_ARENA a = {0};
			struct package p = {0};
			text.p[i] = (char)VALUES[v];
			sha256_of(text.p + HEADER, text.n - HEADER, (uint8_t *)text.p + 8);
			if (facts_decode(&a, buf_view(&text), &p, NULL) < 0)
				continue;
			for (size_t k = 0; k < p.n_files; k++)
				assert_places(&p.files[k]);
		}
		text.p[i] = old;
	}
}

/* What an earlier version wrote is no damage: it is read, and what it could not know is added. */
static void test_old_version(void **state)
{
	enum { HEADER = 8 + 32 };
	static const char TEXT[] = "0/0o0p0t0/0p0hx";
	static uint64_t none[1];
	char dir[] = "/tmp/envbuild-facts-XXXXXX";
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};
	struct package p = {0};
	struct err e = {0};
	struct package_file f = {.path = STR_INIT("f"),
		.mode = 0644,
		.size = sizeof TEXT - 1,
		.placeholder = STR_INIT("/opt/ph"),
		.offsets = none};
	struct package old = {.files = &f, .n_files = 1};
	char wide[sizeof TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof TEXT; i++)
		wide[i] = TEXT[i] == '0' ? 0 : TEXT[i];
	assert_non_null(mkdtemp(dir));
	char *path = path_join(&a, dir, "f");
	assert_int_equal(file_write(path, str_n(wide, sizeof TEXT - 1), 0644, &e), 0);
	sha256_of(wide, sizeof TEXT - 1, f.sha256);
	facts_encode(&old, &text);
	assert_false(facts_is_old(buf_view(&text)));
	text.p[7] = '1';
	assert_true(facts_is_old(buf_view(&text)));
	assert_int_equal(facts_decode(&a, buf_view(&text), &p, NULL), -1);
	assert_int_equal(facts_renew(&a, buf_view(&text), dir, &p, &e), 0);
	assert_int_equal(p.files[0].n_offsets, 1);
	assert_int_equal(p.files[0].forms[0].encoding, TEXT_UTF16BE);
	/* Of a cache that is only read nothing is written. */
	assert_int_equal(dir_make(path_join(&a, dir, "files"), &e), 0);
	assert_int_equal(
		file_write(path_join(&a, dir, "files/f"), str_n(wide, sizeof TEXT - 1), 0644, &e),
		0);
	char *facts = path_join(&a, dir, "facts");
	assert_int_equal(file_write(facts, buf_view(&text), 0644, &e), 0);
	for (int ours = 0; ours < 2; ours++) {
		struct str now;
		assert_int_equal(facts_load(&a, dir, ours, &p, &e), 0);
		assert_int_equal(file_read(&a, facts, 4096, &now, &e), 0);
		assert_int_equal(facts_is_old(now), !ours);
	}
	/* A file that somebody changed is not taken for what it was. */
	wide[1] = 'x';
	assert_int_equal(file_write(path, str_n(wide, sizeof TEXT - 1), 0644, &e), 0);
	assert_int_equal(facts_renew(&a, buf_view(&text), dir, &p, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	assert_int_equal(dir_remove(dir, NULL), 0);
}

/* That a file cannot be read does not mean that the package lacks it. */
static void test_info(void **state)
{
	char place[] = "/tmp/envbuild-unit.XXXXXX";
	struct arena a = {0};
	struct str text;
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(place));
	CLEANUP_FD root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(info_read(&a, root, "paths.json", 100, &text, &e), 0);
	assert_int_equal(mkdirat(root, "info", 0755), 0);
	assert_int_equal(info_read(&a, root, "paths.json", 100, &text, &e), 0);
	assert_int_equal(mkdirat(root, "info/paths.json", 0755), 0);
	assert_int_equal(info_read(&a, root, "paths.json", 100, &text, &e), 0);
	assert_int_equal(
		file_write(path_join(&a, place, "info/files"), STR("text\n"), 0644, &e), 0);
	assert_int_equal(info_read(&a, root, "files", 5, &text, &e), 1);
	assert_true(str_is(text, "text\n"));
	assert_int_equal(info_read(&a, root, "files", 4, &text, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	assert_int_equal(info_read(&a, -1, "files", 100, &text, &e), -1);
	assert_int_equal(e.code, ERR_SYSTEM);
	err_release(&e);
	assert_int_equal(dir_remove(place, NULL), 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_old_version),
		cmocka_unit_test(test_info),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

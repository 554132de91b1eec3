/* The facts file: what is written is read back, and no damage gets through. */
#include "builder/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t offsets[] = {3, 90, 4000};

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
	{.path = STR_INIT("lib/dir"), .type = PATH_DIRECTORY, .mode = 0755},
	{.path = STR_INIT("lib/link"),
		.type = PATH_SOFTLINK,
		.mode = 0777,
		.sha256 = {9},
		.link = STR_INIT("../bin/tool")},
	{.path = STR_INIT("lib/plain"), .mode = 0644, .no_link = true, .mtime = 1500000000},
};

static struct entry_point points[] = {{STR_INIT("a"), STR_INIT("b.c"), STR_INIT("d")}};

static const struct package package = {.sha256 = {0xab},
	.files = files,
	.n_files = 4,
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
	assert_int_equal(p.n_files, 4);
	for (size_t i = 0; i < 4; i++)
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
				for (size_t o = 0; o < p.files[k].n_offsets; o++)
					assert_true(
						p.files[k].offsets[o] + p.files[k].placeholder.n <=
						p.files[k].size);
		}
		text.p[i] = old;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_lies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

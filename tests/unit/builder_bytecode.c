#include "builder/bytecode_cache.h"

#include "base/buf.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Facts of compiled files in the package cache: written, read back, damaged. */

static struct arena arena;
static struct cache cache;

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	setenv("ENVBUILD_NO_FSYNC", "1", 1);
	cache.dir = dir_temp(&arena, tmp ? tmp : "/tmp", "bytecode", NULL);
	return cache.dir ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	dir_remove(cache.dir, NULL);
	arena_release(&arena);
	return 0;
}

/* An entry of two compiled files and one source that does not compile; the path where it stands. */
static char *publish(struct bytecode_entry *entry, uint8_t package_sum)
{
	struct package package = {.sha256 = {package_sum}}, python = {.sha256 = {9}};
	struct bytecode files[] = {{.source = STR("site-packages/a.py"), .size = 3},
		{.source = STR("site-packages/b.py"), .absent = true},
		{.source = STR("site-packages/c.py"), .size = 1}};
	char *draft = path_join(&arena, cache.dir, "draft");
	char *folder = path_join(&arena, draft, "files");

	sha256_of("aaa", 3, files[0].sha256);
	sha256_of("c", 1, files[2].sha256);
	bytecode_entry_init(entry, &package, &python, STR("lib/python3.11/site-packages"));
	entry->files = files;
	entry->n_files = 3;
	assert_int_equal(dir_make(folder, NULL), 0);
	assert_int_equal(file_write(path_join(&arena, folder, "0"), STR("aaa"), 0644, NULL), 0);
	assert_int_equal(file_write(path_join(&arena, folder, "2"), STR("c"), 0644, NULL), 0);
	assert_int_equal(bytecode_entry_publish(&cache, draft, entry, NULL), 0);
	assert_int_equal(dir_remove(draft, NULL), 0);
	entry->files = NULL;
	return path_join(&arena, cache.dir, bytecode_entry_rel(&arena, entry->key));
}

static void round_trip(void **state)
{
	struct bytecode_entry made, read;
	char *dir = publish(&made, 1);
	const struct bytecode *code;

	(void)state;
	assert_int_equal(bytecode_entry_read(&arena, dir, &read, NULL), 0);
	assert_memory_equal(read.key, made.key, SHA256_LEN);
	assert_memory_equal(read.python, made.python, SHA256_LEN);
	assert_true(str_is(read.site_packages, "lib/python3.11/site-packages"));
	assert_int_equal(read.n_files, 3);
	code = bytecode_entry_find(&read, STR("site-packages/c.py"));
	assert_non_null(code);
	assert_string_equal(code->name, "2");
	assert_int_equal(code->size, 1);
	assert_true(bytecode_entry_find(&read, STR("site-packages/b.py"))->absent);
	assert_null(bytecode_entry_find(&read, STR("site-packages/d.py")));
	assert_int_equal(bytecode_entry_verify(dir, NULL), 0);
	assert_int_equal(file_write(path_join(&arena, dir, "files/2"), STR("d"), 0644, NULL), 0);
	assert_int_equal(bytecode_entry_verify(dir, NULL), -1);
}

/* The key depends on all that the bytes depend on. */
static void keys_differ(void **state)
{
	struct package one = {.sha256 = {1}}, two = {.sha256 = {2}};
	struct bytecode_entry a, b, c, d;

	(void)state;
	bytecode_entry_init(&a, &one, &two, STR("lib/python3.11/site-packages"));
	bytecode_entry_init(&b, &two, &one, STR("lib/python3.11/site-packages"));
	bytecode_entry_init(&c, &one, &two, STR("lib/python3.12/site-packages"));
	bytecode_entry_init(&d, &one, &two, STR("lib/python3.11/site-packages"));
	assert_memory_not_equal(a.key, b.key, SHA256_LEN);
	assert_memory_not_equal(a.key, c.key, SHA256_LEN);
	assert_memory_equal(a.key, d.key, SHA256_LEN);
}

/* Whatever byte is wrong, and wherever it ends, it is noticed. */
static void damage(void **state)
{
	struct bytecode_entry made, read;
	char *dir = publish(&made, 3), *facts = path_join(&arena, dir, "facts");
	struct str text;

	(void)state;
	assert_int_equal(file_read(&arena, facts, 1 << 20, &text, NULL), 0);
	for (size_t i = 0; i < text.n; i++) {
		struct str copy = arena_str(&arena, text);
		((char *)copy.p)[i] ^= 1;
		assert_int_equal(file_write(facts, copy, 0644, NULL), 0);
		assert_int_equal(bytecode_entry_read(&arena, dir, &read, NULL), -1);
		assert_int_equal(file_write(facts, str_sub(text, 0, i), 0644, NULL), 0);
		assert_int_equal(bytecode_entry_read(&arena, dir, &read, NULL), -1);
	}
	/* One whose facts are damaged makes room; a good one stays. */
	publish(&made, 3);
	assert_int_equal(bytecode_entry_read(&arena, dir, &read, NULL), 0);
	assert_int_equal(file_write(path_join(&arena, dir, "mark"), STR("x"), 0644, NULL), 0);
	publish(&made, 3);
	assert_true(path_exists(path_join(&arena, dir, "mark")));
}

/* "%z" stands for a NUL, "%1" for a sum of ones. */
static void expand(const char *form, struct buf *to)
{
	for (const char *p = form; *p; p++) {
		if (*p != '%')
			buf_putc(to, *p);
		else if (*++p == 'z')
			buf_putc(to, '\0');
		else
			for (int k = 0; k < SHA256_HEX; k++)
				buf_putc(to, *p);
	}
}

/* Reads facts with this body, in a folder of their own key and with their own sum. */
static int read_body(const char *form)
{
	CLEANUP_BUF body = {0}, text = {0};
	struct bytecode_entry entry;
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	size_t head = 0;

	expand(form, &body);
	for (int fields = 0; head < body.n && fields < 4; head++)
		fields += body.p[head] == '\0';
	sha256_of(body.p, head, sum);
	hex_encode(sum, SHA256_LEN, hex);
	char *dir = path_join(&arena, cache.dir, arena_printf(&arena, "%s", hex));
	assert_int_equal(dir_make(dir, NULL), 0);
	sha256_of(body.p, body.n, sum);
	hex_encode(sum, SHA256_LEN, hex);
	buf_add(&text, hex, sizeof hex);
	buf_str(&text, buf_view(&body));
	assert_int_equal(
		file_write(path_join(&arena, dir, "facts"), buf_view(&text), 0644, NULL), 0);
	return bytecode_entry_read(&arena, dir, &entry, NULL);
}

/* Sums that are right do not make facts true. */
static void hostile(void **state)
{
	static const char *const bodies[] = {
		"envbuild bytecode 1%z%1%z%2%zlib%z../../x%z%1%z3%z",
		"envbuild bytecode 1%z%1%z%2%zlib%za.py%z%1%z-3%z",
		"envbuild bytecode 1%z%1%z%2%zlib%zb.py%z%1%z3%za.py%z%1%z3%z",
		"envbuild bytecode 1%z%1%z%2%zlib%za.py%z%1%z3%za.py%z%1%z3%z",
		"envbuild bytecode 1%z%1%z%2%zlib%za.py%zzz%z3%z",
		"envbuild bytecode 1%z%1%z%2%zlib%za.py%z",
		"envbuild bytecode 9%z%1%z%2%zlib%z",
		"envbuild bytecode 1%z%1%z",
	};

	(void)state;
	assert_int_equal(
		read_body("envbuild bytecode 1%z%1%z%2%zlib%za.py%z%1%z3%zb.py%z-%z0%z"), 0);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		assert_int_equal(read_body(bodies[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(damage),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

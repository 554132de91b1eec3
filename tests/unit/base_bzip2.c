/*
 * Reading bzip2, held against the program bzip2 and libarchive.
 * timeout: 300
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bzip2.h"
#include "base/bzip2_block.h"
#include "base/file.h"
#include "base/hash.h"
#include "tests/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is compared with: the program bzip2, over files in a folder of the test's own. */
static char *folder;

static int make_folder(void **state)
{
	struct arena a = {0};
	struct err e = {0};

	(void)state;
	folder = xstrdup(dir_temp(&a, getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", "bzip2", &e));
	arena_release(&a);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	dir_remove(folder, NULL);
	free(folder);
	return 0;
}

/* The output of `bzip2 OPTION` over the bytes; its exit status. */
static int run_bzip2(struct arena *a, const char *option, struct str in, struct str *out)
{
	char *from = path_join(a, folder, "in"), *to = path_join(a, folder, "out");
	struct err e = {0};
	char *command = arena_printf(a, "bzip2 %s <'%s' >'%s' 2>/dev/null", option, from, to);

	assert_int_equal(file_write(from, in, 0600, &e), 0);
	int status = system(command);
	assert_int_equal(file_read(a, to, SIZE_MAX - 1, out, &e), 0);
	return WEXITSTATUS(status);
}

static int unpack(struct bunzip_crew *crew, struct memory m, struct buf *out, struct err *e)
{
	struct bunzip *b = bunzip_open(crew, read_memory, &m, "x.bz2");
	static char piece[70001];
	ptrdiff_t n;

	while ((n = bunzip_read(b, piece, sizeof piece, e)) > 0)
		buf_add(out, piece, (size_t)n);
	bunzip_close(b);
	return n < 0 ? -1 : 0;
}

/* With threads and without, in large pieces and small, it says what bzip2 says. */
static void compare(struct arena *a, const char *name, struct str packed)
{
	struct bunzip_crew *crew = bunzip_crew_new(3);
	struct str right;
	int status = run_bzip2(a, "-dc", packed, &right);

	for (unsigned i = 0; i < 4; i++) {
		CLEANUP_BUF out = {0};
		struct err e = {0};
		struct memory m = {.rest = packed, .step = i & 1 ? 777 : 0};
		int rc = unpack(i & 2 ? crew : NULL, m, &out, &e);
		if ((rc == 0) != (status == 0))
			fail_msg("%s: bzip2 says %d, we say %s", name, status, rc ? e.text : "ok");
		if (rc == 0 && !str_eq(buf_view(&out), right))
			fail_msg("%s: %zu bytes that are not bzip2's %zu", name, out.n, right.n);
		if (rc < 0)
			assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
	bunzip_crew_free(crew);
}

static struct str pack(struct arena *a, const char *option, struct str data)
{
	struct str out;

	assert_int_equal(run_bzip2(a, option, data, &out), 0);
	return out;
}

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

static char letter(unsigned kind, uint32_t r)
{
	if (kind == 0)
		return "etaoin shrdlu\n"[r % 14];
	if (kind == 2)
		return '\0';
	return (char)(kind == 4 ? 'a' + (r & 1) : r >> 4);
}

/* kind: 0 text, 1 noise, 2 zeros, 3 runs of all lengths, 4 few letters */
static struct str some_data(struct arena *a, unsigned kind, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	uint32_t x = kind + 1;

	for (size_t i = 0; i < n;) {
		uint32_t r = next_random(&x);
		size_t run = kind == 3 ? r % 600 + 1 : 1;
		for (; run > 0 && i < n; run--, i++)
			p[i] = letter(kind, r);
	}
	return str_n(p, n);
}

static void test_kinds(void **state)
{
	static const size_t sizes[] = {0, 1, 3, 4, 5, 259, 260, 100000, 400000};
	struct arena a = {0};

	(void)state;
	for (unsigned kind = 0; kind < 5; kind++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			struct str data = some_data(&a, kind, sizes[i]);
			compare(&a, "level 1", pack(&a, "-1", data));
			if (i + 1 == sizeof sizes / sizeof *sizes)
				compare(&a, "level 9",
					pack(&a, "-9", some_data(&a, kind, 1000000)));
		}
	/* One block that becomes 9 MB. */
	compare(&a, "zeros", pack(&a, "-9", some_data(&a, 2, 9000000)));
	arena_release(&a);
}

static struct str join(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);

	memcpy(p, x.p, x.n);
	memcpy(p + x.n, y.p, y.n);
	return str_n(p, x.n + y.n);
}

static void test_streams(void **state)
{
	struct arena a = {0};
	struct str text = pack(&a, "-1", some_data(&a, 0, 300000)), none = pack(&a, "-9", STR(""));
	struct str both = join(&a, text, pack(&a, "-9", some_data(&a, 1, 500000)));

	(void)state;
	compare(&a, "two streams", both);
	compare(&a, "empty streams between", join(&a, join(&a, none, text), join(&a, none, both)));
	compare(&a, "garbage behind", join(&a, both, STR("garbage")));
	compare(&a, "zeros behind", join(&a, both, str_n("\0\0\0\0\0\0\0\0", 8)));
	compare(&a, "half a header behind", join(&a, both, STR("BZ")));
	compare(&a, "a header without a level behind", join(&a, both, STR("BZh0abcdefgh")));
	compare(&a, "a header and garbage behind", join(&a, both, STR("BZh9abcdefghijkl")));
	compare(&a, "a header behind", join(&a, both, STR("BZh9")));
	compare(&a, "nothing", STR(""));
	compare(&a, "no bzip2", STR("this is no bzip2 at all"));
	compare(&a, "a part of the magic", STR("BZ"));
	arena_release(&a);
}

/* Bits, the highest of each byte first. */
struct bits {
	uint8_t *p;
	size_t n;
};

static void put_bits(struct bits *b, uint64_t v, unsigned n)
{
	for (; n > 0; n--, b->n++)
		b->p[b->n / 8] = (uint8_t)(b->p[b->n / 8] | (v >> (n - 1) & 1) << (7 - b->n % 8));
}

/*
 * A good stream of one block in which the magic of a block stands every 200 bytes: its codes all
 * have 9 bits, so that the symbols can be chosen to make it.
 */
static struct str stream_with_magics(struct arena *a, size_t n, uint32_t crc)
{
	static const unsigned magic[] = {3, 40, 86, 147, 83, 178};
	struct bits b = {.p = arena_alloc(a, n * 2 + 1000)};
	uint32_t x = 5;

	put_bits(&b, 0x425a6839, 32);
	put_bits(&b, 0x314159265359, 48);
	put_bits(&b, crc, 32);
	put_bits(&b, 0, 25);
	for (unsigned i = 0; i < 17; i++)
		put_bits(&b, 0xffff, 16);
	put_bits(&b, 2, 3);
	put_bits(&b, n / 50 + 1, 15);
	for (size_t i = 0; i < n / 50 + 1; i++)
		put_bits(&b, 0, 1);
	for (unsigned t = 0; t < 2; t++) {
		put_bits(&b, 9, 5);
		for (unsigned i = 0; i < 258; i++)
			put_bits(&b, 0, 1);
	}
	for (size_t i = 0; i < n; i++)
		put_bits(&b, i % 180 < 6 ? magic[i % 180] : next_random(&x) % 255 + 2, 9);
	put_bits(&b, 257, 9);
	put_bits(&b, 0x177245385090, 48);
	put_bits(&b, crc, 32);
	return str_n((const char *)b.p, (b.n + 7) / 8);
}

/* The sum that such a block must have. */
static uint32_t sum_of_block(struct str stream)
{
	struct bz_block block = {0};
	static uint8_t piece[70000];
	size_t n = 1;

	assert_int_equal(bz_block_read(&block, (const uint8_t *)stream.p, stream.n - BZ_PAD, 32, 9),
		BZ_BLOCK_OK);
	while (n > 0)
		assert_true(bz_block_write(&block, piece, sizeof piece, &n));
	uint32_t crc = ~block.crc_is;
	bz_block_release(&block);
	return crc;
}

static void test_magic_in_good_block(void **state)
{
	struct arena a = {0};
	size_t n = 60000;
	struct str wrong = stream_with_magics(&a, n, 0), packed, right;

	(void)state;
	char *padded = arena_alloc(&a, wrong.n + BZ_PAD);
	memcpy(padded, wrong.p, wrong.n);
	packed = stream_with_magics(&a, n, sum_of_block(str_n(padded, wrong.n + BZ_PAD)));
	assert_int_equal(run_bzip2(&a, "-dc", packed, &right), 0);
	assert_true(right.n >= n);
	compare(&a, "magics in a good block", packed);
	struct str more = join(&a, packed, pack(&a, "-9", some_data(&a, 0, 2000000)));
	compare(&a, "and good blocks behind it", join(&a, more, packed));
	arena_release(&a);
}

/* What looks like the start of a block, or the end of a stream, within a block. */
static void test_false_magic(void **state)
{
	static const char magics[] = "\x31\x41\x59\x26\x53\x59\x17\x72\x45\x38\x50\x90";
	struct arena a = {0};
	struct str data = some_data(&a, 1, 200000);
	struct str packed = pack(&a, "-1", data);
	char *p = arena_alloc(&a, packed.n);

	(void)state;
	/* Wherever it is put, what is damaged for bzip2 is damaged for us. */
	for (size_t at = 60; at + 20 < packed.n; at += packed.n / 17) {
		memcpy(p, packed.p, packed.n);
		memcpy(p + at, magics + (at & 1 ? 0 : 6), 6);
		compare(&a, "a magic in a block", str_n(p, packed.n));
	}
	/* Behind a stream it is garbage, however often. */
	for (size_t i = 0; i < 1000; i++)
		memcpy(p + i * 12, magics, 12);
	compare(&a, "magics behind", join(&a, packed, str_n(p, 12000)));
	arena_release(&a);
}

static void test_damage(void **state)
{
	struct arena a = {0};
	struct str packed = pack(&a, "-1", some_data(&a, 0, 150000));
	char *p = arena_alloc(&a, packed.n);
	uint32_t x = 7;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		memcpy(p, packed.p, packed.n);
		size_t at = i < 20 ? i : i < 30 ? packed.n - (i - 19) : next_random(&x) % packed.n;
		p[at] = (char)(p[at] ^ 1 << next_random(&x) % 8);
		compare(&a, "a flipped bit", str_n(p, packed.n));
		compare(&a, "cut short", str_n(packed.p, next_random(&x) % packed.n));
	}
	arena_release(&a);
}

static void test_source_fails(void **state)
{
	struct arena a = {0};
	struct str packed = pack(&a, "-1", some_data(&a, 0, 400000));
	struct bunzip_crew *crew = bunzip_crew_new(2);

	(void)state;
	for (size_t n = 0; n < packed.n; n += packed.n / 5) {
		CLEANUP_BUF out = {0};
		struct err e = {0};
		struct memory m = {.rest = str_n(packed.p, n), .fails = true};
		assert_int_equal(unpack(crew, m, &out, &e), -1);
		assert_int_equal(e.code, ERR_NETWORK);
		err_release(&e);
	}
	bunzip_crew_free(crew);
	arena_release(&a);
}

static ptrdiff_t read_file(void *ctx, void *p, size_t n, struct err *e)
{
	ssize_t got = read_full(fileno(ctx), p, n);

	return got < 0 ? err_sys(e, "cannot read") : got;
}

/* sha256 of what comes out of a file by us, or by libarchive. */
static void sum_of(struct bunzip_crew *crew, const char *path, bool ours, uint8_t sum[SHA256_LEN])
{
	struct hash *h = hash_new(HASH_SHA256);
	static char piece[1 << 18];
	struct err e = {0};
	FILE *f = fopen(path, "r");
	struct bunzip *b = ours ? bunzip_open(crew, read_file, f, path) : NULL;
	struct unpacker *u = ours ? NULL : unpacker_open_path(path, &e);
	ptrdiff_t n;

	while ((n = ours ? bunzip_read(b, piece, sizeof piece, &e)
			 : unpacker_read(u, piece, sizeof piece, &e)) > 0)
		hash_update(h, piece, (size_t)n);
	assert_int_equal(n, 0);
	hash_final(h, sum);
	hash_free(h);
	bunzip_close(b);
	unpacker_close(u);
	fclose(f);
}

/* A sample of the real packages (ENVBUILD_TEST_LONG: all), the same bytes as from libarchive. */
static void test_real(void **state)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	struct arena a = {0};
	struct bunzip_crew *crew;
	struct str list = {0};
	struct err e = {0};
	size_t n = 0, every = getenv("ENVBUILD_TEST_LONG") ? 1 : 29;

	(void)state;
	if (!data || !*data) {
		print_message("# skip test_real: no real packages (ENVBUILD_SHARED_DATA)\n");
		skip();
	}
	char *to = path_join(&a, folder, "list");
	assert_int_equal(
		system(arena_printf(&a, "ls -S '%s'/channel/*/*.tar.bz2 >'%s'", data, to)), 0);
	assert_int_equal(file_read(&a, to, SIZE_MAX - 1, &list, &e), 0);
	crew = bunzip_crew_new(2);
	for (size_t i = 0; list.n > 0; i++) {
		uint8_t is[SHA256_LEN], right[SHA256_LEN];
		char *path = arena_cstr(&a, str_cut(&list, '\n'));
		if (i % every != 2 % every || !*path)
			continue;
		sum_of(crew, path, true, is);
		sum_of(crew, path, false, right);
		if (memcmp(is, right, SHA256_LEN) != 0)
			fail_msg("%s: other bytes than libarchive's", path);
		n++;
	}
	assert_true(n > 3);
	bunzip_crew_free(crew);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_false_magic),
		cmocka_unit_test(test_magic_in_good_block),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_source_fails),
		cmocka_unit_test(test_real),
	};
	return cmocka_run_group_tests_name("bzip2", tests, make_folder, remove_folder);
}

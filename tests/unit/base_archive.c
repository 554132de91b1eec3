#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/archive.h"
#include "base/file.h"
#include "base/tar_blocks.h"
#include "tests/memory.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void unpack(struct str packed, size_t step, struct buf *out, struct err *e)
{
	struct memory m = {.rest = packed, .step = step};
	struct unpacker *u = unpacker_open(read_memory, &m, "x.gz", e);
	char piece[1000];
	ptrdiff_t n;

	while (u && (n = unpacker_read(u, piece, sizeof piece, e)) > 0)
		buf_add(out, piece, (size_t)n);
	unpacker_close(u);
}

static struct str some_data(struct arena *a, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)('a' + (x >> 28));
	}
	return str_n(p, n);
}

typedef int compressor(struct str data, int level, struct buf *to, struct err *e);

static void members_come_back_joined(void **state)
{
	compressor *const kinds[] = {gzip_member, zstd_frame};
	const size_t sizes[] = {0, 1, 511, 300000};
	CLEANUP_ARENA a = {0};
	struct err e = {0};

	(void)state;
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			struct str data = some_data(&a, sizes[i]);
			CLEANUP_BUF packed = {0}, again = {0}, out = {0};

			assert_int_equal(kinds[k](data, 6, &packed, &e), 0);
			assert_int_equal(kinds[k](data, 6, &again, &e), 0);
			assert_true(str_eq(buf_view(&packed), buf_view(&again)));
			assert_int_equal(kinds[k](STR("tail"), 9, &packed, &e), 0);
			unpack(buf_view(&packed), i == 2 ? 1 : 0, &out, &e);
			assert_null(e.text);
			assert_int_equal(out.n, sizes[i] + 4);
			assert_true(str_eq(str_sub(buf_view(&out), 0, sizes[i]), data));
		}
}

static void levels_have_bounds(void **state)
{
	CLEANUP_BUF b = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(gzip_member(STR("x"), 0, &b, &e), -1);
	assert_int_equal(gzip_member(STR("x"), 13, &b, &e), -1);
	assert_int_equal(zstd_frame(STR("x"), 20, &b, &e), -1);
	assert_int_equal(zstd_frame(STR("x"), 0, &b, &e), -1);
	assert_int_equal(b.n, 0);
	err_release(&e);
	assert_true(str_starts(str_of(gzip_version()), STR("libdeflate ")));
	assert_true(str_starts(str_of(zstd_version()), STR("zstd ")));
}

static void a_damaged_stream_is_noticed(void **state)
{
	compressor *const kinds[] = {gzip_member, zstd_frame};
	CLEANUP_ARENA a = {0};
	struct str data = some_data(&a, 300000);

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		CLEANUP_BUF packed = {0}, out = {0};
		struct err e = {0};

		kinds[k](data, 6, &packed, NULL);
		for (size_t cut = 20; cut < packed.n; cut += packed.n / 7) {
			unpack(str_sub(buf_view(&packed), 0, cut), 0, &out, &e);
			assert_int_equal(e.code, ERR_INTEGRITY);
			assert_non_null(strstr(e.text, "'x.gz'"));
			err_release(&e);
		}
	}
	{
		CLEANUP_BUF packed = {0}, out = {0};
		struct err e = {0};

		zstd_frame(data, 6, &packed, NULL);
		packed.p[packed.n - 2] ^= 1; /* the checksum */
		unpack(buf_view(&packed), 0, &out, &e);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
}

static void plain_bytes_pass_through(void **state)
{
	CLEANUP_BUF out = {0}, empty = {0};
	struct err e = {0};

	(void)state;
	unpack(STR("{\"plain\": true}"), 3, &out, &e);
	assert_true(str_is(buf_view(&out), "{\"plain\": true}"));
	unpack(STR(""), 0, &empty, &e);
	assert_null(e.text);
	assert_int_equal(empty.n, 0);
}

/* --- tar ----------------------------------------------------------------------------------- */

static struct str repeat(struct arena *a, char c, size_t n, const char *tail)
{
	CLEANUP_BUF b = {0};

	for (size_t i = 0; i < n; i++)
		buf_putc(&b, c);
	buf_puts(&b, tail);
	return arena_str(a, buf_view(&b));
}

static struct member file_member(struct str path, uint64_t size)
{
	return (struct member){.path = path,
		.type = MEMBER_FILE,
		.mode = 0644,
		.size = size,
		.mtime = 1500000000,
		.has_mtime = true};
}

static void add_file(struct buf *tar, struct str path, struct str data)
{
	struct member m = file_member(path, data.n);

	tar_header(tar, &m);
	buf_str(tar, data);
	tar_pad(tar, data.n);
}

/* Members that stand at the borders of what a field holds. */
static size_t border_members(struct arena *a, struct member *m)
{
	size_t n = 0;
	struct str dir50 = repeat(a, 'd', 50, "/");

	m[n++] = file_member(STR("bin/x"), 3);
	m[n++] = file_member(repeat(a, 'n', 100, ""), 0);
	m[n++] = file_member(repeat(a, 'n', 101, ""), 0);
	m[n++] = file_member(
		arena_strf(a, "%.*s%.*s", STR_ARG(dir50), STR_ARG(repeat(a, 'n', 100, ""))), 7);
	m[n++] = file_member(
		arena_strf(a, "%.*s%.*s", STR_ARG(dir50), STR_ARG(repeat(a, 'n', 101, ""))), 7);
	m[n++] = file_member(repeat(a, 'p', 155, "/n"), 1);
	m[n++] = file_member(repeat(a, 'p', 156, "/n"), 1);
	m[n++] = file_member(arena_strf(a, "%.*s/%.*s", STR_ARG(repeat(a, 'p', 155, "")),
				     STR_ARG(repeat(a, 'n', 100, ""))),
		0);
	m[n++] = file_member(repeat(a, 'l', 200, "/\xc3\xa9/e\xcc\x81/\xff\xfe"), 0);
	m[n++] = file_member(STR("\xff bytes \x80"), 0);
	m[n++] = file_member(STR("e\xcc\x81-decomposed"), 0);
	m[n] = file_member(STR("dir"), 0);
	m[n++].type = MEMBER_DIR;
	m[n] = file_member(repeat(a, 'q', 99, ""), 0);
	m[n++].type = MEMBER_DIR;
	m[n] = file_member(repeat(a, 'q', 100, ""), 0);
	m[n++].type = MEMBER_DIR;
	m[n] = file_member(STR("link"), 0);
	m[n].type = MEMBER_SYMLINK;
	m[n++].link = repeat(a, 't', 100, "");
	m[n] = file_member(STR("link2"), 0);
	m[n].type = MEMBER_SYMLINK;
	m[n++].link = repeat(a, 't', 101, "\xff");
	m[n] = file_member(STR("hard"), 0);
	m[n].type = MEMBER_HARDLINK;
	m[n++].link = STR("bin/x");
	m[n] = file_member(STR("modes"), 0);
	m[n++].mode = 07755;
	m[n] = file_member(STR("old"), 0);
	m[n++].mtime = -1;
	m[n] = file_member(STR("future"), 0);
	m[n++].mtime = (int64_t)1 << 34;
	return n;
}

static void assert_same(const struct member *a, const struct member *b)
{
	assert_true(str_eq(a->path, b->path));
	assert_true(str_eq(a->link, b->link));
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->mode, b->mode);
	assert_true(a->mtime == b->mtime);
	assert_true(b->has_mtime);
	if (a->type == MEMBER_FILE)
		assert_true(a->size == b->size);
}

static void check_borders(size_t step)
{
	CLEANUP_ARENA a = {0};
	struct member want[32], got;
	size_t n = border_members(&a, want);
	CLEANUP_BUF tar = {0};
	struct memory in = {.step = step};
	struct tar_reader *r;
	struct err e = {0};

	for (size_t i = 0; i < n; i++) {
		tar_header(&tar, &want[i]);
		assert_int_equal(tar.n % 512, 0);
		if (want[i].type == MEMBER_FILE) {
			buf_add(&tar, "0123456789", want[i].size);
			tar_pad(&tar, want[i].size);
		}
	}
	tar_end(&tar);
	in.rest = buf_view(&tar);
	r = tar_open(read_memory, &in, "x.tar", &e);
	assert_non_null(r);
	for (size_t i = 0; i < n; i++) {
		struct str body = {0};

		assert_int_equal(tar_next(r, &got, &e), 1);
		assert_same(&want[i], &got);
		if (got.type != MEMBER_FILE || i % 3 == 2)
			continue; /* an unread body is passed over */
		assert_int_equal(tar_read_all(r, &a, 100, &body, &e), 0);
		assert_true(str_eq(body, str_n("0123456789", got.size)));
	}
	assert_int_equal(tar_next(r, &got, &e), 0);
	tar_close(r);
}

/* The reader of blocks knows all that the writer writes. */
static void headers_come_back_block_by_block(void **state)
{
	static const char zero[TAR_BLOCK], other[TAR_BLOCK] = "behind";
	CLEANUP_ARENA a = {0};
	struct member want[32];
	size_t n = border_members(&a, want);
	struct tar_blocks t = {0};

	(void)state;
	for (size_t i = 0; i < n; i++) {
		CLEANUP_BUF tar = {0};

		tar_header(&tar, &want[i]);
		for (size_t at = 0; at < tar.n; at += TAR_BLOCK) {
			bool last = at + TAR_BLOCK == tar.n;

			assert_int_equal(tar_block(&t, tar.p + at), last);
			assert_int_equal(tar_blocks_between(&t), last);
		}
		assert_same(&want[i], &t.member);
	}
	assert_int_equal(tar_block(&t, zero), 0);
	assert_int_equal(tar_block(&t, zero), 0);
	assert_int_equal(t.zeros, 2);
	assert_int_equal(tar_block(&t, other), -1);
	tar_blocks_release(&t);
}

static void headers_come_back_in_every_locale(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_ALL, "C"));
	check_borders(0);
	check_borders(1);
	if (setlocale(LC_ALL, "C.UTF-8"))
		check_borders(0);
	setlocale(LC_ALL, "C");
}

static void a_size_over_8_gib_comes_back(void **state)
{
	static const uint64_t sizes[] = {
		((uint64_t)1 << 33) - 1, (uint64_t)1 << 33, ((uint64_t)9 << 40) + 1};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct member want = file_member(STR("large"), sizes[i]), got;
		struct tar_blocks blocks = {0};
		CLEANUP_BUF tar = {0};
		struct memory in = {0};
		struct tar_reader *r;
		struct err e = {0};

		tar_header(&tar, &want);
		assert_int_equal(tar.n, 512);
		in.rest = buf_view(&tar);
		r = tar_open(read_memory, &in, "x.tar", &e);
		assert_int_equal(tar_next(r, &got, &e), 1);
		assert_true(got.size == sizes[i]);
		tar_close(r);
		assert_int_equal(tar_block(&blocks, tar.p), 1);
		assert_true(blocks.member.size == sizes[i]);
		tar_blocks_release(&blocks);
	}
}

/* A pax header in front of a file, as other writers make them. */
static void add_pax(struct buf *tar, const char *record)
{
	struct member m = file_member(STR("PaxHeaders/x"), strlen(record));
	size_t at = tar->n;
	unsigned sum = 0;

	tar_header(tar, &m);
	tar->p[at + 156] = 'x';
	memset(tar->p + at + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)tar->p[at + i];
	snprintf(tar->p + at + 148, 8, "%06o", sum);
	buf_puts(tar, record);
	tar_pad(tar, strlen(record));
}

static void check_pax_name(const char *record, struct str name)
{
	CLEANUP_BUF tar = {0};
	struct memory in = {0};
	struct tar_reader *r;
	struct member m;
	struct err e = {0};

	add_pax(&tar, record);
	add_file(&tar, STR("short"), STR("body"));
	tar_end(&tar);
	in.rest = buf_view(&tar);
	r = tar_open(read_memory, &in, "x.tar", &e);
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_true(str_eq(m.path, name));
	assert_int_equal(tar_next(r, &m, &e), 0);
	tar_close(r);
}

static void pax_names_stay_bytes(void **state)
{
	static const char *const locales[] = {"C", "C.UTF-8"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		if (!setlocale(LC_ALL, locales[i]))
			continue;
		check_pax_name("14 path=caf\xc3\xa9\n", STR("caf\xc3\xa9"));
		check_pax_name("15 path=cafe\xcc\x81\n", STR("cafe\xcc\x81"));
		check_pax_name("13 path=caf\xe9\n", STR("caf\xe9"));
	}
	setlocale(LC_ALL, "C");
}

static void roots_and_dots_are_cleaned(void **state)
{
	CLEANUP_BUF tar = {0};
	struct member m = file_member(STR("./"), 0);
	struct memory in = {0};
	struct tar_reader *r;
	struct err e = {0};

	(void)state;
	m.type = MEMBER_DIR;
	tar_header(&tar, &m);
	m.path = STR("././/lib//");
	tar_header(&tar, &m);
	add_file(&tar, STR("./../etc/passwd"), STR("x"));
	add_file(&tar, STR("/abs"), STR("x"));
	tar_end(&tar);
	in.rest = buf_view(&tar);
	r = tar_open(read_memory, &in, "x.tar", &e);
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_true(str_is(m.path, "lib"));
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_true(str_is(m.path, "../etc/passwd"));
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_true(str_is(m.path, "/abs"));
	assert_int_equal(tar_next(r, &m, &e), 0);
	tar_close(r);
}

static void what_is_no_tar_is_refused(void **state)
{
	static const char *const texts[] = {"", "not a tar", "PK\003\004 neither is this"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct memory in = {.rest = str_of(texts[i])};
		struct err e = {0};
		struct tar_reader *r = tar_open(read_memory, &in, "x.tar", &e);
		struct member m;

		if (r)
			assert_int_equal(tar_next(r, &m, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
		tar_close(r);
	}
}

static void a_large_member_is_bounded(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF tar = {0};
	struct memory in = {0};
	struct tar_reader *r;
	struct member m;
	struct str body;
	struct err e = {0};

	(void)state;
	add_file(&tar, STR("x"), some_data(&a, 1001));
	tar_end(&tar);
	in.rest = buf_view(&tar);
	r = tar_open(read_memory, &in, "x.tar", &e);
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_int_equal(tar_read_all(r, &a, 1000, &body, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	tar_close(r);
}

static void a_cut_tar_and_a_failing_source_are_told_apart(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF tar = {0};

	(void)state;
	add_file(&tar, STR("x"), some_data(&a, 10000));
	for (int fails = 0; fails < 2; fails++) {
		struct memory in = {.rest = str_sub(buf_view(&tar), 0, 3000), .fails = fails};
		struct err e = {0};
		struct tar_reader *r = tar_open(read_memory, &in, "x.tar", &e);
		struct member m;
		struct str body;

		assert_int_equal(tar_next(r, &m, &e), 1);
		assert_int_equal(tar_read_all(r, &a, 1 << 20, &body, &e), -1);
		assert_int_equal(e.code, fails ? ERR_NETWORK : ERR_INTEGRITY);
		err_release(&e);
		tar_close(r);
	}
}

/* --- zip ----------------------------------------------------------------------------------- */

static void build_conda(struct buf *zip)
{
	CLEANUP_BUF tar = {0}, packed = {0};
	struct zip_part parts[2];

	add_file(&tar, STR("info/index.json"), STR("{}"));
	tar_end(&tar);
	zstd_frame(buf_view(&tar), 3, &packed, NULL);
	parts[0] =
		(struct zip_part){STR("metadata.json"), STR("{\"conda_pkg_format_version\": 2}")};
	parts[1] = (struct zip_part){STR("info-x-1-0.tar.zst"), buf_view(&packed)};
	assert_int_equal(zip_store(parts, 2, zip, NULL), 0);
}

static void a_conda_file_is_read_from_the_inside(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF zip = {0};
	struct memory in = {.step = 7};
	struct tar_reader *outer, *inner;
	struct member m;
	struct str text;
	struct err e = {0};

	(void)state;
	build_conda(&zip);
	in.rest = buf_view(&zip);
	outer = zip_open(read_memory, &in, "x.conda", &e);
	assert_int_equal(tar_next(outer, &m, &e), 1);
	assert_true(str_is(m.path, "metadata.json"));
	assert_int_equal(m.type, MEMBER_FILE);
	assert_int_equal(tar_next(outer, &m, &e), 1);
	assert_true(str_is(m.path, "info-x-1-0.tar.zst"));
	inner = tar_open(tar_read, outer, "x.conda", &e);
	assert_int_equal(tar_next(inner, &m, &e), 1);
	assert_true(str_is(m.path, "info/index.json"));
	assert_int_equal(tar_read_all(inner, &a, 100, &text, &e), 0);
	assert_true(str_is(text, "{}"));
	assert_int_equal(tar_next(inner, &m, &e), 0);
	tar_close(inner);
	assert_int_equal(tar_next(outer, &m, &e), 0);
	tar_close(outer);
}

static void a_wrong_checksum_in_a_zip_is_noticed(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF zip = {0};
	struct memory in = {0};
	struct tar_reader *r;
	struct member m;
	struct str text;
	struct err e = {0};

	(void)state;
	build_conda(&zip);
	zip.p[30 + 13 + 2] ^= 1; /* in metadata.json */
	in.rest = buf_view(&zip);
	r = zip_open(read_memory, &in, "x.conda", &e);
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_int_equal(tar_read_all(r, &a, 1000, &text, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	tar_close(r);
}

/* A file without a name; the caller's to close. */
static int file_of(struct str data)
{
	struct err e = {0};
	char path[] = "/tmp/base_archive.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write_full(fd, data.p, data.n, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void three_files(struct buf *tar, struct arena *a)
{
	static const size_t sizes[] = {10, 300000, 700};

	for (size_t i = 0; i < 3; i++) {
		struct str data = some_data(a, sizes[i]);
		struct member m = {.path = arena_strf(a, "%zu/%0*d", i, i == 1 ? 200 : 5, 7),
			.type = MEMBER_FILE,
			.mode = 0644,
			.size = data.n};

		tar_header(tar, &m);
		buf_str(tar, data);
		tar_pad(tar, data.n);
	}
	tar_end(tar);
}

static void bodies_are_skipped_and_found(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF tar = {0}, packed = {0};
	struct err e = {0};
	struct member m;
	char body[10];

	(void)state;
	three_files(&tar, &a);
	CLEANUP_FD fd = file_of(buf_view(&tar));
	struct tar_reader *r = tar_open_fd(fd, "x.tar", &e);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(tar_next(r, &m, &e), 1);
		assert_int_equal(m.path.p[0], '0' + (int)i);
		assert_int_equal(pread(fd, body, sizeof body, (off_t)tar_offset(r)), sizeof body);
		assert_memory_equal(body, some_data(&a, 10).p, sizeof body);
	}
	assert_int_equal(tar_next(r, &m, &e), 0);
	tar_close(r);

	assert_int_equal(gzip_member(buf_view(&tar), 1, &packed, &e), 0);
	CLEANUP_FD zipped = file_of(buf_view(&packed));
	r = tar_open_fd(zipped, "x.tar.gz", &e);
	assert_int_equal(tar_next(r, &m, &e), 1);
	assert_true(tar_offset(r) == UINT64_MAX);
	tar_close(r);
}

static void a_cut_body_that_is_skipped_is_noticed(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF tar = {0};
	struct err e = {0};
	struct member m;
	int r;

	(void)state;
	three_files(&tar, &a);
	CLEANUP_FD fd = file_of(str_n(tar.p, 200000));
	struct tar_reader *reader = tar_open_fd(fd, "x.tar", &e);
	while ((r = tar_next(reader, &m, &e)) > 0)
		;
	assert_int_equal(r, -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	tar_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_come_back_joined),
		cmocka_unit_test(levels_have_bounds),
		cmocka_unit_test(a_damaged_stream_is_noticed),
		cmocka_unit_test(plain_bytes_pass_through),
		cmocka_unit_test(headers_come_back_in_every_locale),
		cmocka_unit_test(headers_come_back_block_by_block),
		cmocka_unit_test(a_size_over_8_gib_comes_back),
		cmocka_unit_test(pax_names_stay_bytes),
		cmocka_unit_test(roots_and_dots_are_cleaned),
		cmocka_unit_test(what_is_no_tar_is_refused),
		cmocka_unit_test(a_large_member_is_bounded),
		cmocka_unit_test(a_cut_tar_and_a_failing_source_are_told_apart),
		cmocka_unit_test(bodies_are_skipped_and_found),
		cmocka_unit_test(a_cut_body_that_is_skipped_is_noticed),
		cmocka_unit_test(a_conda_file_is_read_from_the_inside),
		cmocka_unit_test(a_wrong_checksum_in_a_zip_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

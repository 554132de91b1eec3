/* What a channel's index may hold of others: references to URLs, and zstd frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/archive.h"
#include "base/http.h"

/* RFC 3986, sections 5.4.1 and 5.4.2. */
static const char *const references[][2] = {
	{"g:h", "g:h"},
	{"g", "http://a/b/c/g"},
	{"./g", "http://a/b/c/g"},
	{"g/", "http://a/b/c/g/"},
	{"/g", "http://a/g"},
	{"//g", "http://g"},
	{"?y", "http://a/b/c/d;p?y"},
	{"g?y", "http://a/b/c/g?y"},
	{"#s", "http://a/b/c/d;p?q#s"},
	{"g#s", "http://a/b/c/g#s"},
	{"g?y#s", "http://a/b/c/g?y#s"},
	{";x", "http://a/b/c/;x"},
	{"g;x", "http://a/b/c/g;x"},
	{"g;x?y#s", "http://a/b/c/g;x?y#s"},
	{"", "http://a/b/c/d;p?q"},
	{".", "http://a/b/c/"},
	{"./", "http://a/b/c/"},
	{"..", "http://a/b/"},
	{"../", "http://a/b/"},
	{"../g", "http://a/b/g"},
	{"../..", "http://a/"},
	{"../../", "http://a/"},
	{"../../g", "http://a/g"},
	{"../../../g", "http://a/g"},
	{"../../../../g", "http://a/g"},
	{"/./g", "http://a/g"},
	{"/../g", "http://a/g"},
	{"g.", "http://a/b/c/g."},
	{".g", "http://a/b/c/.g"},
	{"g..", "http://a/b/c/g.."},
	{"..g", "http://a/b/c/..g"},
	{"./../g", "http://a/b/g"},
	{"./g/.", "http://a/b/c/g/"},
	{"g/./h", "http://a/b/c/g/h"},
	{"g/../h", "http://a/b/c/h"},
	{"g;x=1/./y", "http://a/b/c/g;x=1/y"},
	{"g;x=1/../y", "http://a/b/c/y"},
	{"g?y/./x", "http://a/b/c/g?y/./x"},
	{"g?y/../x", "http://a/b/c/g?y/../x"},
	{"http:g", "http:g"},
};

static void references_resolve_as_the_rfc_says(void **state)
{
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof references / sizeof *references; i++)
		assert_string_equal(url_resolve(&a, "http://a/b/c/d;p?q", str_of(references[i][0])),
			references[i][1]);
	assert_string_equal(url_resolve(&a, "https://h", STR("x/y")), "https://h/x/y");
	assert_string_equal(
		url_resolve(&a, "file:///c/noarch/i", STR("./s/")), "file:///c/noarch/s/");
	assert_string_equal(
		url_resolve(&a, "https://h/c/i", STR("HTTPS://o:1/x/../s/")), "HTTPS://o:1/s/");
	assert_string_equal(url_resolve(&a, "https://h/c/i", STR("a//b/../c")), "https://h/c/a//c");
	assert_null(url_resolve(&a, "/srv", STR("x")));
}

static struct str noise(struct arena *a, size_t n)
{
	char *p = arena_alloc(a, n);
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++)
		p[i] = (char)((x = x * 1664525 + 1013904223) >> (i % 3 ? 24 : 30));
	return str_n(p, n);
}

static void frames_unpack_whole(void **state)
{
	static const size_t lengths[] = {0, 1, 100, 5000, 200000, 1000000};
	struct zstd_reader *z = zstd_reader_new();
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct str data = noise(&a, lengths[i]), twice;
		CLEANUP_BUF packed = {0}, out = {0};

		assert_int_equal(zstd_frame(data, 3, &packed, NULL), 0);
		assert_int_equal(zstd_unpack(z, buf_view(&packed), data.n, "x", &out, NULL), 0);
		assert_true(str_eq(buf_view(&out), data));
		/* Two frames are one content; what is there stays. */
		assert_int_equal(zstd_frame(data, 1, &packed, NULL), 0);
		assert_int_equal(zstd_unpack(z, buf_view(&packed), 2 * data.n, "x", &out, NULL), 0);
		assert_int_equal(out.n, 3 * data.n);
		twice = str_sub(buf_view(&out), data.n, 2 * data.n);
		assert_true(str_eq(twice, data));
	}
	zstd_reader_free(z);
	zstd_reader_free(NULL);
}

/* A frame without its size, as a stream has it: 32 KiB of zeros made by `zstd -c <pipe`. */
static const char without_size[] = "\x28\xb5\x2f\xfd\x04\x58\x4d\x00\x00\x10\x00\x00"
				   "\x01\x00\xfb\xff\x0e\xb0\xf9\x3d\xc4\xf5";

static void expect_refusal(struct zstd_reader *z, struct str data, size_t max, const char *says)
{
	CLEANUP_BUF out = {0};
	struct err e = {0};

	assert_int_equal(zstd_unpack(z, data, max, "x", &out, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	if (!strstr(e.text, says))
		fail_msg("%s", e.text);
	assert_true(out.cap <= 2 * max + 65536);
	err_release(&e);
}

static void what_is_no_frame_or_too_much_is_refused(void **state)
{
	struct zstd_reader *z = zstd_reader_new();
	CLEANUP_ARENA a = {0};
	struct str data = noise(&a, 200000);
	CLEANUP_BUF packed = {0}, changed = {0}, out = {0};

	(void)state;
	assert_int_equal(zstd_frame(data, 3, &packed, NULL), 0);
	expect_refusal(z, buf_view(&packed), data.n - 1, "more than the 199999 bytes");
	expect_refusal(z, STR(""), 100, "not in this format");
	expect_refusal(z, STR("<html>"), 100, "not in this format");
	for (size_t n = 1; n < packed.n; n += packed.n / 50)
		expect_refusal(
			z, str_sub(buf_view(&packed), 0, n), data.n, "damaged zstd file 'x'");
	buf_str(&changed, buf_view(&packed));
	changed.p[changed.n / 2] ^= 0x10;
	expect_refusal(z, buf_view(&changed), data.n, "damaged zstd file 'x'");
	/* It says that it holds more, and less, than it does. */
	changed.p[changed.n / 2] ^= 0x10;
	changed.p[6] ^= 1;
	expect_refusal(z, buf_view(&changed), 2 * data.n, "damaged zstd file 'x'");
	buf_str(&packed, STR("more"));
	expect_refusal(z, buf_view(&packed), 2 * data.n, "damaged zstd file 'x'");
	data = str_n(without_size, sizeof without_size - 1);
	assert_int_equal(zstd_unpack(z, data, 32768, "x", &out, NULL), 0);
	assert_int_equal(out.n, 32768);
	expect_refusal(z, data, 32767, "more than the 32767 bytes");
	zstd_reader_free(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_resolve_as_the_rfc_says),
		cmocka_unit_test(frames_unpack_whole),
		cmocka_unit_test(what_is_no_frame_or_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

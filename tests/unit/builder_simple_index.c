/* Pages of package indexes: PEP 503 and 691, odd ones and broken ones; URL references. */
#include "base/buf.h"
#include "builder/simple_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static const char PAGE[] = "https://me:pw@h/simple/foo/";

#define SHA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct simple_page parse(const char *text)
{
	struct simple_page page;
	struct err e = {0};

	if (simple_page_parse(&arena, PAGE, str_of(text), &page, &e) < 0)
		fail_msg("%s", e.text);
	return page;
}

static void check_bad(const char *text, const char *why)
{
	struct simple_page page;
	struct err e = {0};

	if (simple_page_parse(&arena, PAGE, str_of(text), &page, &e) == 0)
		fail_msg("taken, though: %s", why);
	assert_int_equal(e.code, ERR_INTEGRITY);
	if (!strstr(e.text, why))
		fail_msg("'%s', not '%s'", e.text, why);
	assert_null(strstr(e.text, "pw@"));
	err_release(&e);
}

static void check_file(const struct simple_page *page, size_t i, const char *name, const char *url)
{
	if (i >= page->n)
		fail_msg("%zu files only", page->n);
	if (!str_is(page->v[i].name, name) || !str_is(page->v[i].url, url))
		fail_msg("'%.*s' at '%.*s', not '%s' at '%s'", STR_ARG(page->v[i].name),
			STR_ARG(page->v[i].url), name, url);
}

static void html(void **state)
{
	struct simple_page page = parse(
		"<!DOCTYPE html>\n<html><head><title>Links</title></head><body>\n"
		"<a href=\"../../packages/foo-1.0-py3-none-any.whl#sha256=" SHA "\">foo</a><br/>\n"
		"<A class='x' HREF='foo-1.1.tar.gz' data-requires-python='&gt;=3.6, &lt;4'\n"
		"   data-yanked=\"\">x</A>\n"
		"<a href=https://cdn/f%2Boo-1.2.zip?x=1&amp;y=2#egg=foo&sha256=" SHA ">x</a>\n"
		"<!-- <a href=\"hidden-1.0.zip\">x</a> -->\n"
		"<a href=\"//other/foo-1.3.zip\" data-yanked>x</a>\n"
		"<a href=\"/abs/foo-1.4.zip\">x</a> <abbr href=\"no.zip\"></abbr>\n"
		"<a name='none'>x</a> <a href=''>x</a> <a href='../'>up</a> <a href='a "
		"b.zip'>x</a>\n"
		"<a href='foo-1.5.zip");

	(void)state;
	assert_int_equal(page.n, 6);
	check_file(&page, 0, "foo-1.0-py3-none-any.whl",
		"https://me:pw@h/packages/foo-1.0-py3-none-any.whl");
	assert_true(page.v[0].has_sha256 && page.v[0].sha256[31] == 0xaa);
	check_file(&page, 1, "foo-1.1.tar.gz", "https://me:pw@h/simple/foo/foo-1.1.tar.gz");
	assert_true(page.v[1].yanked && !page.v[1].has_sha256 && !page.v[0].yanked);
	assert_true(str_is(page.v[1].requires_python, ">=3.6, <4"));
	check_file(&page, 2, "f+oo-1.2.zip", "https://cdn/f%2Boo-1.2.zip?x=1&y=2");
	assert_true(page.v[2].has_sha256);
	check_file(&page, 3, "foo-1.3.zip", "https://other/foo-1.3.zip");
	assert_true(page.v[3].yanked);
	check_file(&page, 4, "foo-1.4.zip", "https://me:pw@h/abs/foo-1.4.zip");
	assert_ptr_equal(simple_page_find(&page, STR("foo-1.4.zip")), &page.v[4]);
	assert_null(simple_page_find(&page, STR("hidden-1.0.zip")));
	assert_int_equal(parse("").n, 0);
	assert_int_equal(parse("404 not found").n, 0);
}

static void bases(void **state)
{
	struct simple_page page =
		parse("<base href=\"https://files/x/y\"><base href='https://late/'>"
		      "<a href=\"a-1.zip\">");

	(void)state;
	check_file(&page, 0, "a-1.zip", "https://files/x/a-1.zip");
	page = parse("<a href=\"a-1.zip\"><base href=\"https://late/\"><a href=\"b-1.zip\">");
	check_file(&page, 1, "b-1.zip", "https://me:pw@h/simple/foo/b-1.zip");
	page = parse("<base target='_blank'><base href='rel/'><a href='a-1.zip'>");
	check_file(&page, 0, "a-1.zip", "https://me:pw@h/simple/foo/rel/a-1.zip");
}

static void json(void **state)
{
	struct simple_page page =
		parse(" {\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"foo\", \"files\": ["
		      "{\"filename\": \"foo-1.0.zip\", \"url\": \"../x/foo-1.0.zip\", \"hashes\": "
		      "{\"md5\": \"x\", \"sha256\": \"" SHA "\"}, \"requires-python\": \">=3\","
		      " \"size\": 3, \"core-metadata\": {\"sha256\": \"y\"}, \"yanked\": \"bad\"},"
		      "{\"filename\": \"foo-1.1.zip\", \"url\": \"https://h/2\", \"hashes\": {},"
		      " \"requires-python\": null, \"yanked\": false},"
		      "{\"filename\": \"../foo-1.2.zip\", \"url\": \"https://h/3\"},"
		      "{\"filename\": \"foo-1.3.zip\"}], \"versions\": [\"1.0\"]}");

	(void)state;
	assert_int_equal(page.n, 2);
	check_file(&page, 0, "foo-1.0.zip", "https://me:pw@h/simple/x/foo-1.0.zip");
	assert_true(page.v[0].has_sha256 && page.v[0].yanked);
	assert_true(str_is(page.v[0].requires_python, ">=3"));
	check_file(&page, 1, "foo-1.1.zip", "https://h/2");
	assert_true(!page.v[1].has_sha256 && !page.v[1].yanked);
}

static void broken(void **state)
{
	(void)state;
	check_bad("<a href='a-1.zip#sha256=00'>", "a sha256 is not 64 hexadecimal digits");
	check_bad("{\"files\": [{\"hashes\": {\"sha256\": \"0\"}}]}", "a sha256 is not 64");
	check_bad("{", "no page of a package index");
	check_bad("{\"files\": [}", "no page of a package index");
	check_bad("{\"files\": [{\"filename\": 1, \"url\": ]}", "no page of a package index");
	check_bad("{} x", "no page of a package index");
	check_bad("{\"files\": [1, {}]}", "no page of a package index");
	assert_int_equal(parse("{\"files\": {}}").n, 0);
	assert_int_equal(parse("{\"files\": null}").n, 0);
}

static void page_urls(void **state)
{
	(void)state;
	assert_string_equal(simple_page_url(&arena, "https://u:p@h/simple", STR("Foo_Bar")),
		"https://u:p@h/simple/foo-bar/");
	assert_string_equal(
		simple_page_url(&arena, "https://h/simple/", STR("a")), "https://h/simple/a/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(html),
		cmocka_unit_test(bases),
		cmocka_unit_test(json),
		cmocka_unit_test(broken),
		cmocka_unit_test(page_urls),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}

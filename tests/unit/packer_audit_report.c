/* What reports say of an audit that was made by hand (tests/audit_maker.h). */
#include "base/json.h"
#include "packer/audit_report.h"
#include "tests/audit_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static size_t count(struct str text, const char *what)
{
	size_t n = 0;
	ptrdiff_t at;

	while (text.n && (at = str_find(text, str_of(what))) >= 0) {
		n++;
		text = str_sub(text, (size_t)at + strlen(what), text.n);
	}
	return n;
}

static void has(const struct buf *b, const char *what)
{
	if (!count(buf_view(b), what))
		fail_msg("no '%s' in:\n%s", what, b->p);
}

static void lacks(const struct buf *b, const char *what)
{
	if (count(buf_view(b), what))
		fail_msg("'%s' is in:\n%s", what, b->p);
}

static void test_form_of(void **state)
{
	static const struct {
		const char *file;
		enum audit_form form;
	} good[] = {{"a.txt", AUDIT_TEXT}, {"b/c.json", AUDIT_JSON}, {"d.e.xml", AUDIT_JUNIT},
		{"/f.html", AUDIT_HTML}};
	static const char *const bad[] = {
		"", "a", "html", "a.htm", "a.html.gz", "a.HTML", "a.html/"};
	enum audit_form form;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(audit_form_of(good[i].file, &form, NULL), 0);
		assert_int_equal(form, good[i].form);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};

		assert_int_equal(audit_form_of(bad[i], &form, &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
		err_release(&e);
	}
}

/* --- text ------------------------------------------------------------------------------------- */

static void test_text(void **state)
{
	static const char *const order[] = {"\nnumpy-1.19.2-py36_0\n", "\nevil", "\nno package\n",
		"\nopenssl-1.1.1-h7b6447c_0\n"};
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF some = {0}, all = {0};
	struct made_audit m;
	ptrdiff_t last = -1;

	(void)state;
	made_audit(&a, 0, &m);
	audit_text(&a, &m.audit, false, &some);
	has(&some, "target 'rhel7' with glibc 2.17, held against the libraries that its profile "
		   "lists\n");
	has(&some,
		"412 binary files of 6 packages, loaded as 150 processes: 4 errors, 2 warnings, 1 "
		"info, 2 ignored\n");
	has(&some,
		"it needs glibc 2.30 (numpy-1.19.2-py36_0); next 2.17 (pytorch-1.4.0-cuda101_0), ");
	has(&some, "ignored: 2, because never loaded <i>here</i>\n");
	has(&some, "  error: 'lib/core.so' needs GLIBC_2.28 of libc.so.6\n"
		   "  error: 'lib/core.so' needs GLIBC_2.30 of libc.so.6\n"
		   "    hint: ask for an older build\n");
	has(&some, "  warning (possible): 'lib/libssl.so'");
	lacks(&some, "libcuda");
	lacks(&some, "libc10");
	has(&some, "\n-v shows infos and what is ignored\n");
	assert_int_equal(count(buf_view(&some), "ask for an older build"), 1);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		ptrdiff_t at = str_find(buf_view(&some), str_of(order[i]));

		assert_true(at > last);
		last = at;
	}
	for (size_t i = 0; i < some.n; i++)
		assert_true((unsigned char)some.p[i] >= ' ' || some.p[i] == '\n');
	audit_text(&a, &m.audit, true, &all);
	has(&all, "  info: 'lib/libtorch.so'");
	has(&all, "\nignored:\n\nopenssl");
	has(&all, "libc10.so' looks for libraries in /build\n    ignored: never loaded "
		  "<i>here</i>\n");
	lacks(&all, "-v shows");
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* Every object's keys rise: no two orders of one document. */
static size_t check_object(struct json *j)
{
	CLEANUP_ARENA a = {0};
	struct str last = {0};
	size_t keys = 0;
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		assert_true(keys++ == 0 || str_cmp(last, json_text(j)) < 0);
		last = arena_str(&a, json_text(j));
		t = json_next(j);
		if (t == JSON_ARRAY)
			while ((t = json_next(j)) != JSON_ARRAY_END)
				keys += t == JSON_OBJECT ? check_object(j) : 0;
		else if (t == JSON_OBJECT)
			keys += check_object(j);
	}
	assert_int_equal(t, JSON_OBJECT_END);
	return keys;
}

static void test_json(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF one = {0}, other = {0};
	struct made_audit m;
	struct json *j;

	(void)state;
	made_audit(&a, 3, &m);
	audit_json(&m.audit, &one);
	m.tree.what = "/elsewhere";
	m.tree.prefix = STR("/elsewhere");
	audit_json(&m.audit, &other);
	assert_string_equal(one.p, other.p);
	lacks(&one, "/home/ann");
	j = json_open_text(buf_view(&one), "audit.json");
	assert_int_equal(json_next(j), JSON_OBJECT);
	assert_true(check_object(j) > 100);
	assert_int_equal(json_next(j), JSON_END);
	json_close(j);
	has(&one, "  \"audit_version\": 1,\n");
	has(&one, "  \"against\": \"list\",\n");
	has(&one, "\"needs_glibc\": {\n    \"package\": \"numpy-1.19.2-py36_0\",\n    \"version\": "
		  "\"2.30\"\n  }");
	has(&one,
		"\"errors\": 4,\n    \"ignored\": 2,\n    \"infos\": 1,\n    \"packages\": 6,\n    "
		"\"processes\": 150,\n    \"warnings\": 5\n");
	has(&one,
		"\"advice\": \"ask for an older build\",\n      \"level\": \"error\",\n      "
		"\"library\": \"libc.so.6\",\n      \"needs\": \"GLIBC_2.28\",\n      \"package\": "
		"\"numpy-1.19.2-py36_0\",\n      \"path\": \"lib/core.so\",\n      \"processes\": "
		"[\n        \"bin/python3.6\",\n        \"bin/f2py\",\n        \"bin/a");
	has(&one, "\"rule\": \"version-not-found\",\n      \"sure\": "
		  "\"certain\",\n      \"target_has\": \"GLIBC_2.17\",\n      \"text\": ");
	assert_int_equal(count(buf_view(&one), "\"reason\": \"never loaded <i>here</i>\""), 2);
	assert_int_equal(count(buf_view(&one), "\"sure\": "), MADE_FINDINGS + 3);
}

/* --- JUnit (tests/scenario/audit_html.sh has it parsed) --------------------------------------- */

static void test_junit(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF b = {0};
	struct made_audit m;

	(void)state;
	made_audit(&a, 0, &m);
	audit_junit(&a, &m.audit, &b);
	has(&b, "<testsuites name=\"envbuild audit for rhel7\" tests=\"10\" failures=\"3\" "
		"errors=\"0\" "
		"time=\"0\">");
	has(&b, "<testsuite name=\"zlib-1.2.11-0\" tests=\"1\" failures=\"0\" errors=\"0\" "
		"time=\"0\" "
		"skipped=\"0\">\n    <testcase classname=\"zlib-1.2.11-0\" name=\"loads on rhel7\" "
		"time=\"0\"/>\n");
	has(&b, "<testsuite name=\"openssl-1.1.1-h7b6447c_0\" tests=\"2\" failures=\"0\" "
		"errors=\"0\" "
		"time=\"0\" skipped=\"1\">");
	assert_int_equal(count(buf_view(&b), "<failure "), 3);
	assert_int_equal(count(buf_view(&b), "<skipped "), 2);
	assert_int_equal(count(buf_view(&b), "<system-out>"), 3);
	assert_int_equal(count(buf_view(&b), "<testcase "), 10);
	lacks(&b, "]]>");
	lacks(&b, "<img");
	lacks(&b, "\xff");
	lacks(&b, "\xef\xbf\xbf"); /* U+FFFF */
	for (size_t i = 0; i < b.n; i++)
		assert_true((unsigned char)b.p[i] >= ' ' || b.p[i] == '\n');
}

/* --- the page (which a browser tries in the same script) -------------------------------------- */

static void test_html(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF one = {0}, other = {0};
	struct made_audit m;

	(void)state;
	made_audit(&a, 0, &m);
	audit_html(&a, &m.audit, &one);
	m.tree.what = "/elsewhere";
	audit_html(&a, &m.audit, &other);
	assert_string_equal(one.p, other.p);
	lacks(&one, "/home/ann");
	lacks(&one, "{{");
	assert_int_equal(count(buf_view(&one), "<script>"), 1);
	assert_int_equal(count(buf_view(&one), "</script>"), 1);
	assert_int_equal(count(buf_view(&one), "<img"), 0);
	assert_int_equal(count(buf_view(&one), "<b>another"), 0);
	has(&one, "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;");
	has(&one, "default-src 'none'; style-src 'sha256-");
	lacks(&one, "http:");
	lacks(&one, "https:");
	lacks(&one, "url(");
	assert_int_equal(count(buf_view(&one), "<tr class="), MADE_FINDINGS);
	assert_int_equal(count(buf_view(&one), "<tr class=\"ignored\">"), 2);
	assert_int_equal(count(buf_view(&one), "<rect class=\"over\""), 1);
	assert_int_equal(count(buf_view(&one), "<rect class=\"fits\""), 4);
	has(&one, ">rhel7 has 2.17</text>");
	has(&one, "<b>What to do:</b> ask for &lt;b&gt;another&lt;/b&gt; build &amp; hope</p>");
	has(&one, "4 errors: ");
	has(&one, "<small>in bin/python3.6 and 2 more</small>");
}

/* --- nothing, and too much -------------------------------------------------------------------- */

static void test_empty(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0}, json = {0}, junit = {0}, html = {0};
	struct audit_tree tree = {.what = "x"};
	struct profile p = {.name = STR("host")};
	struct audit audit = {.tree = &tree, .profile = &p, .glibc = STR("2.36")};

	(void)state;
	audit_report(&a, &audit, AUDIT_TEXT, &text);
	has(&text, "no binary file needs a version of glibc\n");
	has(&text, "0 errors, 0 warnings, 0 infos, 0 ignored\n");
	audit_report(&a, &audit, AUDIT_JSON, &json);
	has(&json, "\"needs_glibc\": null");
	has(&json, "\"findings\": []");
	audit_report(&a, &audit, AUDIT_JUNIT, &junit);
	has(&junit, "tests=\"1\" failures=\"0\"");
	audit_report(&a, &audit, AUDIT_HTML, &html);
	has(&html, "Nothing stands against");
	lacks(&html, "<svg");
	lacks(&html, "<table");
}

/* A file may claim to need any version: the picture keeps its size. */
static void test_strange_floors(void **state)
{
	static struct audit_floor floors[] = {{-1, STR_INIT("4294967295.1"), STR_INIT("a")},
		{-1, STR_INIT("2.4294967295"), STR_INIT("b")}, {-1, STR_INIT("2"), STR_INIT("c")},
		{-1, STR_INIT("0.7.9"), STR_INIT("d")}, {-1, STR_INIT(""), STR_INIT("e")}};
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF b = {0};
	struct made_audit m;

	(void)state;
	made_audit(&a, 0, &m);
	m.audit.floors = floors;
	m.audit.n_floors = sizeof floors / sizeof *floors;
	audit_html(&a, &m.audit, &b);
	assert_int_equal(count(buf_view(&b), "<rect "), 5);
	assert_int_equal(count(buf_view(&b), "width=\"97.6%\""), 2);
	lacks(&b, "nan");
	lacks(&b, "inf%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form_of),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_junit),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_strange_floors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

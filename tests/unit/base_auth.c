/* Credentials by host (http_auth.h) and points in time (date.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/date.h"
#include "base/file.h"
#include "base/http_auth.h"

static const char file[] = "{\"repo.example\": {\"BearerToken\": \"b-one\"},"
			   " \"*.example.org\": {\"CondaToken\": \"c-two\"},"
			   " \"*.deep.example.org\": {\"BearerToken\": \"b-deep\"},"
			   " \"Named.Example.org\": {\"BasicHTTP\": {\"username\": \"m e\","
			   "   \"password\": \"p@ss/word\", \"more\": [1]}},"
			   " \"s3.example\": {\"S3Credentials\": {\"access_key_id\": \"x\"}},"
			   " \"cloud.example\": \"GoogleCloud\","
			   " \"::1\": {\"BearerToken\": \"never\"}}";

static void the_host_decides(void **state)
{
	static const struct {
		const char *url, *token;
	} cases[] = {
		{"https://repo.example/x", "b-one"},
		{"https://REPO.example:8443/x", "b-one"},
		{"http://repo.example", "b-one"},
		{"https://repo.example.com/x", NULL},
		{"https://notrepo.example/x", NULL},
		{"https://sub.repo.example/x", NULL},
		{"https://example.org/x", "c-two"},
		{"https://a.b.example.org?x", "c-two"},
		{"https://badexample.org/x", NULL},
		{"https://x.deep.example.org/x", "b-deep"},
		{"https://named.example.org/x", "p@ss/word"},
		{"https://s3.example/x", NULL},
		{"https://cloud.example/x", NULL},
		{"https://other.example/repo.example/x", NULL},
		{"https://other.example?https://repo.example/", NULL},
		/* What brings its own is left alone. */
		{"https://me:pw@repo.example/x", NULL},
		{"https://repo.example/t/tk/x", NULL},
		{"file://repo.example/x", NULL},
		{"ftp://repo.example/x", NULL},
		{"repo.example", NULL},
		{"", NULL},
	};
	struct arena a = {0};
	struct auths all;
	struct err e = {0};

	(void)state;
	if (auths_parse(&a, "c.json", str_of(file), &all, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(all.n, 5);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct auth *found = auths_find(&all, cases[i].url);

		if (!found != !cases[i].token || (found && !str_is(found->token, cases[i].token)))
			fail_msg("%s: %.*s", cases[i].url, found ? (int)found->token.n : 4,
				found ? found->token.p : "none");
	}
	arena_release(&a);
}

static void what_is_sent_in_the_url(void **state)
{
	struct arena a = {0};
	struct auths all;

	(void)state;
	assert_int_equal(auths_parse(&a, "c.json", str_of(file), &all, NULL), 0);
	assert_string_equal(auth_apply(&a, auths_find(&all, "https://x.example.org/a/b"),
				    "https://x.example.org/a/b"),
		"https://x.example.org/t/c-two/a/b");
	assert_string_equal(auth_apply(&a, auths_find(&all, "https://named.example.org:1/a"),
				    "https://named.example.org:1/a"),
		"https://m%20e:p%40ss%2Fword@named.example.org:1/a");
	assert_string_equal(auth_apply(&a, auths_find(&all, "https://repo.example/a"),
				    "https://repo.example/a"),
		"https://repo.example/a");
	assert_string_equal(auth_apply(&a, NULL, "https://h/a"), "https://h/a");
	arena_release(&a);
}

static void a_bad_file_is_refused_without_its_words(void **state)
{
	static const char *const cases[] = {"", "[]", "\"tk-s3cret\"",
		"{\"h\": {\"BearerToken\": \"tk-s3cret\"}",
		"{\"h\": {\"BearerToken\": \"tk-s3cret\\r\\nX: y\"}}",
		"{\"h\": {\"BearerToken\": \"tk s3cret\"}}", "{\"h\": {\"BearerToken\": \"\"}}",
		"{\"h\": {\"BearerToken\": [\"tk-s3cret\"]}}",
		"{\"h\": {\"CondaToken\": {\"tk-s3cret\": 1}}}",
		"{\"h\": {\"BasicHTTP\": \"tk-s3cret\"}}",
		"{\"h\": {\"BasicHTTP\": {\"password\": \"tk-s3cret\"}}}",
		"{\"h\": {\"BasicHTTP\": {\"username\": 1}}}", "{\"h\": 3}",
		"{\"h\": {}} tk-s3cret", "{\"h\": tk-s3cret}"};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct auths all;
		struct err e = {0};

		if (auths_parse(&a, "c.json", str_of(cases[i]), &all, &e) == 0)
			fail_msg("taken: %s", cases[i]);
		assert_int_equal(e.code, ERR_INPUT);
		assert_non_null(strstr(e.text, "c.json:1:"));
		assert_null(strstr(e.text, "s3cret"));
		err_release(&e);
	}
	arena_release(&a);
}

static void dates(void **state)
{
	static const struct {
		const char *text, *time; /* NULL: none */
	} cases[] = {
		{"2024-01-31", "2024-01-31T23:59:59.999Z"},
		{"2024-02-29", "2024-02-29T23:59:59.999Z"},
		{"2023-02-29", NULL},
		{"2024-01-31T12:00:00Z", "2024-01-31T12:00:00Z"},
		{"2024-01-31t12:00:00z", "2024-01-31T12:00:00Z"},
		{"2024-01-31 12:00:00.5Z", "2024-01-31T12:00:00.500Z"},
		{"2024-01-31T12:00:00.123456789Z", "2024-01-31T12:00:00.123Z"},
		{"2024-01-31T00:30:00+01:00", "2024-01-30T23:30:00Z"},
		{"2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"9999-12-31", "9999-12-31T23:59:59.999Z"},
		{"9999-12-31T23:59:59-01:00", NULL},
		{"1969-12-31", NULL},
		{"1970-01-01T00:00:00+00:01", NULL},
		{"2024-01-31T12:00:00", NULL},
		{"2024-01-31T12:00Z", NULL},
		{"2024-01-31T24:00:00Z", NULL},
		{"2024-01-31T12:60:00Z", NULL},
		{"2024-01-31T12:00:00.Z", NULL},
		{"2024-01-31T12:00:00+24:00", NULL},
		{"2024-01-31T12:00:00Zx", NULL},
		{"2024-1-31", NULL},
		{"24-01-31", NULL},
		{"2024-00-01", NULL},
		{"2024-13-01", NULL},
		{"2024-01-00", NULL},
		{"2024-01-32", NULL},
		{" 2024-01-31", NULL},
		{"2024-01-31 ", NULL},
		{"now", NULL},
		{"", NULL},
	};
	char time[DATE_TIME];
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int rc = date_parse(str_of(cases[i].text), &ms);

		if ((rc == 0) != (cases[i].time != NULL))
			fail_msg("%s: %d", cases[i].text, rc);
		if (rc < 0)
			continue;
		date_time(ms, time);
		assert_string_equal(time, cases[i].time);
	}
	assert_int_equal(date_parse(str_n("2024-01-31\0", 11), &ms), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_decides),
		cmocka_unit_test(what_is_sent_in_the_url),
		cmocka_unit_test(a_bad_file_is_refused_without_its_words),
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests_name("base auth", tests, NULL, NULL);
}

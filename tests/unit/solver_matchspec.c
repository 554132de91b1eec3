/* MatchSpec: what is read, what is refused and where, what matches. */
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "solver/matchspec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static struct str read_table(const char *path)
{
	struct err e = {0};
	struct str text;

	if (file_read(&arena, path, 1 << 20, &text, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

/* The next line that is neither empty nor a comment. */
static bool next_line(struct str *rest, struct str *line)
{
	while (rest->n) {
		*line = str_cut(rest, '\n');
		if (line->n && line->p[0] != '#')
			return true;
	}
	return false;
}

static void add_field(struct buf *b, const char *name, struct str value)
{
	if (value.n)
		buf_printf(b, "%s%s=%.*s", b->n ? "; " : "", name, STR_ARG(value));
}

static void add_list(struct buf *b, const char *name, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s%.*s",
			i      ? " "
			: b->n ? "; "
			       : "",
			i ? "" : arena_cstr(&arena, arena_strf(&arena, "%s=", name)),
			STR_ARG(v[i]));
}

static void add_condition(struct buf *b, const struct spec_condition *c)
{
	if (c->kind == CONDITION_SPEC) {
		buf_str(b, c->spec->text);
		return;
	}
	buf_putc(b, '(');
	add_condition(b, c->left);
	buf_puts(b, c->kind == CONDITION_AND ? " and " : " or ");
	add_condition(b, c->right);
	buf_putc(b, ')');
}

static struct str fields_of(const struct matchspec *m)
{
	struct buf b = {0};
	struct str out;

	add_field(&b, "channel", m->channel);
	add_field(&b, "subdir", m->subdir);
	add_field(&b, "name", m->name);
	if (!m->exact_name)
		add_field(&b, "glob", m->name_match ? STR("yes") : STR("any"));
	add_field(&b, "version", m->version_text);
	add_field(&b, "build", m->build_text);
	if (m->has_build_number)
		add_field(&b, "build_number", m->build_number_text);
	add_field(&b, "fn", m->fn);
	add_field(&b, "url", m->url);
	add_field(&b, "md5", m->md5);
	add_field(&b, "sha256", m->sha256);
	add_field(&b, "license", m->license);
	add_field(&b, "license_family", m->license_family);
	add_field(&b, "track_features", m->track_features);
	add_field(&b, "features", m->features);
	add_list(&b, "extras", m->extras, m->n_extras);
	add_list(&b, "flags", m->flags, m->n_flags);
	if (m->when) {
		buf_puts(&b, b.n ? "; when=" : "when=");
		add_condition(&b, m->when);
	}
	out = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return out;
}

static void check_error(struct str spec, struct str why)
{
	struct matchspec m;
	struct err e = {0};

	if (matchspec_parse(&arena, spec, &m, &e) == 0)
		fail_msg("'%.*s' was taken", STR_ARG(spec));
	assert_int_equal(e.code, ERR_INPUT);
	if (str_find(str_of(e.text), why) < 0)
		fail_msg("'%.*s' gives '%s', not '%.*s'", STR_ARG(spec), e.text, STR_ARG(why));
	err_release(&e);
}

static struct matchspec parse(struct str spec)
{
	struct matchspec m;
	struct err e = {0};

	if (matchspec_parse(&arena, spec, &m, &e) < 0)
		fail_msg("%s", e.text);
	return m;
}

static void table_fields(void **state)
{
	struct str rest = read_table("tests/data/matchspec_fields.tsv"), line;
	size_t n = 0;

	(void)state;
	for (; next_line(&rest, &line); n++) {
		struct str spec = str_cut(&line, '\t'), fields = str_cut(&line, '\t');
		struct matchspec m;

		if (str_is(fields, "error")) {
			check_error(spec, line);
			continue;
		}
		m = parse(spec);
		if (!str_eq(fields_of(&m), fields))
			fail_msg("'%.*s' gives '%.*s', not '%.*s'", STR_ARG(spec),
				STR_ARG(fields_of(&m)), STR_ARG(fields));
		/* The quick reading of the name agrees, but for letters' case. */
		if (m.exact_name && !str_same(matchspec_name(spec), m.name))
			fail_msg("'%.*s' is called '%.*s'", STR_ARG(spec),
				STR_ARG(matchspec_name(spec)));
	}
	assert_true(n >= 140);
}

/* "numpy-1.7.1-py27_0.tar.bz2 channel=... build_number=7" */
static struct record read_record(struct str text)
{
	struct record r = {.fn = str_cut(&text, ' ')};
	struct str key, value;

	assert_int_equal(record_split_fn(r.fn, &r.name, &r.version, &r.build), 0);
	while (text.p) {
		value = str_cut(&text, ' ');
		key = str_cut(&value, '=');
		if (str_is(key, "channel"))
			r.channel = value;
		else if (str_is(key, "subdir"))
			r.subdir = value;
		else if (str_is(key, "url"))
			r.url = value;
		else if (str_is(key, "build_number"))
			assert_int_equal(str_u64(value, 1000, &r.build_number), 0);
		else if (str_is(key, "md5"))
			r.has_md5 = hex_decode(value, r.md5, MD5_LEN) == 0;
		else if (str_is(key, "license"))
			r.license = value;
		else if (str_is(key, "license_family"))
			r.license_family = value;
		else if (str_is(key, "track_features"))
			r.track_features = value;
		else if (str_is(key, "flags"))
			r.flags = value;
		else if (str_is(key, "sha256"))
			r.has_sha256 = hex_decode(value, r.sha256, SHA256_LEN) == 0;
		else
			fail_msg("'%.*s'?", STR_ARG(key));
	}
	return r;
}

static bool spec_matches(struct str spec, struct str text)
{
	struct matchspec m = parse(spec);
	struct record r = read_record(text);
	const struct version *v;

	assert_int_equal(version_parse(&arena, r.version, &v, NULL), 0);
	return matchspec_match(&m, &r, v);
}

static void table_match(void **state)
{
	struct str rest = read_table("tests/data/matchspec_match.tsv"), line;
	size_t n = 0;

	(void)state;
	for (; next_line(&rest, &line); n++) {
		struct str spec = str_cut(&line, '\t'), text = str_cut(&line, '\t');

		if (spec_matches(spec, text) != str_is(line, "yes"))
			fail_msg("'%.*s' and '%.*s': not '%.*s'", STR_ARG(spec), STR_ARG(text),
				STR_ARG(line));
	}
	assert_true(n >= 100);
}

/* --- the CEPs' own cases ------------------------------------------------------------------ */

/* Is there one of the packages in a list of file names? */
static int among(const struct matchspec *spec, void *context)
{
	struct str rest = *(struct str *)context;

	while (rest.p) {
		struct record r = read_record(str_cut(&rest, ' '));
		const struct version *v;

		assert_int_equal(version_parse(&arena, r.version, &v, NULL), 0);
		if (matchspec_match(spec, &r, v))
			return 1;
	}
	return 0;
}

static bool condition_holds(struct str spec, struct str packages)
{
	struct matchspec m = parse(spec);

	assert_non_null(m.when);
	return spec_condition_holds(m.when, among, &packages) == 1;
}

static bool clause_matches(struct str clause, struct str version)
{
	const struct version_spec *spec;
	const struct version *v;

	assert_int_equal(version_spec_parse(&arena, clause, &spec, NULL), 0);
	assert_int_equal(version_parse(&arena, version, &v, NULL), 0);
	return version_spec_match(spec, v);
}

static struct str order_of(struct str a, struct str b)
{
	const struct version *v, *w;
	int c;

	assert_int_equal(version_parse(&arena, a, &v, NULL), 0);
	assert_int_equal(version_parse(&arena, b, &w, NULL), 0);
	c = version_cmp(v, w);
	assert_true((c > 0) == (version_cmp(w, v) < 0) && (c < 0) == (version_cmp(w, v) > 0));
	return c < 0 ? STR("<") : c > 0 ? STR(">") : STR("=");
}

static void check_case(
	struct str source, struct str kind, struct str a, struct str b, struct str expected)
{
	struct str got;

	if (str_is(kind, "error")) {
		check_error(a, expected);
		return;
	}
	if (str_is(kind, "order"))
		got = order_of(a, b);
	else if (str_is(kind, "clause"))
		got = clause_matches(a, b) ? STR("yes") : STR("no");
	else if (str_is(kind, "when"))
		got = condition_holds(a, b) ? STR("yes") : STR("no");
	else
		got = spec_matches(a, b) ? STR("yes") : STR("no");
	if (!str_eq(got, expected))
		fail_msg("%.*s: '%.*s' and '%.*s': '%.*s', not '%.*s'", STR_ARG(source), STR_ARG(a),
			STR_ARG(b), STR_ARG(got), STR_ARG(expected));
}

static void table_ceps(void **state)
{
	struct str rest = read_table("tests/data/matchspec_ceps.tsv"), line;
	size_t n = 0;

	(void)state;
	for (; next_line(&rest, &line); n++) {
		struct str source = str_cut(&line, '\t'), kind = str_cut(&line, '\t');
		struct str a = str_cut(&line, '\t'), b = str_cut(&line, '\t');

		assert_true(str_starts(source, STR("CEP ")));
		check_case(source, kind, a, b, line);
	}
	assert_true(n >= 500);
}

/* What cannot be told is passed on only where the rest does not decide. */
static int known_by_name(const struct matchspec *spec, void *context)
{
	(void)context;
	return str_is(spec->name, "yes") ? 1 : str_is(spec->name, "no") ? 0 : -1;
}

static void conditions(void **state)
{
	static const struct {
		const char *spec;
		int holds;
	} cases[] = {
		{"a[when='yes']", 1},
		{"a[when='no']", 0},
		{"a[when='maybe']", -1},
		{"a[when='yes and maybe']", -1},
		{"a[when='no and maybe']", 0},
		{"a[when='maybe and no']", 0},
		{"a[when='yes or maybe']", 1},
		{"a[when='maybe or yes']", 1},
		{"a[when='no or maybe']", -1},
		{"a[when='maybe or no']", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct matchspec m = parse(str_of(cases[i].spec));

		assert_int_equal(spec_condition_holds(m.when, known_by_name, NULL), cases[i].holds);
	}
}

/* --- regular expressions ------------------------------------------------------------------ */

static bool build_matches(const char *regex, const char *build)
{
	struct record r = {.name = STR("a"), .version = STR("1"), .build = str_of(build)};
	struct matchspec m = parse(arena_strf(&arena, "a[build=\"%s\"]", regex));
	const struct version *v;

	assert_int_equal(version_parse(&arena, r.version, &v, NULL), 0);
	return matchspec_match(&m, &r, v);
}

static void regexes(void **state)
{
	static const struct {
		const char *regex, *hit, *miss;
	} cases[] = {
		{"^a+b?$", "aaab", "abb"},
		{"^a*$", "", "b"},
		{"^(ab|c)*d$", "ababcd", "abad"},
		{"^a{2,3}$", "aaa", "aaaa"},
		{"^a{2}$", "aa", "a"},
		{"^a{2,}$", "aaaaa", "a"},
		{"^a{,2}$", "aa", "aaa"},
		{"^a{x$", "a{x", "aax"},
		{"^[a-c0-9_]+$", "ab_19", "ad"},
		{"^[^a-c]$", "D", "B"},
		{"^[]a]+$", "a]", "b"},
		{"^[^]a]+$", "b", "]"},
		{"^[a-]+$", "a-", "b"},
		{"^[\\\\d.]+$", "1.2", "1a"},
		{"^\\\\w+\\\\W\\\\S$", "a_1-b", "a_1b-"},
		{"^(?:a|b)(?P<x>c)$", "bc", "c"},
		{"^a.c$", "axc", "a\nc"},
		{"^a\\\\.c$", "a.c", "abc"},
		{"^\\\\x61$", "A", "b"},
		{"^.*?\\\\bcp39\\\\b.*$", "py-cp39-x", "py-cp391"},
		{"^a|b$", "xb", "xbx"},
		{"^(a|b$|c)$", "c", "d"},
		{"^(a*)*$", "aaa", "ab"},
		{"^()$", "", "a"},
		{"^(|a)+b$", "aab", "aac"},
		{"^$", "", "a"},
		{"^(^)*a(\\\\b)?$", "a", "b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (!build_matches(cases[i].regex, cases[i].hit))
			fail_msg("'%s' does not match '%s'", cases[i].regex, cases[i].hit);
		if (build_matches(cases[i].regex, cases[i].miss))
			fail_msg("'%s' matches '%s'", cases[i].regex, cases[i].miss);
	}
}

/* What makes other engines take for ever is matched in steps times characters, or refused. */
static void hostile_regexes(void **state)
{
	static const char *const refused[] = {
		"^(a{1,32767}){1,32767}$",
		"^(a{100}){100}$",
		"^((((a{9}){9}){9}){9}){9}$",
		"^((((){1000}){1000}){1000}){1000}$",
	};
	static const char *const taken[] = {
		"^(a*)*b$",
		"^(a|a)*b$",
		"^(a?){200}a{200}$",
		"^(.*a){12}$",
		"^(a|b)*a(a|b){200}$",
	};
	char subject[4000];
	struct matchspec m;

	(void)state;
	memset(subject, 'a', sizeof subject - 1);
	subject[sizeof subject - 1] = 0;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_int_equal(matchspec_parse(&arena, str_of(refused[i]), &m, NULL), -1);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		assert_int_equal(build_matches(taken[i], subject), i >= 3);
}

/* A record whose version cannot be read is found by what does not ask for one. */
static void unreadable_version(void **state)
{
	struct record r = {.name = STR("a"), .version = STR("1..2"), .build = STR("0")};
	struct matchspec any = parse(STR("a")), some = parse(STR("a >=0")),
			 all = parse(STR("a * 0"));

	(void)state;
	assert_true(matchspec_match(&any, &r, NULL));
	assert_true(matchspec_match(&all, &r, NULL));
	assert_false(matchspec_match(&some, &r, NULL));
}

static void long_specs(void **state)
{
	struct buf b = {0};
	struct matchspec m;

	(void)state;
	buf_puts(&b, "a 1");
	while (b.n < 9000)
		buf_puts(&b, "|1");
	assert_int_equal(matchspec_parse(&arena, buf_view(&b), &m, NULL), -1);
	b.n = 4000 - 4000 % 2 + 1;
	assert_int_equal(matchspec_parse(&arena, buf_view(&b), &m, NULL), 0);
	buf_release(&b);
}

/* Every cut and every change of one character is read or refused with a place within the text. */
static void damaged_specs(void **state)
{
	struct str text =
		STR("https://x.org/c/linux-64::num*py >=1.2,<2|^1\\.(7|8)$ py_0[build='a\\'b',"
		    "flags=[\"c\",'d:*'],extras=e,when='(f>=1 and g[build=h]) or i']");
	char copy[256];

	(void)state;
	assert_true(text.n < sizeof copy);
	for (size_t i = 0; i <= text.n; i++) {
		static const char bytes[] = "\0 '\"[](),|=<!~*^$\\:/#\xff";

		for (size_t k = 0; i < text.n && k < sizeof bytes; k++) {
			struct matchspec m;
			struct err e = {0};
			const char *at;

			memcpy(copy, text.p, text.n);
			copy[i] = bytes[k];
			if (matchspec_parse(&arena, str_n(copy, k ? text.n : i), &m, &e) == 0)
				continue;
			assert_int_equal(e.code, ERR_INPUT);
			at = strrchr(e.text, ' ');
			if (strstr(e.text, " at ") &&
				(atol(at + 1) < 1 || atol(at + 1) > (long)text.n + 1))
				fail_msg("%s", e.text);
			err_release(&e);
		}
	}
}

static void long_version(void **state)
{
	struct buf b = {0};
	struct matchspec m;
	struct err e = {0};

	(void)state;
	buf_puts(&b, "numpy ==1");
	while (b.n < 8000)
		buf_puts(&b, ".1");
	assert_int_equal(matchspec_parse(&arena, buf_view(&b), &m, &e), -1);
	assert_non_null(strstr(e.text, "a version"));
	assert_true(strlen(e.text) < 500);
	err_release(&e);
	while (b.n < 10000)
		buf_puts(&b, ".1");
	assert_int_equal(matchspec_parse(&arena, buf_view(&b), &m, &e), -1);
	assert_true(strlen(e.text) < 500);
	err_release(&e);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_fields),
		cmocka_unit_test(table_match),
		cmocka_unit_test(table_ceps),
		cmocka_unit_test(conditions),
		cmocka_unit_test(regexes),
		cmocka_unit_test(hostile_regexes),
		cmocka_unit_test(unreadable_version),
		cmocka_unit_test(damaged_specs),
		cmocka_unit_test(long_version),
		cmocka_unit_test(long_specs),
	};
	int rc = cmocka_run_group_tests_name("solver_matchspec", tests, NULL, NULL);

	arena_release(&arena);
	return rc;
}

/* MatchSpec: what is read, what is refused and where, what matches. */
#include "base/hash.h"
#include "solver/matchspec.h"
#include "tests/unit/solver_files.h"

static struct arena arena;

static void add_field(struct buf *b, const char *name, struct str value)
{
	if (value.n)
		buf_printf(b, "%s%s=%.*s", b->n ? "; " : "", name, STR_ARG(value));
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
	struct str rest = read_table(&arena, "tests/data/matchspec_fields.tsv"), line;
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
		else
			fail_msg("'%.*s'?", STR_ARG(key));
	}
	return r;
}

static void table_match(void **state)
{
	struct str rest = read_table(&arena, "tests/data/matchspec_match.tsv"), line;
	size_t n = 0;

	(void)state;
	for (; next_line(&rest, &line); n++) {
		struct str spec = str_cut(&line, '\t'), text = str_cut(&line, '\t');
		struct matchspec m = parse(spec);
		struct record r = read_record(text);
		const struct version *v;

		assert_int_equal(version_parse(&arena, r.version, &v, NULL), 0);
		if (matchspec_match(&m, &r, v) != str_is(line, "yes"))
			fail_msg("'%.*s' and '%.*s': not '%.*s'", STR_ARG(spec), STR_ARG(text),
				STR_ARG(line));
	}
	assert_true(n >= 100);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_fields),
		cmocka_unit_test(table_match),
		cmocka_unit_test(unreadable_version),
		cmocka_unit_test(long_specs),
	};
	int rc = cmocka_run_group_tests_name("solver_matchspec", tests, NULL, NULL);

	arena_release(&arena);
	return rc;
}

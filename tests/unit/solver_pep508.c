/* Requirements and markers of Python distributions (PEP 508), names (PEP 503). */
#include "solver/pep508.h"
#include "tests/unit/solver_files.h"

static struct arena arena;

static void check_error(struct str text, struct str why)
{
	struct pep508 r;
	struct err e = {0};

	if (pep508_parse(&arena, text, &r, &e) == 0)
		fail_msg("'%.*s' is taken", STR_ARG(text));
	assert_int_equal(e.code, ERR_INPUT);
	if (str_find(str_of(e.text), why) < 0)
		fail_msg("'%s', not '%.*s'", e.text, STR_ARG(why));
	err_release(&e);
}

static bool is_error(struct str *answer)
{
	if (!str_starts(*answer, STR("error: ")))
		return false;
	*answer = str_sub(*answer, 7, answer->n);
	return true;
}

/* name|extras|specifiers|url|marker */
static struct str described(const struct pep508 *r)
{
	struct buf b = {0};
	struct str text;

	buf_printf(&b, "%.*s|", STR_ARG(r->name));
	for (size_t i = 0; i < r->n_extras; i++)
		buf_printf(&b, "%s%.*s", i ? "," : "", STR_ARG(r->extras[i]));
	buf_putc(&b, '|');
	for (size_t i = 0; i < r->versions.n; i++)
		buf_printf(&b, "%s%s%.*s%s", i ? " " : "", pep440_op_text(r->versions.v[i].op),
			STR_ARG(r->versions.v[i].text), r->versions.v[i].prefix ? ".*" : "");
	buf_printf(&b, "|%.*s|%.*s", STR_ARG(r->url), STR_ARG(r->marker_text));
	text = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return text;
}

static void requirements(void **state)
{
	struct str rest = read_table(&arena, "tests/data/pep508_requirements.tsv"), line;
	size_t n = 0;

	(void)state;
	for (; next_line(&rest, &line); n++) {
		struct str text = str_cut(&line, '\t'), got;
		struct pep508 r;
		struct err e = {0};

		if (is_error(&line)) {
			check_error(text, line);
			continue;
		}
		if (pep508_parse(&arena, text, &r, &e) < 0)
			fail_msg("%s", e.text);
		got = described(&r);
		if (!str_eq(got, line))
			fail_msg("'%.*s' gives '%.*s'", STR_ARG(text), STR_ARG(got));
		assert_true((r.marker != NULL) == (r.marker_text.n > 0));
	}
	assert_true(n > 40);
}

static struct str *split(struct str text, size_t *n)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};

	while (text.n)
		*VEC_PUSH(&arena, &list) = str_cut(&text, ',');
	*n = list.n;
	return list.v;
}

static void markers(void **state)
{
	struct str rest = read_table(&arena, "tests/data/pep508_markers.tsv"), line;
	struct marker_env env;
	size_t n = 0;

	(void)state;
	marker_env_of(&arena, STR("3.6.6"), STR("linux-64"), &env);
	for (; next_line(&rest, &line); n++) {
		struct str marker = str_cut(&line, '\t'), names = str_cut(&line, '\t'), *extras;
		struct str text = arena_strf(&arena, "x ; %.*s", STR_ARG(marker));
		struct pep508 r;
		struct err e = {0};
		size_t n_extras;
		bool yes;

		if (is_error(&line)) {
			check_error(text, line);
			continue;
		}
		if (pep508_parse(&arena, text, &r, &e) < 0)
			fail_msg("%s", e.text);
		extras = split(names, &n_extras);
		yes = marker_holds(r.marker, &env, extras, n_extras);
		if (yes != str_is(line, "yes"))
			fail_msg("'%.*s' with '%.*s' gives %d", STR_ARG(marker), STR_ARG(names),
				yes);
	}
	assert_true(n > 50);
	assert_true(marker_holds(NULL, &env, NULL, 0));
}

static void environments(void **state)
{
	struct marker_env env;

	(void)state;
	marker_env_of(&arena, STR("2.7.18"), STR("linux-aarch64"), &env);
	assert_true(str_is(env.sys_platform, "linux2"));
	assert_true(str_is(env.python_version, "2.7"));
	assert_true(str_is(env.platform_machine, "aarch64"));
	marker_env_of(&arena, STR("3.11.4"), STR("osx-arm64"), &env);
	assert_true(str_is(env.python_version, "3.11"));
	assert_true(str_is(env.sys_platform, "darwin"));
	assert_true(str_is(env.platform_machine, "arm64"));
	marker_env_of(&arena, STR("3.12.0"), STR("win-64"), &env);
	assert_true(str_is(env.os_name, "nt"));
	assert_true(str_is(env.platform_machine, "AMD64"));
}

/* Brackets and chains as long as a text may be neither overflow the stack nor take long. */
static void deep(void **state)
{
	struct marker_env env;
	struct pep508 r;
	struct buf b = {0};

	(void)state;
	marker_env_of(&arena, STR("3.6.6"), STR("linux-64"), &env);
	buf_puts(&b, "x; ");
	for (int i = 0; i < 4000; i++)
		buf_putc(&b, '(');
	check_error(buf_view(&b), STR("brackets are nested too deep"));
	buf_clear(&b);
	buf_puts(&b, "x; 'a'=='a'");
	for (int i = 0; i < 1400; i++)
		buf_puts(&b, "and'a'=='a'");
	assert_int_equal(pep508_parse(&arena, buf_view(&b), &r, NULL), 0);
	assert_true(marker_holds(r.marker, &env, NULL, 0));
	while (b.n < 1 << 20)
		buf_puts(&b, " ");
	assert_int_equal(pep508_parse(&arena, buf_view(&b), &r, NULL), -1);
	buf_release(&b);
}

static void names(void **state)
{
	(void)state;
	assert_true(str_is(pypi_normal_name(&arena, STR("Friendly-._.Bard")), "friendly-bard"));
	assert_true(pypi_name_is_valid(STR("a")));
	assert_true(pypi_name_is_valid(STR("A.b-c_9")));
	assert_false(pypi_name_is_valid(STR("")));
	assert_false(pypi_name_is_valid(STR(".a")));
	assert_false(pypi_name_is_valid(STR("a-")));
	assert_false(pypi_name_is_valid(STR("a b")));
	assert_false(pypi_name_is_valid(STR("a/b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requirements),
		cmocka_unit_test(markers),
		cmocka_unit_test(environments),
		cmocka_unit_test(deep),
		cmocka_unit_test(names),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}

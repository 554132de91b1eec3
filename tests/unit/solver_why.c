/* Who needs whom, told from records and wheels alone. */
#include "solver/why.h"

#include "tests/unit/solver_files.h"

struct made {
	struct record records[8], *v[8];
	size_t n;
	struct str texts[32];
	size_t n_texts;
	struct pypi_package wheels[4];
	struct pypi_set set;
};

static void add_record(struct made *m, const char *name, const char *version, const char *needs)
{
	struct record *r = &m->records[m->n];
	struct str rest = str_of(needs);

	*r = (struct record){.name = str_of(name),
		.version = str_of(version),
		.build = STR("0"),
		.depends = &m->texts[m->n_texts]};
	while (rest.p && rest.n) {
		m->texts[m->n_texts++] = str_trim(str_cut(&rest, '|'));
		r->n_depends++;
	}
	m->v[m->n++] = r;
}

static void add_wheel(struct made *m, const char *name, const char *version, const char *needs)
{
	struct pypi_package *p = &m->wheels[m->set.n++];
	struct str rest = str_of(needs);

	*p = (struct pypi_package){.name = str_of(name),
		.version = str_of(version),
		.url = STR("https://h/x.whl"),
		.requires_dist = &m->texts[m->n_texts]};
	while (rest.p && rest.n) {
		m->texts[m->n_texts++] = str_trim(str_cut(&rest, '|'));
		p->n_requires_dist++;
	}
	m->set.v = m->wheels;
}

static const struct spec_line lines[] = {{STR_INIT("app"), 5, 3}, {STR_INIT("tool >=1"), 6, 3}};
static const struct spec_line pip_lines[] = {
	{STR_INIT("webapp[fast]>=2"), 9, 5}, {STR_INIT("other"), 10, 5}};

static struct solve_request request_of(const struct str *virtual_package)
{
	return (struct solve_request){.subdir = STR("linux-64"),
		.virtual_packages = virtual_package,
		.n_virtual_packages = 1,
		.specs = lines,
		.n_specs = 2,
		.pip = pip_lines,
		.n_pip = 2,
		.file = "environment.yml",
		.project_dir = "/",
		.target = "box"};
}

static void make(struct made *m)
{
	*m = (struct made){0};
	add_record(m, "app", "1", "python >=3.8|mid|opt[extras=fast]");
	add_record(m, "tool", "2", "mid >=1|lib <9|lib >=2|__glibc >=2.17,<3.0.a0");
	add_record(m, "mid", "1", "lib|__glibc >=2.28");
	add_record(m, "lib", "3", "__glibc >=2.17,<3.0.a0|__linux");
	add_record(m, "python", "3.9.1", "lib");
	m->records[3].purls = m->texts + m->n_texts;
	m->texts[m->n_texts++] = STR("pkg:pypi/py_lib@3");
	m->records[3].n_purls = 1;
	m->records[3].has_purls = true;
	add_record(m, "opt", "1", NULL);
	m->records[5].extras = m->texts + m->n_texts;
	m->texts[m->n_texts++] = STR("fast quick >=1");
	m->texts[m->n_texts++] = STR("slow lib >=1");
	m->records[5].n_extras = 2;
	add_record(m, "quick", "1", NULL);
	add_wheel(m, "webapp", "2.1",
		"engine>=1 ; python_version >= '3.0'|gone ; python_version < '3.0'|"
		"speedup ; extra == 'fast'|unused ; extra == 'slow'");
	add_wheel(m, "engine", "1.5", "Py.Lib (>=2)");
	add_wheel(m, "speedup", "0.1", "engine");
}

static void chain_text(const struct why_chain *c, struct buf *to)
{
	buf_printf(to, "%.*s: %.*s", STR_ARG(c->where), STR_ARG(c->text));
	for (size_t i = 0; i < c->n_steps; i++)
		buf_printf(to, " > %.*s %.*s needs %.*s", STR_ARG(c->steps[i].name),
			STR_ARG(c->steps[i].version), STR_ARG(c->steps[i].needs));
	buf_puts(to, "\n");
}

static void ask(struct arena *a, const char *spec, bool only_lock, struct why *out)
{
	static const struct str glibc = STR_INIT("__glibc=2.28");
	struct made *m = arena_new(a, struct made);
	struct solve_request *solve = arena_new(a, struct solve_request);
	const struct unsat *unsat;
	struct err e = {0};

	make(m);
	*solve = request_of(&glibc);
	if (only_lock)
		solve->n_specs = solve->n_pip = 0;
	if (why(a,
		    &(struct why_request){.solve = solve,
			    .spec = str_of(spec),
			    .only_lock = only_lock,
			    .records = m->v,
			    .n_records = m->n,
			    .pypi = &m->set},
		    out, &unsat, &e) < 0)
		fail_msg("%s", e.text);
}

static void check_chains(const char *spec, bool only_lock, const char *expected)
{
	struct arena a = {0};
	CLEANUP_BUF got = {0};
	struct why out;

	ask(&a, spec, only_lock, &out);
	assert_int_equal(out.kind, WHY_IN);
	for (size_t i = 0; i < out.n_chains; i++)
		chain_text(&out.chains[i], &got);
	assert_string_equal(got.p ? got.p : "", expected);
	arena_release(&a);
}

static void chains_are_the_shortest(void **state)
{
	(void)state;
	check_chains("app", false, "environment.yml:5: app\n");
	check_chains("mid", false,
		"environment.yml:5: app > app 1 needs mid\n"
		"environment.yml:6: tool >=1 > tool 2 needs mid >=1\n");
	/* Every direct asker has one, and so has every line. */
	check_chains("lib", false,
		"environment.yml:6: tool >=1 > tool 2 needs lib <9 and lib >=2\n"
		"environment.yml:5: app > app 1 needs mid > mid 1 needs lib\n"
		"environment.yml:5: app > app 1 needs python >=3.8 > python 3.9.1 needs lib\n"
		"environment.yml:9: webapp[fast]>=2 > webapp 2.1 needs engine>=1 > "
		"engine 1.5 needs Py.Lib (>=2)\n");
}

static void groups_have_chains(void **state)
{
	(void)state;
	check_chains("quick", false,
		"environment.yml:5: app > app 1 needs opt[extras=fast] > opt 1 needs quick >=1\n");
}

static void wheels_have_chains(void **state)
{
	(void)state;
	check_chains("webapp", false, "environment.yml:9: webapp[fast]>=2\n");
	check_chains("engine", false,
		"environment.yml:9: webapp[fast]>=2 > webapp 2.1 needs engine>=1\n"
		"environment.yml:9: webapp[fast]>=2 > webapp 2.1 needs speedup > "
		"speedup 0.1 needs engine\n");
	check_chains("Speedup", false,
		"environment.yml:9: webapp[fast]>=2 > webapp 2.1 needs speedup\n");
}

static void a_lock_has_no_lines(void **state)
{
	(void)state;
	check_chains("mid", true,
		": app > app 1 needs mid\n"
		": tool > tool 2 needs mid >=1\n");
	check_chains("tool", true, ": tool\n");
}

static void what_is_not_in_a_lock(void **state)
{
	struct arena a = {0};
	struct why out;

	(void)state;
	ask(&a, "absent", true, &out);
	assert_int_equal(out.kind, WHY_NOT_LOCKED);
	assert_int_equal(out.version.n, 0);
	ask(&a, "lib >=4", true, &out);
	assert_int_equal(out.kind, WHY_NOT_LOCKED);
	assert_true(str_is(out.version, "3"));
	arena_release(&a);
}

static void needs_of_a_virtual_package(void **state)
{
	struct arena a = {0};
	struct why out;

	(void)state;
	ask(&a, "__glibc", false, &out);
	assert_int_equal(out.kind, WHY_VIRTUAL);
	assert_true(str_is(out.version, "2.28"));
	assert_int_equal(out.n_needs, 2);
	assert_true(str_is(out.needs[0].text, "__glibc >=2.28"));
	assert_true(out.needs[0].n_by == 1 && str_is(out.needs[0].by[0], "mid"));
	assert_true(str_is(out.needs[1].text, "__glibc >=2.17,<3.0.a0"));
	assert_true(out.needs[1].n_by == 2 && str_is(out.needs[1].by[0], "tool") &&
		    str_is(out.needs[1].by[1], "lib"));
	ask(&a, "__linux", false, &out);
	assert_true(out.n_needs == 1 && out.version.n == 0);
	ask(&a, "__cuda", false, &out);
	assert_true(out.n_needs == 0 && out.version.n == 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_the_shortest),
		cmocka_unit_test(groups_have_chains),
		cmocka_unit_test(wheels_have_chains),
		cmocka_unit_test(a_lock_has_no_lines),
		cmocka_unit_test(what_is_not_in_a_lock),
		cmocka_unit_test(needs_of_a_virtual_package),
	};

	return cmocka_run_group_tests_name("solver why", tests, NULL, NULL);
}

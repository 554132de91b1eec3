/* Environment files: real ones, every rule, and where errors point. */
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "solver/envfile.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static char *dir; /* of this test, removed at the end */

static const char *put_file(const char *text)
{
	char *path = path_join(&arena, dir, "environment.yml");
	struct err e = {0};

	if (file_write(path, str_of(text), 0644, &e) < 0)
		fail_msg("%s", e.text);
	return path;
}

static struct envfile read_text(const char *text, const char *subdir)
{
	struct envfile env;
	struct err e = {0};

	if (envfile_read(&arena, put_file(text), subdir, &env, &e) < 0)
		fail_msg("%s", e.text);
	return env;
}

static struct str joined(const struct spec_line *v, size_t n)
{
	struct buf b = {0};
	struct str out;

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%.*s@%d:%d", i ? "|" : "", STR_ARG(v[i].text), v[i].line,
			v[i].column);
	out = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return out;
}

static void check(struct str is, const char *should)
{
	if (!str_is(is, should))
		fail_msg("'%.*s', not '%s'", STR_ARG(is), should);
}

/* --- real files --------------------------------------------------------------------------- */

static void real_files(void **state)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	char *folder = path_join(&arena, data ? data : "../shared/data", "environments");
	size_t files = 0, depends = 0, pip = 0;
	struct dirent *entry;
	DIR *d = opendir(folder);

	(void)state;
	if (!d) {
		printf("# skip real_files: no '%s', set ENVBUILD_SHARED_DATA\n", folder);
		skip();
	}
	while ((entry = readdir(d))) {
		struct envfile env;
		struct err e = {0};

		if (!str_ends(str_of(entry->d_name), STR(".yml")))
			continue;
		files++;
		if (envfile_read(&arena, path_join(&arena, folder, entry->d_name), "linux-64", &env,
			    &e) < 0)
			fail_msg("%s", e.text);
		depends += env.n_depends;
		pip += env.n_pip > 0;
	}
	closedir(d);
	assert_int_equal(files, 327);
	/* Texts and what selectors let in for linux; "pillow" is for osx or win. */
	assert_int_equal(depends, 8557);
	assert_int_equal(pip, 91);
}

/* --- the form ----------------------------------------------------------------------------- */

static void all_keys(void **state)
{
	struct envfile env = read_text("name: prod\n"
				       "prefix: /opt/x\n"
				       "category: dev\n"
				       "channels:\n"
				       "  - conda-forge\n"
				       "  - ../channel\n"
				       "platforms: [linux-64, osx-arm64]\n"
				       "variables:\n"
				       "  A: 1\n"
				       "  B_2: \"two words\"\n"
				       "  C: null\n"
				       "dependencies:\n"
				       "  - python=3.11\n"
				       "  - 'numpy >=1.26  # because'\n"
				       "  - pip\n"
				       "  - pip:\n"
				       "    - --index-url https://x.org/simple\n"
				       "    - '-e git+https://github.com/a/b.git#egg=b'\n",
		"linux-64");

	(void)state;
	check(env.name, "prod");
	check(joined(env.channels, env.n_channels), "conda-forge@5:5|../channel@6:5");
	check(joined(env.depends, env.n_depends), "python=3.11@13:5|numpy >=1.26@14:5|pip@15:5");
	check(joined(env.pip, env.n_pip), "--index-url https://x.org/simple@17:7|"
					  "-e git+https://github.com/a/b.git#egg=b@18:7");
	assert_int_equal(env.n_platforms, 2);
	check(env.platforms[1], "osx-arm64");
	assert_int_equal(env.n_variables, 3);
	check(env.variables[0].name, "A");
	check(env.variables[0].value, "1");
	check(env.variables[1].value, "two words");
	assert_string_equal(env.dir, dir);
}

static void selectors(void **state)
{
	static const char text[] = "dependencies:\n"
				   "  - always\n"
				   "  - a  # [linux]\n"
				   "  - b  # [win or osx]\n"
				   "  - c  #[unix and not (aarch64 or ppc64le)]\n"
				   "  - 'd'  # [linux64]\n"
				   "  - e  # note [linux]\n"
				   "  - f  # [see below]\n"
				   "  - g  # [aarch64]\n"
				   "  - sel(linux): h >=1\n"
				   "  - sel(win): i\n"
				   "  - sel(unix): [j, k]\n"
				   "  - pip:\n"
				   "    - l  # [osx]\n"
				   "    - m  # [x86_64]\n"
				   "  # - n  # [linux]\n";
	struct envfile env;

	(void)state;
	env = read_text("dependencies:\n  - a # [win]\n", "linux-64");
	assert_int_equal(env.n_depends, 0);
	env = read_text(text, "linux-64");
	check(joined(env.depends, env.n_depends),
		"always@2:5|a@3:5|c@5:5|d@6:5|e@7:5|f@8:5|h >=1@10:17|j@12:17|k@12:20");
	check(joined(env.pip, env.n_pip), "m@15:7");
	env = read_text(text, "osx-arm64");
	check(joined(env.depends, env.n_depends),
		"always@2:5|b@4:5|c@5:5|e@7:5|f@8:5|j@12:17|k@12:20");
	check(joined(env.pip, env.n_pip), "l@14:7");
	env = read_text(text, "linux-aarch64");
	check(joined(env.depends, env.n_depends),
		"always@2:5|a@3:5|e@7:5|f@8:5|g@9:5|h >=1@10:17|j@12:17|k@12:20");
}

static void refused(void **state)
{
	static const char *const cases[][3] = {
		{"", "the file is empty, 'dependencies:' is missing", NULL},
		{"# nothing\n", "the file is empty", NULL},
		{"name: x\n", ".yml:1:1: 'dependencies:' is missing", "under 'dependencies:'"},
		{"- a\n", ".yml:1:1: not a map", NULL},
		{"dependencies: python\n", ".yml:1:15: 'dependencies' is not a list", NULL},
		{"dependencies:\n  - 3.6\n", ".yml:2:5: '3.6' is a number", "'python=3.6'"},
		{"dependencies:\n  - python\n  -\n",
			".yml:3:4: an entry of 'dependencies' is empty", NULL},
		{"dependencies:\n  - [a]\n", ".yml:2:5: an entry of 'dependencies' is a list",
			NULL},
		{"dependencies:\n  - numpy >=1..2\n",
			".yml:2:5: invalid spec 'numpy >=1..2': empty component at 11", NULL},
		{"dependencies:\n  - npm:\n    - left-pad\n",
			".yml:2:5: unknown subsection 'npm' in 'dependencies'", "'pip'"},
		{"dependencies:\n  - numpy: 1.2\n", ".yml:2:5: unknown subsection 'numpy'",
			"quotes"},
		{"dependencies:\n  - sel(bsd): a\n", ".yml:2:5: 'sel(bsd)' is not a selector",
			NULL},
		{"dependencies:\n  - pip: requests\n", ".yml:2:10: 'pip' is not a list", NULL},
		{"dependencies:\n  - pip:\n    - {a: b}\n", ".yml:3:7: an entry of 'pip'", NULL},
		{"channels: conda-forge\ndependencies: []\n", ".yml:1:11: 'channels' is not a list",
			NULL},
		{"name: a/b\ndependencies: []\n", ".yml:1:7: 'name' holds", NULL},
		{"name: ..\ndependencies: []\n", ".yml:1:7: 'name' is not a name", NULL},
		{"name: [a]\ndependencies: []\n", ".yml:1:7: 'name' is not a text", NULL},
		{"variables: [A]\ndependencies: []\n", ".yml:1:12: 'variables' is not a map", NULL},
		{"variables: {A B: 1}\ndependencies: []\n", ".yml:1:13: 'A B' is not the name",
			NULL},
		{"variables: {A: [1]}\ndependencies: []\n", ".yml:1:16: the value of a variable",
			NULL},
		{"platforms: [noarch]\ndependencies: []\n", ".yml:1:13: not a platform", NULL},
		{"dependencies:\n  - a\n b: c\n", ".yml:3:", NULL},
		{"dependencies:\n  - a\ndependencies: []\n", ".yml:3:1:", NULL},
		{"dependencies:\n\t- a\n", ".yml:2:", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct envfile env;
		struct err e = {0};

		if (envfile_read(&arena, put_file(cases[i][0]), "linux-64", &env, &e) == 0)
			fail_msg("taken: %s", cases[i][0]);
		assert_int_equal(e.code, ERR_INPUT);
		if (str_find(str_of(e.text), str_of(cases[i][1])) < 0)
			fail_msg("'%s', not '%s'", e.text, cases[i][1]);
		if (cases[i][2] && (!e.advice || !strstr(e.advice, cases[i][2])))
			fail_msg("advice '%s', not '%s'", e.advice ? e.advice : "", cases[i][2]);
		err_release(&e);
	}
}

static void missing(void **state)
{
	struct envfile env;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		envfile_read(&arena, path_join(&arena, dir, "none.yml"), "linux-64", &env, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_non_null(strstr(e.text, "no environment file '"));
	assert_non_null(strstr(e.advice, "environment.yml"));
	err_release(&e);
}

static void unknown_keys(void **state)
{
	const char *const *texts;
	size_t before = log_warnings(&texts), after;
	struct envfile env = read_text("pip-repositories: [x]\ndependencies: [a]\n", "linux-64");

	(void)state;
	assert_int_equal(env.n_depends, 1);
	after = log_warnings(&texts);
	assert_int_equal(after, before + 1);
	assert_non_null(strstr(texts[before], ":1:1: unknown key 'pip-repositories' is ignored"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_files),
		cmocka_unit_test(all_keys),
		cmocka_unit_test(selectors),
		cmocka_unit_test(refused),
		cmocka_unit_test(missing),
		cmocka_unit_test(unknown_keys),
	};
	struct err e = {0};
	int rc;

	log_setup((struct log_options){.quiet = true});
	dir = dir_temp(&arena, "/tmp", "envfile", &e);
	if (!dir) {
		log_error(&e);
		return 1;
	}
	rc = cmocka_run_group_tests_name("solver_envfile", tests, NULL, NULL);
	dir_remove(dir, NULL);
	arena_release(&arena);
	return rc;
}

/* envbuild.yml. */
#include "base/file.h"
#include "base/log.h"
#include "solver/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static char *dir;

static int read_text(const char *text, struct settings *out, struct err *e)
{
	char *path = path_join(&arena, dir, "envbuild.yml");

	assert_int_equal(file_write(path, str_of(text), 0644, NULL), 0);
	return settings_read(&arena, path, out, e);
}

static void good(void **state)
{
	struct settings s;
	struct err e = {0};

	(void)state;
	if (read_text("targets: [rhel7, debian12]\n"
		      "channels:\n  - conda-forge\n  - ../x\n"
		      "mirrors:\n  conda-forge: [https://m/cf, /srv/cf]\n  ./own: ../copy\n"
		      "test:\n  script: run-test.sh\n  timeout: 600\n  quota: 1.5G\n"
		      "pack: {format: tar.zst, split: 1500M, frozen: true, externally-managed: "
		      "false}\n",
		    &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_non_null(s.path);
	assert_int_equal(s.n_targets, 2);
	assert_true(str_is(s.targets[1], "debian12"));
	assert_int_equal(s.n_channels, 2);
	assert_true(str_is(s.channels[1], "../x"));
	assert_int_equal(s.n_mirrors, 3);
	assert_true(str_is(s.mirrors[1].channel, "conda-forge"));
	assert_true(str_is(s.mirrors[1].mirror, "/srv/cf"));
	assert_true(str_is(s.mirrors[2].channel, "./own"));
	assert_true(str_is(s.mirrors[2].mirror, "../copy"));
	assert_true(str_ends(str_of(s.mirrors[2].place), STR("envbuild.yml:7:3")));
	assert_true(str_is(s.test_script, "run-test.sh"));
	assert_int_equal(s.test_timeout, 600);
	assert_int_equal(s.test_quota, 1500000000);
	assert_true(str_is(s.format, "tar.zst"));
	assert_true(s.frozen);
	assert_int_equal(s.split, 1500000000);
	assert_false(s.externally_managed);
}

static void pack_rules(void **state)
{
	struct settings s;
	struct err e = {0};

	(void)state;
	if (read_text("pack:\n"
		      "  exclude: [share/doc, '*.a']\n"
		      "  include: share/doc/x\n"
		      "  drop: [headers]\n"
		      "  rename: {'bin/dbus-*': '*.off', bin/x: bin/y}\n"
		      "  add:\n    site/a.sh: etc/\n"
		      "  max-size: 1.5G\n"
		      "hooks: {pre-pack: prepare.sh}\n",
		    &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s.exclude.n, 2);
	assert_true(str_is(s.exclude.v[1].text, "*.a"));
	assert_true(str_ends(str_of(s.exclude.v[1].place), STR("envbuild.yml:2:24")));
	assert_int_equal(s.include.n, 1);
	assert_int_equal(s.drop.n, 1);
	assert_int_equal(s.rename.n, 2);
	assert_true(str_is(s.rename.v[0].text, "bin/dbus-*"));
	assert_true(str_is(s.rename.v[0].to, "*.off"));
	assert_int_equal(s.add.n, 1);
	assert_true(str_is(s.add.v[0].to, "etc/"));
	assert_true(str_ends(str_of(s.add.v[0].place), STR("envbuild.yml:7:5")));
	assert_int_equal(s.max_size, 1500000000);
	assert_true(str_is(s.pre_pack, "prepare.sh"));
}

static void ignores(void **state)
{
	struct settings s;
	struct err e = {0};

	(void)state;
	if (read_text("audit:\n"
		      "  ignore:\n"
		      "  - {rule: library-not-found, pattern: libX11.so.6, reason: no screens}\n"
		      "  - {rule: static-tls, pattern: '*'}\n",
		    &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s.n_ignores, 2);
	assert_true(str_is(s.ignores[0].rule, "library-not-found"));
	assert_true(str_is(s.ignores[0].pattern, "libX11.so.6"));
	assert_true(str_is(s.ignores[0].reason, "no screens"));
	assert_true(str_ends(str_of(s.ignores[1].place), STR("envbuild.yml:4:5")));
	assert_int_equal(s.ignores[1].reason.n, 0);
}

static void short_forms(void **state)
{
	struct settings s;

	(void)state;
	assert_int_equal(read_text("targets: rhel6\ntest: t.sh\n", &s, NULL), 0);
	assert_int_equal(s.n_targets, 1);
	assert_true(str_is(s.targets[0], "rhel6"));
	assert_true(str_is(s.test_script, "t.sh"));
	assert_int_equal(s.test_timeout, 0);
	assert_int_equal(read_text("# nothing\n", &s, NULL), 0);
	assert_int_equal(s.n_targets, 0);
	assert_int_equal(settings_read(&arena, path_join(&arena, dir, "none.yml"), &s, NULL), 0);
	assert_null(s.path);
}

static void refused(void **state)
{
	static const char *const cases[][2] = {
		{"target: rhel6\n", ":1:1: unknown key 'target' in envbuild.yml"},
		{"mirrors: [x]\n", ":1:10: 'mirrors' is not a map of channels"},
		{"mirrors: {a: {b: c}}\n", ":1:14: 'a' is not a list"},
		{"mirrors: {a: ~}\n", ":1:14: 'a' is not a text"},
		{"test: {scripts: x}\n", ":1:8: unknown key 'scripts' in 'test'"},
		{"pack:\n  formats: x\n", ":2:3: unknown key 'formats' in 'pack'"},
		{"targets: {a: b}\n", ":1:10: 'targets' is not a list"},
		{"targets: [[a]]\n", ":1:11: 'targets' is not a text"},
		{"targets: [~]\n", ":1:11: 'targets' is not a text"},
		{"test: {timeout: soon}\n", ":1:17: 'timeout' is not a number of seconds"},
		{"test: {quota: some}\n", ":1:15: 'quota' is not a size"},
		{"test: {quota: 0}\n", ":1:15: 'quota' is not a size"},
		{"test: {timeout: 0}\n", ":1:17: 'timeout' is not a number of seconds"},
		{"test: [a]\n", ":1:7: 'test' is neither a script nor a map"},
		{"pack: tar.gz\n", ":1:7: 'pack' is not a map"},
		{"pack: {format: [a]}\n", ":1:16: 'format' is not a text"},
		{"pack: {split: 0}\n", ":1:15: 'split' is not a size such as 500M or 2G"},
		{"pack: {split: many}\n", ":1:15: 'split' is not a size"},
		{"pack: {frozen: 1}\n", ":1:16: 'frozen' is neither true nor false"},
		{"pack: {exclude: {a: b}}\n", ":1:17: 'exclude' is not a list"},
		{"pack: {drop: [[a]]}\n", ":1:15: 'drop' is not a text"},
		{"pack: {rename: [a]}\n", ":1:16: 'rename' is not a map from old to new"},
		{"pack: {add: {a: ~}}\n", ":1:17: 'add' is not a text"},
		{"pack: {max-size: 0}\n", ":1:18: 'max-size' is not a size"},
		{"pack: {pre-pack: x}\n", ":1:8: unknown key 'pre-pack' in 'pack'"},
		{"hooks: x\n", ":1:8: 'hooks' is not a map"},
		{"hooks: {pre-test: x}\n", ":1:9: unknown key 'pre-test' in 'hooks'"},
		{"audit: x\n", ":1:8: 'audit' is not a map"},
		{"audit: {levels: {}}\n", ":1:9: unknown key 'levels' in 'audit'"},
		{"audit: {ignore: {}}\n", ":1:17: 'ignore' is not a list"},
		{"audit: {ignore: [x]}\n", ":1:18: an entry of 'ignore' is not a map of rule"},
		{"audit: {ignore: [{why: x}]}\n", ":1:19: unknown key 'why' in 'ignore'"},
		{"audit: {ignore: [{rule: ~}]}\n", ":1:25: 'rule' is not a text"},
		{"- a\n", ":1:1: not a map"},
		{"a: [\n", "envbuild.yml:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct settings s;
		struct err e = {0};

		if (read_text(cases[i][0], &s, &e) == 0)
			fail_msg("taken: %s", cases[i][0]);
		assert_int_equal(e.code, ERR_INPUT);
		if (str_find(str_of(e.text), str_of(cases[i][1])) < 0)
			fail_msg("'%s', not '%s'", e.text, cases[i][1]);
		err_release(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(pack_rules),
		cmocka_unit_test(ignores),
		cmocka_unit_test(short_forms),
		cmocka_unit_test(refused),
	};
	struct err e = {0};
	int rc;

	log_setup((struct log_options){.quiet = true});
	dir = dir_temp(&arena, "/tmp", "settings", &e);
	if (!dir) {
		log_error(&e);
		return 1;
	}
	rc = cmocka_run_group_tests_name("solver_settings", tests, NULL, NULL);
	dir_remove(dir, NULL);
	arena_release(&arena);
	return rc;
}

/* Wheels as they are and as they must not be; distributions that lie in a prefix. */
#include "base/archive.h"
#include "base/file.h"
#include "builder/wheel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static char *folder; /* an empty folder for each test */

static struct python python36(void)
{
	return (struct python){.major = 3,
		.minor = 6,
		.site_packages = STR("lib/python3.6/site-packages"),
		.program = STR("bin/python3.6")};
}

static int set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	folder = dir_temp(&arena, tmp ? tmp : "/tmp", "wheel", NULL);
	return folder ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return dir_remove(folder, NULL);
}

static char *put(const char *rel, struct str data)
{
	char *path = path_join(&arena, folder, rel);
	struct err e = {0};

	if (dir_make(path_dir(&arena, path), &e) < 0 || file_write(path, data, 0644, &e) < 0)
		fail_msg("%s", e.text);
	return path;
}

/* --- a good wheel, and edits of it ---------------------------------------------------------- */

#define INFO "foo_bar-1.0.dist-info/"
#define DATA "foo_bar-1.0.data/"

static const struct zip_part good[] = {
	{STR_INIT("foo/__init__.py"), STR_INIT("x = 1\n")},
	{STR_INIT("foo/sub/"), STR_INIT("")},
	{STR_INIT("foo/sub/data.txt"), STR_INIT("y")},
	{STR_INIT(DATA "scripts/foo-run"), STR_INIT("#!python\n")},
	{STR_INIT(DATA "data/share/foo/x"), STR_INIT("")},
	{STR_INIT(DATA "headers/foo.h"), STR_INIT("")},
	{STR_INIT(DATA "purelib/foo_pure.py"), STR_INIT("")},
	{STR_INIT(DATA "platlib/foo_plat.so"), STR_INIT("")},
	{STR_INIT(INFO "METADATA"), STR_INIT("Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\n"
					     "Requires-Python: >=2.7\nRequires-Dist: a (>=1)\n"
					     "Requires-Dist: b;\n extra == 'x'\nProvides-Extra: x\n"
					     "Description: z\n\nRequires-Dist: not this\n")},
	{STR_INIT(INFO "WHEEL"), STR_INIT("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")},
	{STR_INIT(INFO "entry_points.txt"),
		STR_INIT("[console_scripts]\nfoo = foo:main\nfoo-run = foo:run [x]\n# c\n\n"
			 "[other]\nnot-me = x:y\n[gui_scripts]\nfoo-gui=foo:gui\n")},
	{STR_INIT(INFO "RECORD"),
		STR_INIT("foo/__init__.py,sha256=x,6\n\"foo/a,b\",,\n" INFO "RECORD,,\n")},
};
enum { N_GOOD = sizeof good / sizeof *good, METADATA = 8, ENTRY_POINTS = 10, RECORD = 11 };

static const char NAME[] = "foo_bar-1.0-py2.py3-none-any.whl";

static char *put_wheel(const char *name, const struct zip_part *parts, size_t n)
{
	struct buf b = {0};
	char *path;

	assert_int_equal(zip_store(parts, n, &b, NULL), 0);
	path = put(name, buf_view(&b));
	buf_release(&b);
	return path;
}

static void check_bad(const char *path, const char *why)
{
	struct python py = python36();
	struct wheel w;
	struct err e = {0};

	if (wheel_read(&arena, path, NULL, &py, &w, &e) == 0)
		fail_msg("taken, though: %s", why);
	assert_int_equal(e.code, ERR_INTEGRITY);
	if (!strstr(e.text, why))
		fail_msg("'%s', not '%s'", e.text, why);
	err_release(&e);
}

/* The good wheel with one member more. */
static void check_bad_member(const char *name, const char *why)
{
	struct zip_part parts[N_GOOD + 1];

	memcpy(parts, good, sizeof good);
	parts[N_GOOD] = (struct zip_part){str_of(name), STR("x")};
	check_bad(put_wheel(NAME, parts, N_GOOD + 1), why);
}

/* The good wheel with another text in one member; NULL: without it. */
static void check_bad_text(size_t member, const char *text, const char *why)
{
	struct zip_part parts[N_GOOD];
	size_t n = 0;

	for (size_t i = 0; i < N_GOOD; i++) {
		if (i == member && !text)
			continue;
		parts[n++] = good[i];
		if (i == member)
			parts[n - 1].data = str_of(text);
	}
	check_bad(put_wheel(NAME, parts, n), why);
}

static void check_paths(const struct wheel *w, const char *const *want)
{
	size_t i;

	for (i = 0; want[i] && i < w->n_paths; i++)
		if (!str_is(w->paths[i], want[i]))
			fail_msg("'%.*s', not '%s'", STR_ARG(w->paths[i]), want[i]);
	assert_null(want[i]);
	assert_int_equal(i, w->n_paths);
}

static void a_wheel(void **state)
{
#define SITE "lib/python3.6/site-packages/"
	static const char *const paths[] = {
		"bin/foo",
		"bin/foo-gui",
		"bin/foo-run",
		"include/python3.6m/foo-bar/foo.h",
		SITE "foo/__init__.py",
		SITE "foo/sub/data.txt",
		SITE INFO "INSTALLER",
		SITE INFO "METADATA",
		SITE INFO "RECORD",
		SITE INFO "REQUESTED",
		SITE INFO "WHEEL",
		SITE INFO "direct_url.json",
		SITE INFO "entry_points.txt",
		SITE "foo_plat.so",
		SITE "foo_pure.py",
		"share/foo/x",
		NULL,
	};
	struct python py = python36();
	struct wheel w;
	struct err e = {0};

	(void)state;
	if (wheel_read(&arena, put_wheel(NAME, good, N_GOOD), NULL, &py, &w, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(str_is(w.file.name, "foo-bar") && str_is(w.file.python, "py2.py3"));
	assert_true(str_is(w.dist.name, "foo-bar") && str_is(w.dist.given_name, "Foo.Bar"));
	assert_true(str_is(w.dist.version, "1.0") && str_is(w.dist.requires_python, ">=2.7"));
	assert_int_equal(w.dist.n_requires_dist, 2);
	assert_true(str_is(w.dist.requires_dist[1], "b; extra == 'x'"));
	assert_int_equal(w.dist.n_extras, 1);
	assert_true(w.root_is_purelib);
	assert_true(str_is(w.dist_info, "foo_bar-1.0.dist-info"));
	check_paths(&w, paths);
	/* Kept in a cache under another name. */
	assert_int_equal(
		wheel_read(&arena, put_wheel("abc", good, N_GOOD), NAME, &py, &w, NULL), 0);
	py.minor = 8;
	py.site_packages = STR("lib/python3.8/site-packages");
	assert_int_equal(wheel_read(&arena, put_wheel(NAME, good, N_GOOD), NULL, &py, &w, NULL), 0);
	assert_true(str_is(w.paths[3], "include/python3.8/foo-bar/foo.h"));
}

static void bad_members(void **state)
{
	(void)state;
	check_bad_member("../x", "'../x' has no safe name");
	check_bad_member("/etc/x", "has no safe name");
	check_bad_member("foo/../../x", "has no safe name");
	check_bad_member("foo//x", "has no safe name");
	check_bad_member(DATA "data/../../x", "has no safe name");
	check_bad_member(DATA "data/conda-meta/x.json", "among conda's own records");
	check_bad_member(DATA "other/x", "belongs to no folder that is known");
	check_bad_member(DATA "x", "belongs to no folder that is known");
	check_bad_member("foo/__init__.py", "two of its files would become");
	check_bad_member(DATA "purelib/foo/__init__.py", "two of its files would become");
	check_bad_member("foo/sub/data.txt/x", "is a file and a folder");
	check_bad_member("other-1.0.dist-info/METADATA", "more than one .dist-info folder");
}

static void bad_texts(void **state)
{
	(void)state;
	check_bad_text(METADATA, NULL, "METADATA is missing");
	check_bad_text(RECORD, NULL, "RECORD is missing");
	check_bad_text(9, NULL, "WHEEL is missing");
	check_bad_text(METADATA, "Name: other\nVersion: 1.0\n", "its METADATA is of 'other'");
	check_bad_text(METADATA, "Name: foo-bar\nVersion: 1.1\n", "is of version '1.1'");
	check_bad_text(METADATA, "Version: 1.0\n", "has no name of a distribution");
	check_bad_text(METADATA, "Name: foo-bar\n", "has no version");
	check_bad_text(METADATA, "\nName: foo-bar\nVersion: 1.0\n", "has no name");
	check_bad_text(METADATA, "Name: ../x\nVersion: 1.0\n", "has no name of a distribution");
	check_bad_text(RECORD, "../../../bin/python,,\n", "its RECORD names '../../../bin/python'");
	check_bad_text(RECORD, "\"/etc/x\",,\n", "its RECORD names '/etc/x'");
	check_bad_text(ENTRY_POINTS, "[console_scripts]\n../x = a:b\n",
		"its script '../x' has no safe name");
	check_bad_text(ENTRY_POINTS, "[console_scripts]\na/x = a:b\n", "has no safe name");
}

static void bad_files(void **state)
{
	struct buf b = {0};
	struct zip_part other[N_GOOD];
	char *path;
	ptrdiff_t at;

	(void)state;
	check_bad(put_wheel("foo-1.0.whl", good, N_GOOD), "is not the name of a wheel");
	check_bad(put_wheel("bar-1.0-py3-none-any.whl", good, N_GOOD), "is of 'Foo.Bar'");
	check_bad(put_wheel("foo_bar-2.0-py3-none-any.whl", good, N_GOOD), "is of version '1.0'");
	check_bad(put(NAME, STR("")), "damaged archive");
	check_bad(put(NAME, STR("PK\3\4 and more")), "damaged archive");
	assert_int_equal(zip_store(good, N_GOOD, &b, NULL), 0);
	path = put(NAME, str_sub(buf_view(&b), 0, b.n - 30));
	check_bad(path, "damaged archive");
	path = put(NAME, str_sub(buf_view(&b), 0, b.n / 2));
	check_bad(path, "damaged archive");
	/* Where the directory sends its reader is not where the member lies. */
	at = str_find(buf_view(&b), STR("PK\1\2"));
	b.p[at + 42]++;
	check_bad(put(NAME, buf_view(&b)), "its members are not where its directory says");
	b.p[at + 42]--;
	b.p[at + 20]--;
	check_bad(put(NAME, buf_view(&b)), "its members are not where its directory says");
	b.p[at + 20]++;
	/* A second end record in a comment, which Python would find first. */
	b.p[b.n - 2] = 22;
	buf_add(&b, "PK\5\6", 4);
	buf_add(&b, (char[16]){0}, 16);
	buf_add(&b, "\1\0", 2);
	check_bad(put(NAME, buf_view(&b)), "more stands in front of or behind it");
	b.n -= 22;
	b.p[b.n - 2] = 0;
	/* The directory, which pip goes by, names another file than the member itself. */
	at = str_find(buf_view(&b), STR("PK\1\2"));
	at += str_find(str_sub(buf_view(&b), (size_t)at, b.n), STR("foo/__init__.py"));
	b.p[at] = 'g';
	check_bad(put(NAME, buf_view(&b)), "its directory and its members differ at");
	buf_clear(&b);
	memcpy(other, good, sizeof good);
	assert_int_equal(zip_store(other, N_GOOD, &b, NULL), 0);
	assert_int_equal(zip_store(good, N_GOOD, &b, NULL), 0);
	check_bad(put(NAME, buf_view(&b)), "damaged archive");
	buf_release(&b);
}

/* pip's own scripts are named after the Python that they are for. */
static void versioned_scripts(void **state)
{
	static const struct zip_part parts[] = {
		{STR_INIT("pip-1.0.dist-info/METADATA"), STR_INIT("Name: pip\nVersion: 1.0\n")},
		{STR_INIT("pip-1.0.dist-info/WHEEL"), STR_INIT("")},
		{STR_INIT("pip-1.0.dist-info/RECORD"), STR_INIT("")},
		{STR_INIT("pip-1.0.dist-info/entry_points.txt"),
			STR_INIT("[console_scripts]\npip = p:m\npip3 = p:m\npip3.11 = p:m\n"
				 "pipx = p:m\n")},
	};
	struct python py = python36();
	struct wheel w;

	(void)state;
	assert_int_equal(wheel_read(&arena, put_wheel("pip-1.0-py3-none-any.whl", parts, 4), NULL,
				 &py, &w, NULL),
		0);
	assert_int_equal(w.n_paths, 11);
	assert_true(str_is(w.paths[0], "bin/pip") && str_is(w.paths[1], "bin/pip3"));
	assert_true(str_is(w.paths[2], "bin/pip3.6") && str_is(w.paths[3], "bin/pipx"));
}

/* Deflated, as wheels are, by Debian's own hand. */
static void real_wheel(void **state)
{
	const char *path = "/usr/share/python-wheels/pip-23.0.1-py3-none-any.whl";
	struct python py = python36();
	struct wheel w;
	struct err e = {0};

	(void)state;
	if (!path_exists(path)) {
		printf("# skip real_wheel: no '%s', install python3-pip-whl\n", path);
		skip();
	}
	if (wheel_read(&arena, path, NULL, &py, &w, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(str_is(w.dist.name, "pip") && str_is(w.dist.version, "23.0.1"));
	assert_true(str_is(w.dist.requires_python, ">=3.7"));
	assert_true(w.n_paths > 400);
}

/* Deflated, with the sizes behind the data: what a writer makes that cannot seek. */
static void streamed_wheel(void **state)
{
	struct python py = python36();
	struct wheel w;
	struct err e = {0};

	(void)state;
	if (wheel_read(&arena, "tests/fuzz/corpus/wheel/streamed", "x-1.0-py3-none-any.whl", &py,
		    &w, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(w.n_paths, 7);
	assert_int_equal(w.dist.n_requires_dist, 1);
	assert_false(w.root_is_purelib);
}

/* --- in a prefix ---------------------------------------------------------------------------- */

static const struct installed_dist *installed(const struct installed_dists *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_is(all->v[i].dist.name, name))
			return &all->v[i];
	fail_msg("no '%s'", name);
	return NULL;
}

static void in_a_prefix(void **state)
{
	struct installed_dists all;
	const struct installed_dist *d;
	struct err e = {0};
	int fd;

	(void)state;
	put(SITE "A_b-1.0.dist-info/METADATA", STR("Name: A_b\nVersion: 1.0\nRequires-Dist: c\n"));
	put(SITE "A_b-1.0.dist-info/RECORD",
		STR("a.py,,\n../../../bin/a,,\n/etc/passwd,,\n../../../../x,,\n\"q\"\"r,s\",,\n"));
	put(SITE "c-2.0-py3.6.egg-info/PKG-INFO", STR("Name: c\nVersion: 2.0\n"));
	put(SITE "c-2.0-py3.6.egg-info/requires.txt",
		STR("d>=1\n\n[:python_version < '3']\ne\n\n[x]\nf; os_name == 'a'\n\n"
		    "[y:os_name == 'b']\ng\n"));
	put(SITE "c-2.0-py3.6.egg-info/installed-files.txt", STR("../c.py\n../../../../bin/c\n"));
	put(SITE "h-3.0.egg-info", STR("Name: h\nVersion: 3.0\n"));
	put(SITE "broken-1.0.dist-info/METADATA", STR("no headers\n"));
	put(SITE "empty-1.0.dist-info/x", STR(""));
	assert_int_equal(mkfifo(path_join(&arena, folder, SITE "fifo.egg-info"), 0600), 0);
	assert_int_equal(symlink("/etc/passwd", path_join(&arena, folder, SITE "l.egg-info")), 0);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dists_installed(&arena, fd, python36().site_packages, &all, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(all.n, 3);
	d = installed(&all, "a-b");
	assert_true(str_is(d->path, SITE "A_b-1.0.dist-info"));
	assert_int_equal(d->dist.n_requires_dist, 1);
	assert_int_equal(d->n_files, 3);
	assert_true(str_is(d->files[0], "bin/a") && str_is(d->files[1], SITE "a.py"));
	assert_true(str_is(d->files[2], SITE "q\"r,s"));
	d = installed(&all, "c");
	assert_int_equal(d->dist.n_requires_dist, 4);
	assert_true(str_is(d->dist.requires_dist[1], "e ; python_version < '3'"));
	assert_true(str_is(d->dist.requires_dist[2], "f ; (os_name == 'a') and (extra == 'x')"));
	assert_true(str_is(d->dist.requires_dist[3], "g ; (os_name == 'b') and extra == 'y'"));
	assert_int_equal(d->dist.n_extras, 2);
	assert_int_equal(d->n_files, 2);
	assert_true(str_is(d->files[0], "bin/c"));
	assert_true(str_is(installed(&all, "h")->dist.version, "3.0"));
	assert_int_equal(dists_installed(&arena, fd, STR("lib/none"), &all, NULL), 0);
	assert_int_equal(all.n, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_wheel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_members, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(versioned_scripts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(real_wheel, set_up, tear_down),
		cmocka_unit_test(streamed_wheel),
		cmocka_unit_test_setup_teardown(in_a_prefix, set_up, tear_down),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}

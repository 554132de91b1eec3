/* Packages of PyPI in locks: written and read, refused, found stale. */
#include "base/hash.h"
#include "solver/solve.h"
#include "solver/source_sum.h"
#include "tests/unit/solver_files.h"

static struct arena arena;
static char *project; /* an empty folder for each test */

static int set_up(void **state)
{
	(void)state;
	project = fresh_dir(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return dir_remove(project, NULL);
}

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define REV   "4ee7fd55050f6c49cc44f947241d9c9577ada0e2"

static const char good[] =
	"version: 7\n"
	"platforms:\n"
	"- name: new\n"
	"  subdir: linux-64\n"
	"- name: old\n"
	"  subdir: linux-64\n"
	"environments:\n"
	"  default:\n"
	"    channels:\n"
	"    - url: https://example.org/c/\n"
	"    indexes:\n"
	"    - https://pypi.org/simple\n"
	"    packages:\n"
	"      new:\n"
	"      - conda: https://example.org/c/linux-64/python-3.11.4-h_0_cpython.conda\n"
	"      - pypi: git+https://example.org/x/shared.git?rev=main#" REV "\n"
	"        envbuild-wheel-sha256: " SHA_B "\n"
	"      old:\n"
	"      - conda: https://example.org/c/linux-64/pytables-3.4.0-py36_0.conda\n"
	"      - conda: https://example.org/c/linux-64/python-3.6.6-h_0.conda\n"
	"      - pypi: ./pkg\n"
	"      - pypi: git+https://example.org/x/shared.git?rev=main#" REV "\n"
	"        envbuild-wheel-sha256: " SHA_A "\n"
	"      - pypi: https://files.example.org/flask-1.0-py2.py3-none-any.whl\n"
	"      - pypi: https://files.example.org/jinja2-2.10.tar.gz\n"
	"packages:\n"
	"- conda: https://example.org/c/linux-64/pytables-3.4.0-py36_0.conda\n"
	"  purls:\n"
	"  - pkg:pypi/tables@3.4\n"
	"- conda: https://example.org/c/linux-64/python-3.11.4-h_0_cpython.conda\n"
	"  purls: []\n"
	"- conda: https://example.org/c/linux-64/python-3.6.6-h_0.conda\n"
	"- pypi: ./pkg\n"
	"  name: pkg\n"
	"  version: '0.1'\n"
	"  envbuild-wheel: pkg-0.1-py3-none-any.whl\n"
	"  envbuild-wheel-sha256: " SHA_C "\n"
	"  envbuild-source-sha256: " SHA_C "\n"
	"- pypi: git+https://example.org/x/shared.git?rev=main#" REV "\n"
	"  name: shared\n"
	"  version: 2.0.dev1\n"
	"  requires_dist:\n"
	"  - flask>=1 ; python_version < '3.7'\n"
	"  envbuild-wheel: shared-2.0.dev1-cp311-cp311-linux_x86_64.whl\n"
	"  envbuild-wheel-sha256: " SHA_B "\n"
	"- pypi: git+https://example.org/x/shared.git?rev=main#" REV "\n"
	"  name: shared\n"
	"  version: 2.0.dev1\n"
	"  requires_dist:\n"
	"  - flask>=1 ; python_version < '3.7'\n"
	"  envbuild-wheel: shared-2.0.dev1-cp36-cp36m-linux_x86_64.whl\n"
	"  envbuild-wheel-sha256: " SHA_A "\n"
	"- pypi: https://files.example.org/flask-1.0-py2.py3-none-any.whl\n"
	"  name: flask\n"
	"  version: '1.0'\n"
	"  sha256: " SHA_A "\n"
	"  index: https://example.org/simple\n"
	"  requires_dist:\n"
	"  - Jinja2 (>=2.10)\n"
	"  - colorama; sys_platform == \"win32\"\n"
	"  - tables ; extra == \"hdf\"\n"
	"  - nothing ; extra == \"none\"\n"
	"  requires_python: '>=2.7,!=3.0.*'\n"
	"- pypi: https://files.example.org/jinja2-2.10.tar.gz\n"
	"  name: jinja2\n"
	"  version: '2.10'\n"
	"  sha256: " SHA_B "\n"
	"  envbuild-wheel: Jinja2-2.10-py3-none-any.whl\n"
	"  envbuild-wheel-sha256: " SHA_C "\n";

/* good with the first `from` replaced. */
static struct str edited(const char *from, const char *to)
{
	struct str text = str_of(good), part = str_of(from);
	ptrdiff_t at = str_find(text, part);

	if (at < 0)
		fail_msg("no '%s' in the good lock", from);
	return arena_strf(&arena, "%.*s%s%.*s", STR_ARG(str_sub(text, 0, (size_t)at)), to,
		STR_ARG(str_sub(text, (size_t)at + part.n, text.n)));
}

/* --- reading and writing -------------------------------------------------------------------- */

static void round_trip(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	const struct lock_target *old = lock_find(&lock, STR("old"));
	const struct pypi_package *flask, *shared;

	(void)state;
	check_same(write_lock(&arena, &lock), str_of(good));
	assert_int_equal(old->pypi.n, 4);
	assert_true(old->pypi.settled);
	flask = &old->pypi.v[0];
	shared = &old->pypi.v[3];
	assert_true(str_is(flask->name, "flask") && str_is(flask->version, "1.0"));
	assert_true(flask->has_sha256 && flask->sha256[0] == 0xaa && !flask->wheel.n);
	assert_true(str_is(flask->index, "https://example.org/simple"));
	assert_int_equal(flask->n_requires_dist, 4);
	assert_true(str_is(flask->requires_python, ">=2.7,!=3.0.*"));
	assert_true(str_is(shared->wheel, "shared-2.0.dev1-cp36-cp36m-linux_x86_64.whl"));
	assert_true(shared->wheel_sha256[0] == 0xaa && !shared->has_sha256);
	assert_true(lock_find(&lock, STR("new"))->pypi.v[0].wheel_sha256[0] == 0xbb);
	assert_true(old->pypi.v[2].has_source_sha256);
	assert_int_equal(old->records[0]->n_purls, 1);
	assert_int_equal(lock.n_indexes, 1);
}

/* Keys stand as rattler has them, whose test data has double quotes where it writes single ones. */
static void as_rattler(void **state)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	char *path = path_join(
		&arena, data ? data : "../shared/data", "locks/rattler-v7/numpy-as-pypi-lock.yml");
	struct str theirs, ours;
	struct lock lock;

	(void)state;
	if (!path_exists(path)) {
		printf("# skip as_rattler: no '%s', set ENVBUILD_SHARED_DATA\n", path);
		skip();
	}
	assert_int_equal(file_read(&arena, path, 1 << 20, &theirs, NULL), 0);
	lock = parse_lock(&arena, theirs);
	ours = write_lock(&arena, &lock);
	assert_true(str_find(ours,
			    STR("- pypi: https://files.pythonhosted.org/packages/8c/40/"
				"5792ccccd91d45e87d9e00033abc4f6ca8a828467b193f711139ff1f1cd9/"
				"numpy-2.2.1-cp313-cp313-macosx_11_0_arm64.whl\n"
				"  name: numpy\n"
				"  version: 2.2.1\n"
				"  sha256: "
				"3ecc47cd7f6ea0336042be87d9e7da378e5c7e9b3c8ad0f7c966f714fc10d821\n"
				"  requires_python: '>=3.10'\n")) > 0);
	assert_true(str_find(ours, STR("    indexes:\n    - https://pypi.org/simple\n")) > 0);
}

static void no_credentials(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	struct pypi_set *set = &lock_find(&lock, STR("old"))->pypi;
	struct str text;

	(void)state;
	set->v[0].url = STR("https://me:hunter2@files.example.org/packages/t/tables/"
			    "flask-1.0-py2.py3-none-any.whl?sig=hunter3&x=1");
	set->v[0].index = STR("https://me:hunter2@example.org/simple");
	set->v[0].requires_dist[0] = STR("jinja2 @ git+https://me:hunter2@example.org/j.git");
	set->v[3].url = STR("git+ssh://git:hunter2@example.org/x.git?rev=main#" REV);
	lock.indexes[0] = STR("https://me:hunter2@example.org/simple");
	text = write_lock(&arena, &lock);
	assert_true(str_find(text, STR("hunter")) < 0);
	assert_true(str_find(text, STR("pypi: https://files.example.org/packages/t/tables/"
				       "flask-1.0-py2.py3-none-any.whl\n")) > 0);
	assert_true(str_find(text, STR("pypi: git+ssh://git@example.org/x.git?rev=main#" REV)) > 0);
	assert_true(str_find(text, STR("jinja2 @ git+https://example.org/j.git")) > 0);
}

static void hostile(void **state)
{
	static const char *const edits[][3] = {
		{"  name: flask", "  name: ../flask", "is not the name of a Python package"},
		{"  name: flask\n", "", "'name' is missing"},
		{"  version: '1.0'", "  version: ../1", "not fit for a file's name"},
		{"  name: flask", "  name: jinja2", "the Python package 'jinja2' is there twice"},
		{"pkg-0.1-py3-none-any.whl", "../pkg-0.1-py3-none-any.whl", "not a wheel's name"},
		{"pkg-0.1-py3-none-any.whl", "pkg-0.1.tar.gz", "not a wheel's name"},
		{"pkg-0.1-py3-none-any.whl", "other-0.1-py3-none-any.whl", "not a wheel's name"},
		{"  envbuild-wheel: pkg-0.1-py3-none-any.whl\n", "", "go together"},
		{"- pypi: ./pkg\n  name", "- pypi: ./other\n  name", "'packages' has no './pkg'"},
		{"- pypi: ./pkg\n  name", "- pypi: git+x\n  name", "'pypi' is not a git URL"},
		{"- pypi: ./pkg\n  name", "- pypi: 'a b'\n  name", "neither a URL nor a path"},
		{"- pypi: ./pkg\n  name", "- pypi: git+https://h/x?rev=-x\n  name",
			"'pypi' is not a git URL"},
		{"- pypi: ./pkg\n  name", "- pypi: git+https://h/x?subdirectory=../y\n  name",
			"'pypi' is not a git URL"},
		{"- pypi: ./pkg\n  name", "- pypi: git+https://h/x#main\n  name",
			"'pypi' is not a git URL"},
		{"        envbuild-wheel-sha256: " SHA_A, "", "which of the wheels of"},
		{"        envbuild-wheel-sha256: " SHA_A, "        envbuild-wheel-sha256: " SHA_C,
			"which of the wheels of"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		struct lock lock;
		struct err e = {0};

		if (lock_parse(&arena, "test.lock", edited(edits[i][0], edits[i][1]), &lock, &e) ==
			0)
			fail_msg("taken, though: %s", edits[i][2]);
		assert_int_equal(e.code, ERR_INPUT);
		if (!strstr(e.text, edits[i][2]))
			fail_msg("'%s', not '%s'", e.text, edits[i][2]);
		err_release(&e);
	}
}

/* --- is it current? ------------------------------------------------------------------------- */

static void check_current(const struct lock *lock, const char *lines, const char *why)
{
	struct channel channel = {.url = STR("https://example.org/c")};
	struct spec_line specs[] = {{.text = STR("python")}, {.text = STR("pytables")}}, pip[16];
	struct solve_request r = {.channels = &channel,
		.n_channels = 1,
		.priority = PRIORITY_STRICT,
		.subdir = STR("linux-64"),
		.specs = specs,
		.n_specs = 2,
		.file = "environment.yml",
		.target = "old",
		.pip = pip,
		.project_dir = project};
	struct str reason = {NULL, 0}, rest = str_of(lines);
	int current;

	for (; rest.n; r.n_pip++)
		pip[r.n_pip] = (struct spec_line){str_cut(&rest, '\n'), 7 + (int)r.n_pip, 3};
	current = lock_current(&arena, lock, &r, &reason);
	if (!why && !current)
		fail_msg("stale: %.*s", STR_ARG(reason));
	if (why && current)
		fail_msg("current, though: %s", why);
	if (why && str_find(reason, str_of(why)) < 0)
		fail_msg("'%.*s', not '%s'", STR_ARG(reason), why);
}

/* The lock of a project that has ./pkg as it is now. */
static struct lock of_project(void)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	struct pypi_package *pkg = &lock_find(&lock, STR("old"))->pypi.v[2];

	put_file(&arena, project, "pkg/setup.py", "from setuptools import setup\n");
	assert_true(str_is(pkg->name, "pkg"));
	assert_int_equal(
		source_sum(path_join(&arena, project, "pkg"), pkg->source_sha256, NULL), 0);
	return lock;
}

#define LINES "./pkg\ngit+https://example.org/x/shared.git@main\n"

static void current(void **state)
{
	struct lock lock = of_project();

	(void)state;
	check_current(&lock, LINES, NULL);
	/* Met by conda's pytables, which brings it. */
	check_current(&lock, LINES "tables>=3.4,<4\n", NULL);
	check_current(
		&lock, LINES "tables>=4\n", "'tables>=4' is asked for and the lock has tables 3.4");
	check_current(&lock, LINES "pytables\n", "nothing of that name");
	check_current(&lock, LINES "Flask[hdf]==1.*\n", NULL);
	check_current(&lock, LINES "flask[none]\n", "'flask' needs 'nothing ; extra == \"none\"'");
	check_current(
		&lock, LINES "flask>1\n", "'flask>1' is asked for and the lock has flask 1.0");
	check_current(&lock, LINES "numpy ; python_version > '3.6'\n", NULL);
	check_current(&lock, LINES "numpy\n",
		"'numpy' is asked for and the lock has nothing of that name");
	check_current(&lock, LINES "flask --hash=sha256:" SHA_A "\n", NULL);
	check_current(&lock, LINES "flask --hash=sha256:" SHA_C "\n", "none of the hashes");
	check_current(&lock, LINES "-e .\n", "editable pip requirement");
	check_current(&lock, "", "there is no pip section any more");
}

static void current_sources(void **state)
{
	struct lock lock = of_project();

	(void)state;
	check_current(&lock, "git+https://example.org/x/shared.git@main\n",
		"nothing asks for 'pkg' any more");
	check_current(&lock, "./pkg\n", "nothing asks for 'flask' any more");
	check_current(&lock, "./pkg\nshared\n",
		"nothing asks for 'shared' from 'git+https://example.org/x/shared.git");
	check_current(&lock, "./pkg\ngit+https://example.org/x/shared.git@v2\n",
		"is asked for and the lock does not have it from there");
	check_current(&lock, "./pkg\ngit+https://example.org/x/shared.git\n",
		"does not have it from there");
	check_current(&lock, "./pkg\ngit+https://example.org/y/shared.git@main\n",
		"does not have it from there");
	check_current(&lock,
		"./pkg\ngit+https://me:hunter2@example.org/x/shared.git@main#egg=shared\n", NULL);
	check_current(&lock, "./pkg\ngit+https://me:hunter2@example.org/x/other.git@main\n",
		"'git+https://example.org/x/other.git@main' is asked for");
	put_file(&arena, project, "pkg/mod.py", "x = 1\n");
	check_current(&lock, LINES, "'./pkg' has changed");
	assert_int_equal(dir_remove(path_join(&arena, project, "pkg/mod.py"), NULL), 0);
	put_file(&arena, project, "pkg/build/lib/mod.py", "x = 1\n");
	put_file(&arena, project, "pkg/__pycache__/mod.pyc", "x");
	put_file(&arena, project, "pkg/.git/HEAD", "x");
	put_file(&arena, project, "pkg/pkg.egg-info/PKG-INFO", "x");
	check_current(&lock, LINES, NULL);
	put_file(&arena, project, "reqs/base.txt", "-c pins.txt\nflask\n");
	put_file(&arena, project, "reqs/pins.txt", "flask<2\nJinja2>3\n");
	check_current(&lock, LINES "-r reqs/base.txt\n",
		"the constraint 'Jinja2>3' holds and the lock has jinja2 2.10");
}

static void current_metadata(void **state)
{
	struct lock lock = of_project();
	struct pypi_set *set = &lock_find(&lock, STR("old"))->pypi;
	struct record *python = lock_find(&lock, STR("old"))->records[1];

	(void)state;
	set->v[0].requires_python = STR(">=3.7");
	check_current(&lock, LINES, "'flask' needs Python >=3.7 and the lock has 3.6.6");
	set->v[0].requires_python = STR("");
	set->v[0].requires_dist[0] = STR("Jinja2 (>=3)");
	check_current(&lock, LINES, "'flask' needs 'Jinja2 (>=3)' and the lock has jinja2 2.10");
	/* What PEP 440 does not know says no more than the name. */
	set->v[0].requires_dist[0] = STR("Jinja2 (>=3.*)");
	check_current(&lock, LINES, NULL);
	set->v[0].requires_dist[0] = STR("other (>=3.*)");
	check_current(&lock, LINES, "nothing asks for 'jinja2' any more");
	set->v[0].requires_dist[0] = STR("Jinja2 @ git+https://example.org/j.git");
	check_current(&lock, LINES, "does not have it from there");
	python->name = STR("pypy");
	check_current(&lock, LINES, "and the lock has ");
}

/* In a lock that knows no purls a conda package counts as the distribution of its name. */
static void without_purls(void **state)
{
	struct lock lock = of_project();
	struct lock_target *old = lock_find(&lock, STR("old"));

	(void)state;
	old->records[0]->n_purls = 0;
	check_current(&lock, LINES "pytables\n", "nothing of that name");
	old->records[0]->has_purls = false;
	check_current(&lock, LINES "pytables==3.4\n", NULL);
	/* What the extras of a conda package ask for is not known. */
	old->pypi.v[3].n_requires_dist = 0;
	check_current(&lock, LINES, "nothing asks for 'flask' any more");
	check_current(&lock, LINES "pytables[all]\n", NULL);
}

/* Wheels of a newer glibc do not run on an older one. */
static void fits(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	struct lock_target *old = lock_find(&lock, STR("old"));
	struct str virtual_packages[] = {STR("__glibc=2.17=0"), STR("__unix")}, reason = {NULL, 0};
	static const struct {
		const char *file;
		const char *why;
	} cases[] = {
		{"flask-1.0-cp36-cp36m-manylinux2014_x86_64.whl", NULL},
		{"flask-1.0-cp36-cp36m-manylinux1_x86_64.whl", NULL},
		{"flask-1.0-cp36-cp36m-manylinux_2_28_x86_64.whl",
			"manylinux_2_28_x86_64.whl' needs glibc 2.28 and there is 2.17"},
		{"flask-1.0-cp36-cp36m-manylinux_2_28_x86_64.manylinux_2_18_x86_64.whl",
			"needs glibc 2.18"},
		{"flask-1.0-cp36-cp36m-manylinux_2_28_x86_64.manylinux2010_x86_64.whl", NULL},
		{"flask-1.0-cp36-cp36m-linux_x86_64.whl", NULL},
		{"flask-1.0.tar.gz", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		old->pypi.v[0].url =
			arena_strf(&arena, "https://files.example.org/%s", cases[i].file);
		assert_int_equal(
			lock_fits(&arena, old, virtual_packages, 2, &reason), !cases[i].why);
		if (cases[i].why && str_find(reason, str_of(cases[i].why)) < 0)
			fail_msg("'%.*s', not '%s'", STR_ARG(reason), cases[i].why);
		assert_int_equal(lock_fits(&arena, old, virtual_packages + 1, 1, &reason), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(as_rattler),
		cmocka_unit_test(no_credentials),
		cmocka_unit_test(hostile),
		cmocka_unit_test(fits),
		cmocka_unit_test_setup_teardown(current, set_up, tear_down),
		cmocka_unit_test_setup_teardown(current_sources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(current_metadata, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_purls, set_up, tear_down),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}

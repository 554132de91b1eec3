/* pip sections and requirements files: read, refused with the place, written back. */
#include "base/hash.h"
#include "solver/dist_name.h"
#include "solver/requirements.h"
#include "solver/source_sum.h"
#include "tests/unit/solver_files.h"

#include <unistd.h>

#include <dirent.h>

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

/* The entries of the section, one a line, from line 11 on. */
static int read_section(const char *text, struct requirements *out, struct err *e)
{
	struct spec_line lines[64];
	struct str rest = str_of(text);
	size_t n = 0;

	for (; rest.n; n++)
		lines[n] = (struct spec_line){str_cut(&rest, '\n'), 11 + (int)n, 5};
	return requirements_read(&arena, lines, n, "environment.yml", project, out, e);
}

static struct requirements read_good(const char *text)
{
	struct requirements r;
	struct err e = {0};

	if (read_section(text, &r, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

static void check_refused(const char *text, const char *why)
{
	struct requirements r;
	struct err e = {0};

	if (read_section(text, &r, &e) == 0)
		fail_msg("taken: %s", text);
	assert_int_equal(e.code, ERR_INPUT);
	if (!strstr(e.text, why))
		fail_msg("'%s', not '%s'", e.text, why);
	err_release(&e);
}

static void check_text(struct str got, const char *want)
{
	if (!str_is(got, want))
		fail_msg("'%.*s', not '%s'", STR_ARG(got), want);
}

static struct str written(const struct requirements *r)
{
	struct buf b = {0};
	struct str text;

	requirements_write(r, &b);
	text = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return text;
}

/* --- lines ---------------------------------------------------------------------------------- */

static void names_and_comments(void **state)
{
	struct requirements r = read_good("requests >= 2.8.1, == 2.8.*  # why\n"
					  "# nothing\n"
					  "\n"
					  "Foo_Bar[b,a]==1 ; python_version < '4'\n"
					  "url @ https://h/x-1.0.zip#egg=url\n");

	(void)state;
	assert_int_equal(r.n, 3);
	check_text(written(&r), "requests>=2.8.1,==2.8.*\n"
				"Foo_Bar[a,b]==1; python_version < '4'\n"
				"https://h/x-1.0.zip#egg=url\n");
	check_text(r.v[0].text, "requests >= 2.8.1, == 2.8.*");
	check_text(r.v[1].where, "environment.yml:14");
	check_text(r.v[1].spec.name, "foo-bar");
	assert_int_equal(r.v[2].kind, REQUIREMENT_URL);
	assert_non_null(r.v[1].spec.marker);
}

static void joined_lines(void **state)
{
	struct requirements r = read_good("requests \\\n"
					  "  >= 2 \\\n"
					  "# ends it\n"
					  "flask\n"
					  "django\\");

	(void)state;
	assert_int_equal(r.n, 3);
	check_text(written(&r), "requests>=2\nflask\ndjango\n");
	check_text(r.v[0].where, "environment.yml:11");
	check_text(r.v[1].where, "environment.yml:14");
}

/* What pip 23.0.1 makes of these: a value holds what it says, an unset name stays. */
static void variables(void **state)
{
	struct requirements r;

	(void)state;
	setenv("EB_TEST_USER", "me:hunter2", 1);
	unsetenv("EB_TEST_NONE");
	r = read_good(
		"a @ https://${EB_TEST_USER}@h/a-1.0.zip\n"
		"--index-url https://${EB_TEST_NONE}@h/${EB_TEST_USER}/${eb}/$EB_TEST_USER\n");
	check_text(r.v[0].url, "https://me:hunter2@h/a-1.0.zip");
	check_text(r.v[0].text, "a @ https://${EB_TEST_USER}@h/a-1.0.zip");
	check_text(r.options.index_url, "https://${EB_TEST_NONE}@h/me:hunter2/${eb}/$EB_TEST_USER");
	check_text(requirement_lock_url(&arena, &r.v[0], STR("")), "https://h/a-1.0.zip");
}

static void options(void **state)
{
	static const char text[] =
		"-i https://a/simple\n"
		"--extra-index-url=https://b/simple --extra-index-url 'https://c/x y'\n"
		"--pre\n"
		"-fhttps://d/links\n"
		"--trusted-host h:8080\n"
		"--no-binary :all:\n"
		"--only-binary a,b\n"
		"--no-index\n"
		"--require-hashes\n"
		"--prefer-binary\n"
		"--use-feature fast-deps\n"
		"a==1 --hash=sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000"
		" --global-option=\"--x y\" --config-settings k=v\n";
	struct requirements r = read_good(text), again;

	(void)state;
	check_text(written(&r), "--index-url https://a/simple\n"
				"--extra-index-url https://b/simple\n"
				"--extra-index-url 'https://c/x y'\n"
				"--no-index\n"
				"--find-links https://d/links\n"
				"--trusted-host h:8080\n"
				"--no-binary :all:\n"
				"--only-binary a,b\n"
				"--use-feature fast-deps\n"
				"--pre\n"
				"--prefer-binary\n"
				"--require-hashes\n"
				"a==1 --hash=sha256:"
				"0000000000000000000000000000000000000000000000000000000000000000"
				" --global-option='--x y' --config-settings=k=v\n");
	again = read_good(written(&r).p);
	check_text(written(&again), written(&r).p);
}

/* --- places --------------------------------------------------------------------------------- */

static void check_lock_url(const char *line, const char *url)
{
	struct requirements r = read_good(line);

	assert_int_equal(r.n, 1);
	check_text(requirement_lock_url(&arena, &r.v[0], STR("")), url);
}

static void repositories(void **state)
{
	struct requirements r = read_good("git+https://me:pw@h/a.git@v1#egg=A&subdirectory=x/y\n"
					  "b[z] @ git+ssh://git@h:22/b.git ; os_name == 'a'\n"
					  "git+git@h:team/c.git@refs/heads/x\n"
					  "git+file:///srv/d.git@4ee7fd55\n"
					  "git+https://h/e@a@b?x=1; os_name == 'b'\n");

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		assert_int_equal(r.v[i].kind, REQUIREMENT_GIT);
	check_text(r.v[0].url, "https://me:pw@h/a.git");
	check_text(r.v[0].rev, "v1");
	check_text(r.v[0].subdirectory, "x/y");
	check_text(r.v[0].spec.name, "a");
	check_text(r.v[1].url, "ssh://git@h:22/b.git");
	check_text(r.v[1].spec.name, "b");
	assert_int_equal(r.v[1].spec.n_extras, 1);
	assert_non_null(r.v[1].spec.marker);
	check_text(r.v[2].url, "ssh://git@h/team/c.git");
	check_text(r.v[2].rev, "refs/heads/x");
	check_text(r.v[3].url, "file:///srv/d.git");
	check_text(r.v[4].url, "https://h/e@a?x=1");
	check_text(r.v[4].rev, "b");
	assert_non_null(r.v[4].spec.marker);
	check_text(written(&r), "git+https://me:pw@h/a.git@v1#egg=a&subdirectory=x/y\n"
				"git+ssh://git@h:22/b.git#egg=b[z] ; os_name == 'a'\n"
				"git+ssh://git@h/team/c.git@refs/heads/x\n"
				"git+file:///srv/d.git@4ee7fd55\n"
				"git+https://h/e@a@b?x=1 ; os_name == 'b'\n");
	check_lock_url("git+https://me:pw@h/a.git@v1#subdirectory=x/y",
		"git+https://h/a.git?rev=v1&subdirectory=x/y");
	check_lock_url("git+ssh://git:pw@h/a.git", "git+ssh://git@h/a.git");
	check_lock_url(
		"git+https://h/a.git@feature/x%23y", "git+https://h/a.git?rev=feature/x%23y");
	check_text(requirement_lock_url(
			   &arena, &r.v[3], STR("4ee7fd55050f6c49cc44f947241d9c9577ada0e2")),
		"git+file:///srv/d.git?rev=4ee7fd55#4ee7fd55050f6c49cc44f947241d9c9577ada0e2");
}

static void locked_repositories(void **state)
{
	struct pypi_git git;

	(void)state;
	assert_int_equal(pypi_git_split(&arena,
				 STR("git+https://h/a.git?x=1&rev=f%2Fx&subdirectory=s%20t&y#"
				     "4ee7fd55050f6c49cc44f947241d9c9577ada0e2"),
				 &git),
		0);
	check_text(git.url, "https://h/a.git?x=1&y");
	check_text(git.rev, "f/x");
	check_text(git.subdirectory, "s t");
	check_text(git.commit, "4ee7fd55050f6c49cc44f947241d9c9577ada0e2");
	assert_int_equal(pypi_git_split(&arena, STR("git+https://h/a?branch=m"), &git), 0);
	check_text(git.rev, "m");
	assert_int_equal(pypi_git_split(&arena, STR("https://h/a.git"), &git), -1);
	assert_int_equal(pypi_git_split(&arena, STR("git+https://h/a#main"), &git), -1);
	assert_int_equal(pypi_git_split(&arena, STR("git+https://h/a?rev=--x"), &git), -1);
	assert_int_equal(pypi_git_split(&arena, STR("git+https://h/a?subdirectory=/x"), &git), -1);
}

static void paths(void **state)
{
	struct requirements r;

	(void)state;
	put_file(&arena, project, "pkg/setup.py", "");
	put_file(&arena, project, "pep517/pyproject.toml", "");
	put_file(&arena, project, "setup.py", "");
	put_file(&arena, project, "x-1.0-py3-none-any.whl", "");
	put_file(&arena, project, "dist/y_z-2.0.tar.gz", "");
	r = read_good(arena_printf(&arena,
		"./pkg\npep517/[a,b]; os_name == 'a'\n.\nx-1.0-py3-none-any.whl\n"
		"./dist/../dist/y_z-2.0.tar.gz\nfile:pkg\nfile://%s/pkg#egg=named\n%s/pkg\n"
		"n @ file://%s/pkg",
		project, project, project));
	assert_int_equal(r.n, 9);
	check_text(r.v[0].path, "./pkg");
	assert_int_equal(r.v[0].kind, REQUIREMENT_FOLDER);
	check_text(r.v[0].url, path_join(&arena, project, "pkg"));
	check_text(r.v[1].path, "./pep517");
	assert_int_equal(r.v[1].spec.n_extras, 2);
	check_text(r.v[2].path, ".");
	assert_int_equal(r.v[3].kind, REQUIREMENT_FILE);
	check_text(r.v[3].spec.name, "x");
	check_text(r.v[4].path, "./dist/y_z-2.0.tar.gz");
	check_text(r.v[4].spec.name, "y-z");
	check_text(r.v[5].path, "./pkg");
	check_text(r.v[6].spec.name, "named");
	check_text(r.v[7].path, "./pkg");
	check_text(r.v[8].spec.name, "n");
	r.n = 4;
	check_text(written(&r),
		"./pkg\n./pep517[a,b] ; os_name == 'a'\n./\n./x-1.0-py3-none-any.whl\n");
}

/* A project that lies beside the folder of the environment file. */
static void paths_beside(void **state)
{
	char *top = project;
	struct requirements r;

	(void)state;
	put_file(&arena, project, "lib/setup.py", "");
	put_file(&arena, project, "env/pkg/setup.py", "");
	put_file(&arena, project, "envy/setup.py", "");
	project = path_join(&arena, top, "env");
	r = read_good(arena_printf(&arena, "../lib\n../envy\n%s/lib\n", top));
	project = top;
	check_text(r.v[0].path, "../lib");
	check_text(r.v[1].path, "../envy");
	check_text(r.v[2].path, path_join(&arena, top, "lib"));
}

/* --- files ---------------------------------------------------------------------------------- */

static void files(void **state)
{
	struct requirements r;

	(void)state;
	put_file(&arena, project, "reqs/base.txt",
		"\xef\xbb\xbf"
		"a\r\n-c pins.txt\r\n-r sub/more.txt\rc # x\n./pkg\n");
	put_file(&arena, project, "reqs/sub/more.txt", "--find-links wheels\n-f none\nb\n");
	put_file(&arena, project, "reqs/sub/wheels/x", "");
	put_file(&arena, project, "reqs/pins.txt", "a<2\nz==1\n");
	put_file(&arena, project, "pkg/setup.py", "");
	r = read_good("-r reqs/base.txt\n--requirement=reqs/sub/more.txt\n-rfile:reqs/pins.txt");
	assert_int_equal(r.n, 7);
	check_text(r.v[0].where, "reqs/base.txt:1");
	check_text(r.v[1].where, "reqs/sub/more.txt:3");
	check_text(r.v[2].where, "reqs/base.txt:4");
	check_text(r.v[3].path, "./pkg");
	check_text(r.v[6].where, "reqs/pins.txt:2");
	assert_int_equal(r.n_constraints, 2);
	check_text(r.constraints[1].spec.name, "z");
	check_text(r.constraints[1].where, "reqs/pins.txt:2");
	assert_int_equal(r.n_files, 5);
	assert_int_equal(r.options.n_find_links, 4);
	check_text(r.options.find_links[0], path_join(&arena, project, "reqs/sub/wheels"));
	check_text(r.options.find_links[1], "none");
}

static void refused_files(void **state)
{
	(void)state;
	put_file(&arena, project, "loop.txt", "-r other.txt\n");
	put_file(&arena, project, "other.txt", "a\n-r loop.txt\n");
	put_file(&arena, project, "self.txt", "-r ./self.txt\n");
	put_file(&arena, project, "editable.txt", "a\n\n-e ./pkg\n");
	put_file(&arena, project, "bad.txt", "a\nb==\n");
	put_file(&arena, project, "utf16.txt",
		"\xff\xfe"
		"a");
	put_file(&arena, project, "wide.txt", "");
	check_refused("-r loop.txt",
		"other.txt:2: '-r loop.txt': 'loop.txt' would be read within itself");
	check_refused(
		"-r self.txt", "self.txt:1: '-r ./self.txt': 'self.txt' would be read within");
	check_refused("-r editable.txt", "editable.txt:3: '-e ./pkg': editable pip requirement");
	check_refused(
		"-r bad.txt", "bad.txt:2: invalid requirement 'b==': a version is missing at 4");
	check_refused("-r utf16.txt", "is not text in UTF-8");
	check_refused("a\n-r none.txt", "environment.yml:12: '-r none.txt': there is no file");
	check_refused("-r https://h/x.txt", "a requirements file at a URL is not read");
	check_refused("-r", "'-r' wants a value");
	/* Each file names the next twice: 2^n readings. */
	for (int i = 0; i < 20; i++)
		put_file(&arena, project, arena_printf(&arena, "double%d.txt", i),
			arena_printf(&arena, "-r double%d.txt\n-r double%d.txt\n", i + 1, i + 1));
	put_file(&arena, project, "double20.txt", "a\n");
	check_refused("-r double0.txt", "too many files name each other");
}

static void refused(void **state)
{
	static const char *const cases[][2] = {
		{"a\nb=1", "environment.yml:12: invalid requirement 'b=1'"},
		{"-e .", "environment.yml:11: '-e .': editable pip requirement"},
		{"-e git+https://h/x.git#egg=x", "editable pip requirement"},
		{"--editable=.", "editable pip requirement"},
		{"-e.", "editable pip requirement"},
		{"a -e .", "editable pip requirement"},
		{"--frobnicate", "'--frobnicate' is no option of a requirements file"},
		{"a --frobnicate", "'--frobnicate' is no option"},
		{"--find", "'--find' is no option"},
		{"--pre=yes", "'--pre' takes no value"},
		{"--index-url", "'--index-url' wants a value"},
		{"--index-url=", "'--index-url' wants a value"},
		{"a --pre", "'--pre' goes on a line of its own"},
		{"--hash=sha256:00", "'--hash' goes behind a requirement"},
		{"a --hash=sha256:00", "'--hash' is sha256, sha384 or sha512"},
		{"a --hash=md5:00", "'--hash' is sha256"},
		{"--index-url 'x", "a quote is not closed"},
		{"a b", "invalid requirement 'a b'"},
		{"hg+https://h/x", "only git is known"},
		{"svn+ssh://h/x", "only git is known"},
		{"git://h/x.git", "a git URL begins with 'git+https://'"},
		{"git+git://h/x.git", "git is asked over https, http, ssh or file only"},
		{"git+ext::sh", "git is asked over"},
		{"git+https://h/x@", "nothing stands behind '@'"},
		{"git+https://h/x@--upload-pack=y", "is no branch, tag or commit"},
		{"git+ssh://-oProxyCommand=x/y", "this is not a URL"},
		{"git+https://h", "the URL has no path"},
		{"git+https://h?a/b@c", "the URL has no path"},
		{"git+https:?x/y://z", "this is not a URL"},
		{"a==1\001", "a control character in the line"},
		{"https://h/x-1.zip#sha256=00", "'sha256:00' is no hash"},
		{"git+https://h/x#subdirectory=../y", "subdirectory '../y' leads out of it"},
		{"git+https://h/x#egg=../y", "invalid requirement '../y'"},
		{"x @ git+https://h/x#egg=y", "it is called 'x' and 'y'"},
		{"x @ https://h/y-1.0-py3-none-any.whl", "it is called 'x' and 'y'"},
		{"ftp://h/x.zip", "this is not a URL that is known"},
		{"x @ h/x.zip", "this is not a URL that is known"},
		{"file://other/x.whl", "the file is on another machine"},
		{"./none", "there is no file or folder './none'"},
		{"none/there", "there is no file or folder"},
		{"./empty", "neither pyproject.toml nor setup.py"},
		{"./text.txt", "the file's name is neither a wheel's nor"},
		{"./empty[", "there is no file or folder"},
		{"./empty ; os_name = 'a'", "a comparison such as == is missing at 19"},
		{"https://me:hunter2@h/x ; os", "'https://h/x ; os'"},
	};

	(void)state;
	put_file(&arena, project, "empty/x", "");
	put_file(&arena, project, "text.txt", "");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_refused(cases[i][0], cases[i][1]);
}

/* --- real files ----------------------------------------------------------------------------- */

/* Every pip section of the shared data is read, or has an editable requirement. */
static void real_sections(void **state)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	char *dir = path_join(&arena, data ? data : "../shared/data", "environments");
	size_t good = 0, editable = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	(void)state;
	if (!d) {
		printf("# skip real_sections: no '%s', set ENVBUILD_SHARED_DATA\n", dir);
		skip();
	}
	while ((entry = readdir(d))) {
		char *path = path_join(&arena, dir, entry->d_name);
		struct requirements r, again;
		struct envfile env;
		struct err e = {0};

		if (!str_ends(str_of(path), STR(".yml")) ||
			envfile_read(&arena, path, "linux-64", &env, &e) < 0 || !env.n_pip)
			continue;
		if (requirements_read(&arena, env.pip, env.n_pip, "env.yml", env.dir, &r, &e) < 0) {
			if (!strstr(e.text, "editable pip requirement"))
				fail_msg("%s: %s", path, e.text);
			editable++;
			err_release(&e);
			continue;
		}
		good++;
		again = read_good("");
		for (size_t i = 0; i < r.n; i++) {
			struct buf b = {0};

			requirement_write(&r.v[i], &b);
			again = read_good(b.p);
			assert_int_equal(again.n, 1);
			assert_true(str_eq(again.v[0].spec.name, r.v[i].spec.name));
			buf_release(&b);
		}
	}
	closedir(d);
	assert_int_equal(good, 85);
	assert_int_equal(editable, 6);
}

/* --- names of files ------------------------------------------------------------------------- */

static void dist_names(void **state)
{
	static const char *const good[][2] = {
		{"numpy-2.2.1-cp313-cp313-macosx_11_0_arm64.whl",
			"numpy 2.2.1 cp313 cp313 macosx_11_0_arm64"},
		{"Foo_Bar-1!2.0_x-1a-py2.py3-none-any.whl", "foo-bar 1!2.0_x py2.py3 none any"},
		{"a-1.0+cu11-py3-none-manylinux1_x86_64.manylinux2010_x86_64.whl",
			"a 1.0+cu11 py3 none manylinux1_x86_64.manylinux2010_x86_64"},
		{"foo-1.0.tar.gz", "foo 1.0   "},
		{"foo-bar-1.0.zip", "foo-bar 1.0   "},
		{"foo-2bar-1.0rc1.tar.bz2", "foo-2bar 1.0rc1   "},
		{"main.zip", "main    "},
		{"v1.2.tar.gz", "v1-2    "},
	};
	static const char *const bad[] = {"numpy-2.2.1-cp313-cp313.whl", "-1.0-py3-none-any.whl",
		"a--py3-none-any.whl", "a-1.0-x1-py3-none-any.whl", "a-1.0-1-2-py3-none-any.whl",
		"a-1.0-py3-no ne-any.whl", "../a-1.0-py3-none-any.whl", "a-1/0-py3-none-any.whl",
		"a.exe", ".whl", ".zip", "", "..", "a-1.0.egg"};
	struct dist_name d;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		if (dist_name_parse(&arena, str_of(good[i][0]), &d) < 0)
			fail_msg("not read: %s", good[i][0]);
		check_text(arena_strf(&arena, "%.*s %.*s %.*s %.*s %.*s", STR_ARG(d.name),
				   STR_ARG(d.version), STR_ARG(d.python), STR_ARG(d.abi),
				   STR_ARG(d.platform)),
			good[i][1]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (dist_name_parse(&arena, str_of(bad[i]), &d) == 0)
			fail_msg("taken: %s", bad[i]);
	check_text(dist_file_of(&arena, STR("https://h/a/b%2Bc-1.zip?x=/y#z/w")), "b+c-1.zip");
	check_text(dist_file_of(&arena, STR("/a/b?c.zip")), "b?c.zip");
	check_text(dist_file_of(&arena, STR("https://h/a/..%2Fb")), "");
	check_text(dist_file_of(&arena, STR("https://h/a/%2e%2e")), "");
	check_text(dist_file_of(&arena, STR("https://h/a/x%00y")), "");
	check_text(dist_file_of(&arena, STR("https://h/a/")), "");
}

static void public_urls(void **state)
{
	static const char *const urls[][2] = {
		{"https://a:b@h/x", "https://h/x"},
		{"https://token@h/x?y=1", "https://h/x?y=1"},
		{"https://h/x?y=1&private_token=z#f", "https://h/x#f"},
		{"https://h/x?X-Amz-Signature=z", "https://h/x"},
		{"https://h/packages/t/tables/x", "https://h/packages/t/tables/x"},
		{"ssh://git@h/x", "ssh://git@h/x"},
		{"ssh://git:pw@h/x", "ssh://git@h/x"},
		{"git+ssh://git:pw@h/x@v1", "git+ssh://git@h/x@v1"},
		{"https://h/x@v1", "https://h/x@v1"},
		{"./path", "./path"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
		check_text(pypi_public_url(&arena, str_of(urls[i][0])), urls[i][1]);
}

/* --- the sum of a folder -------------------------------------------------------------------- */

static void sums(void **state)
{
	uint8_t a[SHA256_LEN], b[SHA256_LEN];
	char *dir;

	(void)state;
	put_file(&arena, project, "p/setup.py", "x");
	put_file(&arena, project, "p/m/a.py", "y");
	dir = path_join(&arena, project, "p");
	assert_int_equal(source_sum(dir, a, NULL), 0);
	put_file(&arena, project, "p/m/__pycache__/a.pyc", "z");
	put_file(&arena, project, "p/m/a.pyc", "z");
	put_file(&arena, project, "p/.git/config", "z");
	put_file(&arena, project, "p/build/lib/a.py", "z");
	put_file(&arena, project, "p/p.egg-info/PKG-INFO", "z");
	put_file(&arena, project, "p/envbuild.lock", "z");
	put_file(&arena, project, "p/name.tar.gz", "z");
	put_file(&arena, project, "p/name.run.json", "z");
	assert_int_equal(source_sum(dir, b, NULL), 0);
	assert_memory_equal(a, b, sizeof a);
	put_file(&arena, project, "p/m/build/x", "z");
	assert_int_equal(source_sum(dir, b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(dir_remove(path_join(&arena, dir, "m/build"), NULL), 0);
	/* Bytes that move from one file to the next, a mode, a link: each is another sum. */
	put_file(&arena, project, "p/setup.py", "xy");
	put_file(&arena, project, "p/m/a.py", "");
	assert_int_equal(source_sum(dir, b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof a);
	put_file(&arena, project, "p/setup.py", "x");
	put_file(&arena, project, "p/m/a.py", "y");
	assert_int_equal(source_sum(dir, b, NULL), 0);
	assert_memory_equal(a, b, sizeof a);
	assert_int_equal(chmod(path_join(&arena, dir, "setup.py"), 0755), 0);
	assert_int_equal(source_sum(dir, b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(chmod(path_join(&arena, dir, "setup.py"), 0644), 0);
	assert_int_equal(symlink("/nowhere", path_join(&arena, dir, "link")), 0);
	assert_int_equal(source_sum(dir, b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(source_sum(path_join(&arena, project, "none"), b, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_and_comments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(joined_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(variables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(repositories, set_up, tear_down),
		cmocka_unit_test(locked_repositories),
		cmocka_unit_test_setup_teardown(paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(paths_beside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(real_sections, set_up, tear_down),
		cmocka_unit_test(dist_names),
		cmocka_unit_test(public_urls),
		cmocka_unit_test_setup_teardown(sums, set_up, tear_down),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}

/* Locks of others: rattler 6, conda-lock.yml, @EXPLICIT; and what is exported for them. */
#include "solver/lock_export.h"
#include "solver/matchspec.h"
#include "tests/unit/solver_files.h"

#include <dirent.h>

static struct arena arena;

#define URL    "https://conda.anaconda.org/conda-forge/"
#define MD5    "d7c89558ba9fa0495403155b64376d81"
#define SHA256 "fe51de6107f9edc7aa4f786a70f4a883943bc9d39b3bb7307c04c41410990726"
#define BZIP2  URL "linux-64/bzip2-1.0.8-h7f98852_4.tar.bz2"
#define TZDATA URL "noarch/tzdata-2023c-h71feb2d_0.conda"
#define WHEELS "https://files.pythonhosted.org/packages/ab/cd/"
#define WHEEL  WHEELS "Six_Two-1.16.0-py2.py3-none-any.whl"

static char *shared(const char *rel)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	char *path = path_join(&arena, data ? data : "../shared/data", rel);

	if (path_exists(path))
		return path;
	printf("# skip: no '%s', set ENVBUILD_SHARED_DATA\n", path);
	return NULL;
}

static struct lock parse(struct str text)
{
	return parse_lock(&arena, text);
}

static void check_refused(struct str text, const char *why)
{
	struct lock lock;
	struct err e = {0};

	if (lock_parse(&arena, "test.lock", text, &lock, &e) == 0)
		fail_msg("taken, though: %s", why);
	assert_int_equal(e.code, ERR_INPUT);
	if (str_find(str_of(e.text), str_of(why)) < 0)
		fail_msg("'%s', not '%s'", e.text, why);
	err_release(&e);
}

static int try_export(
	const struct lock *lock, enum lock_format format, struct str *out, struct err *e)
{
	const struct lock_target **v =
		arena_array(&arena, const struct lock_target *, lock->n_targets);
	struct buf b = {0};
	int rc;

	for (size_t i = 0; i < lock->n_targets; i++)
		v[i] = &lock->targets[i];
	rc = lock_export(lock, v, lock->n_targets, format, &b, e);
	*out = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return rc;
}

static struct str export(const struct lock *lock, enum lock_format format)
{
	struct err e = {0};
	struct str text;

	if (try_export(lock, format, &text, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

static void check_not_exported(const struct lock *lock, enum lock_format format, const char *why)
{
	struct err e = {0};
	struct str text;

	if (try_export(lock, format, &text, &e) == 0)
		fail_msg("exported, though: %s", why);
	assert_int_equal(e.code, ERR_INPUT);
	if (str_find(str_of(e.text), str_of(why)) < 0)
		fail_msg("'%s', not '%s'", e.text, why);
	err_release(&e);
}

/* The text without comments, but for the one that says the platform. */
static struct str without_comments(struct str text)
{
	struct buf b = {0};
	struct str out;

	while (text.p) {
		struct str line = str_cut(&text, '\n');

		if (!str_starts(line, STR("#")) || str_starts(line, STR("# platform:")))
			buf_printf(&b, "%.*s%s", STR_ARG(line), text.p ? "\n" : "");
	}
	out = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return out;
}

/* --- real files --------------------------------------------------------------------------- */

static struct str pangeo(const char *name, const char *file)
{
	char *path = path_join(&arena, shared("locks/pangeo"), name);
	struct err e = {0};
	struct str text;

	if (file_read(&arena, path_join(&arena, path, file), 64 << 20, &text, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

/* Each real @EXPLICIT file is read, and written again as conda-lock wrote it. */
static void real_explicit(void **state)
{
	char *dir = shared("locks/pangeo");
	size_t files = 0, records = 0;
	struct dirent *entry;
	DIR *d;

	(void)state;
	if (!dir)
		skip();
	d = opendir(dir);
	assert_non_null(d);
	while ((entry = readdir(d))) {
		struct lock lock;
		struct str text;

		if (entry->d_name[0] == '.')
			continue;
		text = pangeo(entry->d_name, "conda-linux-64.lock");
		assert_true(lock_recognize(text));
		assert_false(lock_recognize(pangeo(entry->d_name, "environment.yml")));
		lock = parse(text);
		assert_int_equal(lock.n_targets, 1);
		files++;
		records += lock.targets[0].n_records;
		check_same(export(&lock, LOCK_AS_EXPLICIT), without_comments(text));
	}
	closedir(d);
	assert_int_equal(files, 9);
	assert_int_equal(records, 3917);
}

static void real_conda_lock(void **state)
{
	const char *name = "pytorch-notebook-1684443983-3b8b773970";
	struct str text, other, ours;
	struct lock lock, again;

	(void)state;
	if (!shared("locks/pangeo"))
		skip();
	text = pangeo(name, "conda-lock.yml");
	assert_true(lock_recognize(text));
	lock = parse(text);
	assert_int_equal(lock.n_targets, 1);
	assert_int_equal(lock.targets[0].n_records, 751);
	assert_int_equal(lock.n_channels, 1);
	assert_true(str_is(lock.channels[0], "https://conda.anaconda.org/conda-forge"));
	/* conda-lock made both of the same solution. */
	other = pangeo(name, "conda-linux-64.lock");
	check_same(export(&lock, LOCK_AS_EXPLICIT), without_comments(other));
	ours = export(&lock, LOCK_AS_CONDA_LOCK);
	check_same(str_sub(ours, (size_t)str_find(ours, STR("\npackage:")), ours.n),
		str_sub(text, (size_t)str_find(text, STR("\npackage:")), text.n));
	again = parse(ours);
	check_same(export(&again, LOCK_AS_CONDA_LOCK), ours);
}

/* --- @EXPLICIT ---------------------------------------------------------------------------- */

static const char explicit[] = "# platform: linux-64\n"
			       "@EXPLICIT\n" TZDATA "#" MD5 "\n" BZIP2 "#sha256:" SHA256 "\n"
			       "# pip six-two @ " WHEEL "#sha256=" SHA256 "\n";

/* A package in no folder has no channel that could be named; bytes that are no text are refused. */
static void explicit_odd(void **state)
{
	struct lock lock = parse(STR("@EXPLICIT\nhttps://h/x-1-0.conda\nfile:///y-1-0.conda\n"
				     "file:///a/z-1-0.conda\nhttps://h/c/w-1-0.conda\n"));

	(void)state;
	assert_int_equal(lock.n_channels, 1);
	assert_true(str_is(lock.channels[0], "https://h"));
	check_same(write_lock(&arena, &lock),
		write_lock(&arena, (struct lock[]){parse(write_lock(&arena, &lock))}));
	check_refused(STR("@EXPLICIT\nhttps://h/c/noarch/\xff-1-0.conda\n"),
		"test.lock:2:20: neither a URL nor a path");
	check_refused(STR("@EXPLICIT\nhttps://h/c/noarch/%FF-1-0.conda\n"),
		"is not a package: NAME-VERSION-BUILD.conda or .tar.bz2");
}

static void explicit_file(void **state)
{
	struct lock lock = parse(str_of(explicit));
	const struct lock_target *t = &lock.targets[0];
	const struct record *bzip2 = t->records[0], *tzdata = t->records[1];

	(void)state;
	assert_true(str_is(t->name, "linux-64") && t->n_records == 2 && t->n_skipped == 0);
	/* In the file's order, whatever the names. */
	assert_ptr_equal(t->order[0], tzdata);
	assert_true(str_is(bzip2->name, "bzip2") && str_is(bzip2->version, "1.0.8"));
	assert_true(str_is(bzip2->build, "h7f98852_4") && bzip2->build_number == 4);
	assert_true(bzip2->has_sha256 && !bzip2->has_md5 && bzip2->depends_unknown);
	assert_true(tzdata->has_md5 && tzdata->noarch == NOARCH_GENERIC);
	assert_true(str_is(tzdata->channel, "https://conda.anaconda.org/conda-forge"));
	assert_int_equal(t->pypi.n, 1);
	assert_true(str_is(t->pypi.v[0].name, "six-two") && str_is(t->pypi.v[0].version, "1.16.0"));
	assert_ptr_equal(lock_find_for(&lock, STR("rhel7"), STR("linux-64")), t);
	assert_null(lock_find_for(&lock, STR("rhel7"), STR("linux-aarch64")));
	check_same(export(&lock, LOCK_AS_EXPLICIT), str_of(explicit));
	lock = parse(export(&lock, LOCK_AS_CONDA_LOCK));
	check_same(export(&lock, LOCK_AS_EXPLICIT), str_of(explicit));
}

static void explicit_forms(void **state)
{
	struct lock lock = parse(STR("\n# made by hand\r\n  @EXPLICIT \r\n" BZIP2 "#" SHA256
				     "\r\n~/pkgs/noarch/x264-1!164.3095-h166bdaf_2.conda\n"
				     "${ENVBUILD_X}/y-1-0.conda\n"
				     "# pip other === 1.0 --hash=sha256:" SHA256));
	const struct lock_target *t = &lock.targets[0];

	(void)state;
	assert_int_equal(t->n_records, 3);
	assert_int_equal(t->n_skipped, 1);
	assert_true(t->order[0]->has_sha256);
	assert_true(str_is(
		t->order[1]->url, "file:///home/me/pkgs/noarch/x264-1!164.3095-h166bdaf_2.conda"));
	assert_true(str_is(t->order[1]->version, "1!164.3095"));
	assert_true(str_is(t->order[1]->subdir, "noarch"));
	assert_true(str_is(t->order[2]->url, "file:///srv/x/y-1-0.conda"));
	assert_true(str_is(t->order[2]->subdir, "linux-64"));
	lock = parse(STR("@EXPLICIT\n" URL "linux-aarch64/a-1-0.conda\n"));
	assert_true(str_is(lock.targets[0].name, "linux-aarch64"));
	lock = parse(STR("@EXPLICIT"));
	assert_int_equal(lock.targets[0].n_records, 0);
}

static void explicit_credentials(void **state)
{
	struct lock lock =
		parse(STR("@EXPLICIT\n"
			  "https://me:hunter2@example.org/t/tk-1/c/noarch/a-1-0.conda\n"
			  "https://me:hunter2@example.org/t/tk-1/c/linux-64/b-1-0.conda\n"));

	(void)state;
	assert_int_equal(lock.credentials.n, 1);
	assert_true(str_is(lock.credentials.v[0].url, "https://example.org/c"));
	assert_string_equal(
		lock.credentials.v[0].fetch_url, "https://me:hunter2@example.org/t/tk-1/c");
	assert_true(
		str_is(lock.targets[0].order[0]->url, "https://example.org/c/noarch/a-1-0.conda"));
	assert_true(str_find(write_lock(&arena, &lock), STR("hunter2")) < 0);
}

static void explicit_refused(void **state)
{
	static const char *const lines[][2] = {
		{BZIP2 "#123", "test.lock:3:80: behind '#' stands neither an md5 nor a sha256"},
		{BZIP2 "#sha256:" MD5, "neither an md5 nor"},
		{"numpy", "test.lock:3:1: 'numpy' is not a package"},
		{"  numpy=1.0", "test.lock:3:3: 'numpy=1.0' is not a package"},
		{URL "linux-64/bzip2.conda", "'bzip2.conda' is not a package"},
		{URL "linux-64/a%2F..%2Fb-1-0.conda", "is not a package"},
		{URL "linux-64/..", "'..' is not a package"},
		{URL "linux-64/a%FF-1-0.conda", "is not a package"},
		{"/x/a\xff-1-0.conda", "test.lock:3:5: neither a URL nor a path"},
		{BZIP2 " " MD5, "test.lock:3:79: neither a URL nor a path"},
		{URL "win-64/a-1-0.conda", "'a-1-0.conda' is for win-64, the file is for linux-64"},
		{"# platform: osx-64", "the file is for linux-64 and for osx-64"},
		{"# platform: linux-65", "'linux-65' is not a known platform"},
		{BZIP2 "\n" URL "linux-64/bzip2-1.0.6-0.conda", "'bzip2' is there twice"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		check_refused(
			arena_strf(&arena, "# platform: linux-64\n@EXPLICIT\n%s\n", lines[i][0]),
			lines[i][1]);
}

/* --- conda-lock.yml ----------------------------------------------------------------------- */

static const char conda_lock[] = "metadata:\n"
				 "  channels:\n"
				 "  - url: conda-forge\n"
				 "    used_env_vars: []\n"
				 "  content_hash:\n"
				 "    linux-64: abc\n"
				 "  platforms:\n"
				 "  - linux-64\n"
				 "  - osx-64\n"
				 "  sources: []\n"
				 "package:\n"
				 "- category: main\n"
				 "  dependencies:\n"
				 "    __glibc: '>=2.17'\n"
				 "    libgcc-ng: '>=9.3.0'\n"
				 "    tzdata: ''\n"
				 "  hash:\n"
				 "    md5: " MD5 "\n"
				 "    sha256: " SHA256 "\n"
				 "  manager: conda\n"
				 "  name: bzip2\n"
				 "  optional: false\n"
				 "  platform: linux-64\n"
				 "  url: " BZIP2 "\n"
				 "  version: 1.0.8\n"
				 "- category: main\n"
				 "  dependencies:\n"
				 "    numpy: '>=1.20'\n"
				 "    tzdata: '*'\n"
				 "  hash:\n"
				 "    sha256: " SHA256 "\n"
				 "  manager: pip\n"
				 "  name: six-two\n"
				 "  optional: false\n"
				 "  platform: linux-64\n"
				 "  url: " WHEEL "\n"
				 "  version: 1.16.0\n";
static const char more[] = "- category: main\n"
			   "  hash: {sha256: " SHA256 "}\n"
			   "  manager: pip\n"
			   "  name: source\n"
			   "  platform: linux-64\n"
			   "  url: " WHEELS "source-1.0.tar.gz\n"
			   "  version: 1.0\n"
			   "- category: dev\n"
			   "  manager: conda\n"
			   "  name: dev\n"
			   "  optional: true\n"
			   "  platform: osx-64\n"
			   "  url: " URL "noarch/dev-1-0.conda\n"
			   "  version: 1\n";

static void conda_lock_file(void **state)
{
	struct lock lock = parse(arena_strf(&arena, "%s%sversion: 1\n", conda_lock, more));
	const struct lock_target *t = &lock.targets[0];
	struct str text;

	(void)state;
	assert_int_equal(lock.n_targets, 2);
	assert_true(str_is(t->name, "linux-64") && t->n_records == 1 && t->pypi.n == 1);
	assert_int_equal(t->n_skipped, 1);
	assert_int_equal(lock.targets[1].n_optional, 1);
	assert_int_equal(t->records[0]->n_depends, 3);
	assert_true(str_is(t->records[0]->depends[0], "__glibc >=2.17"));
	assert_true(str_is(t->records[0]->depends[2], "tzdata"));
	assert_true(t->records[0]->constrains_unknown && !t->records[0]->depends_unknown);
	assert_true(str_is(t->pypi.v[0].requires_dist[0], "numpy >=1.20"));
	assert_true(str_is(t->pypi.v[0].requires_dist[1], "tzdata"));
	text = export(&lock, LOCK_AS_CONDA_LOCK);
	check_same(str_sub(text, (size_t)str_find(text, STR("package:")), text.n),
		arena_strf(&arena, "%sversion: 1\n", strstr(conda_lock, "package:")));
	check_not_exported(&lock, LOCK_AS_EXPLICIT, "an @EXPLICIT file is for one target, 2 are");
}

static void conda_lock_refused(void **state)
{
	static const char *const edits[][3] = {
		{"  - osx-64\n", "  - linux-64\n", "9:5: platform 'linux-64' is there twice"},
		{"  - osx-64\n", "  - linux-65\n", "'linux-65' is not a known platform"},
		{"  platform: linux-64\n", "  platform: win-64\n",
			"'win-64' is not in the metadata"},
		{"  platform: linux-64\n", "  platform: osx-64\n",
			"a package for linux-64 in a list for osx-64"},
		{"manager: pip", "manager: npm", "'manager' is neither conda nor pip"},
		{"md5: d7", "md5: d", "'md5' is not 32 hexadecimal digits"},
		{"name: bzip2", "name: ../bzip2", "not fit for a file's name"},
		{"  - url: conda-forge\n", "  - url: a b\n", "3:10: invalid channel 'a b'"},
		{"    tzdata: ''\n", "    tzdata: []\n", "a dependency is not a text"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		struct str text = arena_strf(&arena, "%sversion: 1\n", conda_lock);
		ptrdiff_t at = str_find(text, str_of(edits[i][0]));

		assert_true(at >= 0);
		check_refused(arena_strf(&arena, "%.*s%s%s", (int)at, text.p, edits[i][1],
				      text.p + at + strlen(edits[i][0])),
			edits[i][2]);
	}
	check_refused(arena_strf(&arena, "%s%sversion: 1\n", conda_lock,
			      strstr(conda_lock, "- category")),
		"'bzip2' is there twice");
	check_refused(arena_strf(&arena, "%sversion: 2\n", conda_lock), "lock version '2'");
}

/* --- rattler 6 ---------------------------------------------------------------------------- */

static const char v6[] = "version: 6\n"
			 "environments:\n"
			 "  default:\n"
			 "    channels:\n"
			 "    - url: " URL "\n"
			 "    indexes:\n"
			 "    - https://pypi.org/simple\n"
			 "    packages:\n"
			 "      linux-64:\n"
			 "      - conda: " BZIP2 "\n"
			 "      - conda: ./built\n"
			 "      - pypi: " WHEEL "\n"
			 "      osx-64: []\n"
			 "packages:\n"
			 "- conda: " BZIP2 "\n"
			 "  sha256: " SHA256 "\n"
			 "  depends:\n"
			 "  - libgcc-ng >=9.3.0\n"
			 "- conda: ./built\n"
			 "  name: built\n"
			 "  version: 1.0\n"
			 "  build: h1\n"
			 "  subdir: linux-64\n"
			 "  input:\n"
			 "    hash: " SHA256 "\n"
			 "    globs: []\n"
			 "- pypi: " WHEEL "\n"
			 "  name: six-two\n"
			 "  version: 1.16.0\n"
			 "  sha256: " SHA256 "\n";

static void rattler_6(void **state)
{
	struct lock lock = parse(str_of(v6)), again;
	const struct lock_target *t = &lock.targets[0];
	struct str text = str_of(v6);

	(void)state;
	assert_true(lock_recognize(text));
	assert_int_equal(lock.n_targets, 2);
	assert_true(str_is(t->name, "linux-64") && str_is(t->subdir, "linux-64"));
	assert_int_equal(t->n_records, 1);
	assert_int_equal(t->n_skipped, 1);
	assert_int_equal(t->pypi.n, 1);
	assert_true(str_is(t->records[0]->depends[0], "libgcc-ng >=9.3.0"));
	again = parse(write_lock(&arena, &lock));
	assert_int_equal(again.n_targets, 2);
	assert_int_equal(again.targets[0].pypi.n, 1);
	check_refused(arena_strf(&arena, "%s- conda: %s\n", v6, BZIP2), "is there twice");
	check_refused(STR("version: 6\nenvironments:\n  default:\n    channels: []\n    packages:\n"
			  "      linux-65: []\npackages: []\n"),
		"6:7: 'linux-65' is not a platform's name");
}

/* --- export ------------------------------------------------------------------------------- */

/* Each line of the environment file is a spec that its package satisfies, and no other. */
static void environment(void **state)
{
	struct lock lock = parse(str_of(v6));
	struct err e = {0};
	struct envfile env;
	struct str text;
	char *dir, *path;

	(void)state;
	lock.n_targets = 1;
	text = export(&lock, LOCK_AS_ENVIRONMENT);
	check_same(text, STR("channels:\n  - conda-forge\n  - nodefaults\n"
			     "dependencies:\n  - bzip2=1.0.8=h7f98852_4\n"
			     "  - pip:\n"
			     "      - '--index-url https://pypi.org/simple'\n"
			     "      - six-two==1.16.0\n"));
	dir = fresh_dir(&arena);
	put_file(&arena, dir, "environment.yml", arena_cstr(&arena, text));
	path = path_join(&arena, dir, "environment.yml");
	if (envfile_read(&arena, path, "linux-64", &env, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(dir_remove(dir, &e), 0);
	assert_int_equal(env.n_depends, 1);
	assert_int_equal(env.n_pip, 2);
}

static void real_environment(void **state)
{
	const char *name = "pytorch-notebook-1684443983-3b8b773970";
	struct err e = {0};
	struct lock lock;
	struct str text;
	size_t specs = 0;

	(void)state;
	if (!shared("locks/pangeo"))
		skip();
	lock = parse(pangeo(name, "conda-lock.yml"));
	text = export(&lock, LOCK_AS_ENVIRONMENT);
	while (text.p) {
		struct str line = str_cut(&text, '\n');
		const struct version *version;
		const struct record *r;
		struct matchspec spec;

		if (!str_starts(line, STR("  - ")) || str_chr(line, '=') < 0)
			continue;
		assert_true(specs < lock.targets[0].n_records);
		r = lock.targets[0].records[specs];
		if (matchspec_parse(&arena, str_sub(line, 4, line.n), &spec, &e) < 0 ||
			version_parse(&arena, r->version, &version, &e) < 0)
			fail_msg("%s", e.text);
		if (!matchspec_match(&spec, r, version))
			fail_msg("'%.*s' is not met by its package", STR_ARG(line));
		specs++;
	}
	assert_int_equal(specs, lock.targets[0].n_records);
}

static void not_exported(void **state)
{
	struct lock lock = parse(str_of(v6));
	struct pypi_package *p = &lock.targets[0].pypi.v[0];

	(void)state;
	lock.targets[1].subdir = STR("linux-64");
	check_not_exported(&lock, LOCK_AS_CONDA_LOCK,
		"cannot tell 'linux-64' from 'osx-64': both are linux-64");
	lock.n_targets = 1;
	p->url = STR(
		"git+https://example.org/six?rev=main#0123456789012345678901234567890123456789");
	check_not_exported(&lock, LOCK_AS_CONDA_LOCK, "conda-lock.yml has no place for 'six-two'");
	check_not_exported(&lock, LOCK_AS_EXPLICIT, "an @EXPLICIT file has no place for 'six-two'");
	assert_true(str_find(export(&lock, LOCK_AS_ENVIRONMENT),
			    STR("      - six-two @ git+https://example.org/six@"
				"0123456789012345678901234567890123456789\n")) > 0);
}

/* A name asked for twice is a key once. */
static void joined_dependencies(void **state)
{
	struct str depends[] = {
		STR("b <3"), STR("b >=1"), STR("a"), STR("c 1.0 x_0"), STR("a >=2")};
	struct lock lock = parse(str_of(v6));
	struct record *r = lock.targets[0].records[0];

	(void)state;
	lock.n_targets = 1;
	r->depends = depends;
	r->n_depends = sizeof depends / sizeof *depends;
	assert_true(str_find(export(&lock, LOCK_AS_CONDA_LOCK),
			    STR("  dependencies:\n    a: '>=2'\n    b: <3,>=1\n    c: 1.0 x_0\n"
				"  hash:\n")) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_explicit),
		cmocka_unit_test(real_conda_lock),
		cmocka_unit_test(explicit_file),
		cmocka_unit_test(explicit_odd),
		cmocka_unit_test(explicit_forms),
		cmocka_unit_test(explicit_credentials),
		cmocka_unit_test(explicit_refused),
		cmocka_unit_test(conda_lock_file),
		cmocka_unit_test(conda_lock_refused),
		cmocka_unit_test(rattler_6),
		cmocka_unit_test(environment),
		cmocka_unit_test(real_environment),
		cmocka_unit_test(not_exported),
		cmocka_unit_test(joined_dependencies),
	};
	int rc;

	setenv("HOME", "/home/me", 1);
	setenv("ENVBUILD_X", "/srv/x", 1);
	rc = cmocka_run_group_tests_name("solver_lock_other", tests, NULL, NULL);
	arena_release(&arena);
	return rc;
}

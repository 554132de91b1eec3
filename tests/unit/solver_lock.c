/* Locks: real ones read, hostile ones refused, written the same every time, found stale. */
#include "solver/solve.h"
#include "tests/unit/solver_files.h"

#include <dirent.h>

static struct arena arena;

/* A folder of the shared data, or NULL. */
static char *shared(const char *rel, const char *test)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	char *path = path_join(&arena, data ? data : "../shared/data", rel);

	if (path_exists(path))
		return path;
	printf("# skip %s: no '%s', set ENVBUILD_SHARED_DATA\n", test, path);
	return NULL;
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

/* --- real files --------------------------------------------------------------------------- */

static void check_real(const char *dir, const char *name, size_t targets, size_t records,
	size_t pypi, size_t skipped)
{
	struct lock lock, again;
	struct err e = {0};
	struct str text;
	size_t n = 0, n_pypi = 0, other = 0;

	if (lock_read(&arena, path_join(&arena, dir, name), &lock, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < lock.n_targets; i++) {
		n += lock.targets[i].n_records;
		n_pypi += lock.targets[i].pypi.n;
		other += lock.targets[i].n_skipped;
	}
	if (lock.n_targets != targets || n != records || n_pypi != pypi || other != skipped)
		fail_msg("%s: %zu targets, %zu records, %zu of PyPI, %zu skipped", name,
			lock.n_targets, n, n_pypi, other);
	text = write_lock(&arena, &lock);
	again = parse_lock(&arena, text);
	check_same(write_lock(&arena, &again), text);
}

/* So that none is forgotten above. */
static size_t count_files(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void real_locks(void **state)
{
	char *dir = shared("locks/rattler-v7", "real_locks");

	(void)state;
	if (!dir)
		skip();
	check_real(dir, "rattler.lock", 4, 220, 0, 0);
	check_real(dir, "bioconda-utils.lock", 2, 520, 0, 0);
	check_real(dir, "conda-path-lock.yml", 2, 0, 0, 4);
	check_real(dir, "numpy-as-pypi-lock.yml", 1, 19, 1, 0);
	check_real(dir, "options-lock.yml", 0, 0, 0, 0);
	check_real(dir, "python-from-conda-only-lock.yml", 1, 19, 0, 0);
	assert_int_equal(count_files(dir), 6);
}

/* The lines of a block that we do not keep: those of other environments and these keys. */
static bool dropped_key(struct str line)
{
	return str_starts(line, STR("  run_exports:"));
}

/* What a real lock says of one package, without the keys that are not kept. */
static struct str block_of(struct str text, struct str url)
{
	struct str head = arena_strf(&arena, "\n- conda: %.*s\n", STR_ARG(url)), rest;
	ptrdiff_t at = str_find(text, head);
	struct buf b = {0};
	bool drop = false;

	if (at < 0)
		fail_msg("no '%.*s'", STR_ARG(url));
	rest = str_sub(text, (size_t)at + head.n, text.n);
	while (rest.n && rest.p[0] == ' ') {
		struct str line = str_cut(&rest, '\n');

		if (line.p[2] != ' ' && line.p[2] != '-')
			drop = dropped_key(line);
		if (!drop)
			buf_printf(&b, "%.*s\n", STR_ARG(line));
	}
	head = arena_str(&arena, buf_view(&b));
	buf_release(&b);
	return head;
}

/* Our packages are written as rattler wrote them, byte for byte, but for the keys not kept. */
static void check_as_rattler(const char *path)
{
	struct str theirs, ours;
	struct lock lock;
	size_t n = 0;

	assert_int_equal(file_read(&arena, path, 64 << 20, &theirs, NULL), 0);
	lock = parse_lock(&arena, theirs);
	ours = write_lock(&arena, &lock);
	for (size_t i = 0; i < lock.n_targets; i++) {
		for (size_t j = 0; j < lock.targets[i].n_records; j++, n++) {
			struct str url = lock.targets[i].records[j]->url;

			check_same(block_of(ours, url), block_of(theirs, url));
		}
	}
	assert_true(n > 100);
	/* The head, up to the packages of the first target, too. */
	check_same(str_sub(ours, 0, (size_t)str_find(ours, STR("environments:"))),
		str_sub(theirs, 0, (size_t)str_find(theirs, STR("environments:"))));
}

static void as_rattler(void **state)
{
	char *dir = shared("locks/rattler-v7", "as_rattler");

	(void)state;
	if (!dir)
		skip();
	check_as_rattler(path_join(&arena, dir, "rattler.lock"));
	check_as_rattler(path_join(&arena, dir, "bioconda-utils.lock"));
}

static void invalid_locks(void **state)
{
	static const char *const files[][2] = {
		{"duplicate_platform.yml", ":14:7: duplicate key 'DUPLICATE'"},
		{"duplicate_platform_definition.yml", "platform 'DUPLICATE' is defined twice"},
		{"duplicate_platform_use.yml", ":14:7: duplicate key 'DUPLICATE'"},
		{"invalid_platform_name.yml", "'linux 64 foobar' is not a platform's name"},
		{"invalid_platform_subdir.yml", "'linux-XX' is not a known subdir"},
		{"missing_platform.yml", "platform 'UNKNOWN' is not defined"},
	};
	char *dir = shared("locks/rattler-v7-invalid", "invalid_locks");
	struct str text;

	(void)state;
	if (!dir)
		skip();
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		assert_int_equal(file_read(&arena, path_join(&arena, dir, files[i][0]), 1 << 20,
					 &text, NULL),
			0);
		check_refused(text, files[i][1]);
	}
	assert_int_equal(count_files(dir), sizeof files / sizeof *files);
}

/* --- our own ------------------------------------------------------------------------------ */

static const char good[] =
	"version: 7\n"
	"platforms:\n"
	"- name: debian12\n"
	"  subdir: linux-64\n"
	"  virtual-packages:\n"
	"  - __unix=0=0\n"
	"  - __glibc=2.36\n"
	"- name: linux-64\n"
	"  virtual-packages:\n"
	"  - __glibc=2.17\n"
	"environments:\n"
	"  default:\n"
	"    channels:\n"
	"    - url: https://conda.anaconda.org/conda-forge/\n"
	"    - url: file:///srv/my%20channel/\n"
	"    options:\n"
	"      channel-priority: flexible\n"
	"      exclude-newer: '2024-01-31T23:59:59.999Z'\n"
	"    packages:\n"
	"      debian12:\n"
	"      - conda: file:///srv/my%20channel/noarch/tool-1.0-0.conda\n"
	"      - conda: "
	"https://conda.anaconda.org/conda-forge/linux-64/python-3.11.4-hab00c5b_0_cpython.conda\n"
	"      linux-64:\n"
	"      - conda: "
	"https://conda.anaconda.org/conda-forge/linux-64/python-3.11.4-hab00c5b_0_cpython.conda\n"
	"packages:\n"
	"- conda: file:///srv/my%20channel/noarch/tool-1.0-0.conda\n"
	"  build_number: 7\n"
	"  noarch: python\n"
	"  sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
	"  depends:\n"
	"  - python >=3.8\n"
	"  - __glibc >=2.20\n"
	"  constrains:\n"
	"  - other <2\n"
	"  track_features:\n"
	"  - one\n"
	"  - two\n"
	"- conda: "
	"https://conda.anaconda.org/conda-forge/linux-64/python-3.11.4-hab00c5b_0_cpython.conda\n"
	"  sha256: 04422f10d5bcb251fd254d6a9b8659dcde55e900d48cdff159cb1fef2117050e\n"
	"  md5: d41d8cd98f00b204e9800998ecf8427e\n"
	"  license: Python-2.0\n"
	"  size: 123\n"
	"  timestamp: 1686421555777\n"
	"  python_site_packages_path: lib/python3.11/site-packages\n";

static void round_trip(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good)), other = {0};
	const struct record *r;

	(void)state;
	check_same(write_lock(&arena, &lock), str_of(good));
	assert_int_equal(lock.priority, PRIORITY_FLEXIBLE);
	assert_int_equal(lock.as_of, UINT64_C(1706745599999));
	assert_true(str_is(lock.channels[1], "file:///srv/my%20channel"));
	r = lock_find(&lock, STR("debian12"))->records[1];
	assert_true(str_is(r->name, "tool") && str_is(r->version, "1.0") && str_is(r->build, "0"));
	assert_true(str_is(r->subdir, "noarch") && str_is(r->channel, "file:///srv/my%20channel"));
	assert_true(str_is(r->fn, "tool-1.0-0.conda") && str_is(r->track_features, "one two"));
	assert_int_equal(r->build_number, 7);
	assert_int_equal(r->noarch, NOARCH_PYTHON);
	assert_null(lock_find(&lock, STR("rhel6")));
	/* The order in which targets were put does not matter, nor whether one was put twice. */
	other = lock;
	other.targets = NULL;
	other.n_targets = other.cap_targets = 0;
	lock_put(&arena, &other, &lock.targets[1]);
	lock_put(&arena, &other, &lock.targets[0]);
	lock_put(&arena, &other, &lock.targets[1]);
	check_same(write_lock(&arena, &other), str_of(good));
}

static void no_credentials(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good)), again;
	struct record *r = lock.targets[1].records[0];
	struct str text;

	(void)state;
	lock.channels[0] = STR("https://me:hunter2@example.org/t/tk-12345/forge");
	r->url = STR(
		"https://me:hunter2@example.org/t/tk-12345/forge/linux-64/python-3.11.4-a_0.conda");
	r->channel = STR("https://example.org/t/tk-12345/forge");
	text = write_lock(&arena, &lock);
	assert_true(str_find(text, STR("hunter2")) < 0);
	assert_true(str_find(text, STR("tk-12345")) < 0);
	assert_true(str_find(text, STR("url: https://example.org/forge/\n")) > 0);
	assert_true(str_find(text,
			    STR("conda: https://example.org/forge/linux-64/python-3.11.4-a_0.conda"
				"\n")) > 0);
	again = parse_lock(&arena, text);
	check_same(write_lock(&arena, &again), text);
}

/* A folder's path holds no token, whatever it is called. */
static void a_folder_stays(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	struct str text;

	(void)state;
	lock.channels[0] = STR("file:///srv/t/me/forge");
	lock.targets[1].records[0]->url =
		STR("file:///srv/t/me/forge/linux-64/python-3.11.4-a_0.conda");
	text = write_lock(&arena, &lock);
	assert_true(str_find(text, STR("url: file:///srv/t/me/forge/\n")) > 0);
	assert_true(str_find(text, STR("conda: file:///srv/t/me/forge/linux-64/python-3.11.4-"
				       "a_0.conda\n")) > 0);
}

/* Fields that the URL does not tell, or tells otherwise, are written and read back. */
static void odd_records(void **state)
{
	struct str depends[] = {STR("a: b"), STR("c >=1,<2 *_#x"), STR("- d")};
	struct record records[] = {
		{.name = STR("x264"),
			.version = STR("1!164.3095"),
			.build = STR("h166bdaf_2"),
			.build_number = 2,
			.subdir = STR("linux-64"),
			.channel = STR("https://example.org/c"),
			.fn = STR("x264-1!164.3095-h166bdaf_2.tar.bz2"),
			.url = STR("https://example.org/c/linux-64/"
				   "x264-1%21164.3095-h166bdaf_2.tar.bz2"),
			.depends = depends,
			.n_depends = 3,
			.license = STR("yes"),
			.license_family = STR("'quoted' \"twice\"")},
		{.name = STR("plain"),
			.version = STR("1.10"),
			.build = STR("py_0"),
			.subdir = STR("noarch"),
			.noarch = NOARCH_NONE,
			.channel = STR("https://example.org/c"),
			.fn = STR("plain-1.10-py_0.conda"),
			.url = STR("https://mirror.example.org/files/plain-1.10-py_0.conda")},
		{.name = STR("abi3"),
			.version = STR("1.0"),
			.build = STR("h0_1"),
			.build_number = 1,
			.subdir = STR("linux-64"),
			.noarch = NOARCH_PYTHON,
			.features = STR("mkl"),
			.channel = STR("https://example.org/c"),
			.fn = STR("abi3-1.0-h0_1.conda"),
			.url = STR("https://example.org/c/linux-64/abi3-1.0-h0_1.conda")},
	};
	struct record *list[] = {&records[2], &records[1], &records[0]};
	struct lock_target target = {
		.name = STR("t"), .subdir = STR("linux-64"), .records = list, .n_records = 3};
	struct lock lock = {0}, again;
	struct str text;

	(void)state;
	lock_put(&arena, &lock, &target);
	text = write_lock(&arena, &lock);
	again = parse_lock(&arena, text);
	check_same(write_lock(&arena, &again), text);
	for (size_t i = 0; i < 3; i++) {
		const struct record *a = list[i], *b = again.targets[0].records[i];

		assert_true(str_eq(a->name, b->name) && str_eq(a->version, b->version));
		assert_true(str_eq(a->build, b->build) && str_eq(a->subdir, b->subdir));
		assert_true(str_eq(a->fn, b->fn) && str_eq(a->channel, b->channel));
		assert_true(str_eq(a->url, b->url) && a->noarch == b->noarch);
		assert_true(str_eq(a->features, b->features) && str_eq(a->license, b->license));
		assert_true(str_eq(a->license_family, b->license_family));
		assert_int_equal(a->build_number, b->build_number);
		assert_int_equal(a->n_depends, b->n_depends);
		for (size_t j = 0; j < a->n_depends; j++)
			assert_true(str_eq(a->depends[j], b->depends[j]));
	}
}

static struct str edited(const char *from, const char *to)
{
	struct str text = str_of(good), part = str_of(from);
	ptrdiff_t at = str_find(text, part);

	if (at < 0)
		fail_msg("no '%s' in the good lock", from);
	return arena_strf(&arena, "%.*s%s%.*s", STR_ARG(str_sub(text, 0, (size_t)at)), to,
		STR_ARG(str_sub(text, (size_t)at + part.n, text.n)));
}

static void hostile(void **state)
{
	static const char *const edits[][3] = {
		{"version: 7", "version: 5", "1:10: lock version '5' is not read"},
		{"version: 7\n", "", "'version' is missing"},
		{"platforms:", "platform:", "'platforms' is missing"},
		{"      linux-64:\n", "      other:\n", "platform 'other' is not defined"},
		{"      - conda: file:///srv/my%20channel/noarch/tool-1.0-0.conda\n",
			"      - conda: file:///srv/x-1-0.conda\n",
			"'packages' has no 'file:///srv/x"},
		{"  build_number: 7", "  build_number: -1", "'build_number' is not a number"},
		{"  build_number: 7", "  name: ../../etc", "not fit for a file's name"},
		{"  build_number: 7", "  version: a/b", "not fit for a file's name"},
		{"  build_number: 7", "  build: .x", "not fit for a file's name"},
		{"  build_number: 7", "  file_name: ../x.conda", "not fit for a file's name"},
		{"  build_number: 7", "  subdir: linux-65",
			"'subdir' is missing or not a known one"},
		{"  noarch: python", "  noarch: perl", "'noarch' is neither python nor generic"},
		{"e3b0c44298", "e3b0c4429", "'sha256' is not 64 hexadecimal digits"},
		{"d41d8cd98f", "d41d8cd98g", "'md5' is not 32 hexadecimal digits"},
		{"  - python >=3.8", "  - [python]", "depends is not a text"},
		{"'2024-01-31T23:59:59.999Z'", "soon", "'exclude-newer' is not a time"},
		{"'2024-01-31T23:59:59.999Z'", "[2024-01-31]", "'exclude-newer' is not a time"},
		{"channel-priority: flexible", "channel-priority: loose",
			"'channel-priority' is not"},
		{"- conda: file:///srv/my%20channel/noarch/tool-1.0-0.conda\n  build",
			"- wheel: x\n  build", "neither conda, conda_source nor pypi"},
		{"/linux-64/python-3.11.4-hab00c5b_0_cpython.conda\n  sha256",
			"/linux-64/python.conda\n  sha256", "not fit for a file's name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++)
		check_refused(edited(edits[i][0], edits[i][1]), edits[i][2]);
	check_refused(STR(""), "the file is empty");
	check_refused(STR("[]"), "a lock is not a map");
	check_refused(STR("version: 7\n\tx: y\n"), "test.lock:2");
}

/* --- is it current? ----------------------------------------------------------------------- */

struct scene {
	struct channel channels[3];
	struct str virtual_packages[3];
	struct spec_line specs[4];
	struct solve_request request;
};

static void scene_init(struct scene *s)
{
	*s = (struct scene){
		.channels = {{.url = STR("https://conda.anaconda.org/conda-forge")},
			{.url = STR("file:///srv/my%20channel")}},
		.virtual_packages = {STR("__glibc=2.36=0"), STR("__unix=0=0")},
		.specs = {{.text = STR("tool")}, {.text = STR("python 3.11.*")}},
	};
	s->request = (struct solve_request){.channels = s->channels,
		.n_channels = 2,
		.priority = PRIORITY_FLEXIBLE,
		.subdir = STR("linux-64"),
		.virtual_packages = s->virtual_packages,
		.n_virtual_packages = 2,
		.specs = s->specs,
		.n_specs = 2,
		.target = "debian12"};
}

static void check_current(const struct lock *lock, const struct scene *s, const char *why)
{
	struct str reason = {NULL, 0};
	int current = lock_current(&arena, lock, &s->request, &reason);

	if (!why && !current)
		fail_msg("stale: %.*s", STR_ARG(reason));
	if (why && current)
		fail_msg("current, though: %s", why);
	if (why && str_find(reason, str_of(why)) < 0)
		fail_msg("'%.*s', not '%s'", STR_ARG(reason), why);
}

static void current_frame(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	struct scene s;

	(void)state;
	scene_init(&s);
	check_current(&lock, &s, NULL);
	s.request.target = "rhel6";
	check_current(&lock, &s, "the lock has no target 'rhel6'");
	scene_init(&s);
	s.request.subdir = STR("linux-aarch64");
	check_current(&lock, &s, "the target was for linux-64");
	scene_init(&s);
	s.request.priority = PRIORITY_STRICT;
	check_current(&lock, &s, "was 'flexible' and is now 'strict'");
	scene_init(&s);
	s.request.n_channels = 1;
	check_current(&lock, &s, "channel 'file:///srv/my%20channel' is no longer used");
	s.request.n_channels = 3;
	s.channels[2].url = STR("https://example.org/x");
	check_current(&lock, &s, "channel 'https://example.org/x' is new");
	scene_init(&s);
	s.channels[2] = s.channels[0];
	s.channels[0] = s.channels[1];
	s.channels[1] = s.channels[2];
	check_current(&lock, &s, "channel 1 was 'https://conda.anaconda.org/conda-forge'");
	scene_init(&s);
	s.virtual_packages[0] = STR("__glibc=2.17");
	check_current(&lock, &s, "made without the virtual package '__glibc=2.17'");
	s.virtual_packages[0] = STR("__glibc=2.36");
	s.request.n_virtual_packages = 1;
	check_current(&lock, &s, "made with the virtual package '__unix=0=0'");
	/* A date given now binds, the lock's own does not. */
	scene_init(&s);
	s.request.as_of_text = "2023-06-10";
	s.request.as_of = UINT64_C(1686421555776);
	check_current(&lock, &s, "python 3.11.4 is of 2023-06-10, newer than --as-of 2023-06-10");
	s.request.as_of++;
	check_current(&lock, &s, NULL);
	s.request.n_virtual_packages = 2;
	lock.targets[0].n_skipped = 2;
	check_current(&lock, &s, "2 packages that are built from source");
}

static void current_packages(void **state)
{
	struct lock lock = parse_lock(&arena, str_of(good));
	struct record *python = lock.targets[0].records[0], *tool = lock.targets[0].records[1];
	struct str other = STR("other >=1"), conflict = STR("python <3");
	struct scene s;

	(void)state;
	scene_init(&s);
	s.specs[1].text = STR("python >=3.12");
	check_current(&lock, &s, "'python >=3.12' is asked for and the lock has python 3.11.4 hab");
	s.specs[1].text = STR("numpy");
	check_current(&lock, &s, "'numpy' is asked for and the lock has nothing of that name");
	s.specs[1].text = STR("__glibc >=2.30");
	check_current(&lock, &s, NULL);
	s.specs[1].text = STR("file:///srv/my%20channel::tool 1.*");
	check_current(&lock, &s, NULL);
	s.specs[1].text = STR("conda-forge::tool");
	check_current(&lock, &s, "'conda-forge::tool' is asked for");
	s.specs[0].text = s.specs[1].text = STR("python");
	check_current(&lock, &s, "nothing asks for 'tool' any more");
	scene_init(&s);
	tool->depends[1] = STR("__glibc >=2.40");
	check_current(&lock, &s, "'tool' needs '__glibc >=2.40' and the lock has __glibc 2.36 0");
	tool->depends[1] = STR("__glibc >=2.20");
	python->depends = &other;
	python->n_depends = 1;
	check_current(
		&lock, &s, "'python' needs 'other >=1' and the lock has nothing of that name");
	python->n_depends = 0;
	tool->constrains = &conflict;
	check_current(
		&lock, &s, "'tool' goes only with 'python <3' and the lock has python 3.11.4");
	tool->n_constrains = 0;
	check_current(&lock, &s, NULL);
	lock.targets[0].records[1] = python;
	check_current(&lock, &s, "it has 'python' twice");
}

/* Groups of optional dependencies (CEP 44) are kept, and what they ask for is asked for. */
static void groups_are_kept(void **state)
{
	struct str extras[] = {
		STR("docs "), STR("test "), STR("test python 3.*"), STR("test tool")};
	struct lock lock = parse_lock(&arena, str_of(good)), again;
	struct record *python = lock.targets[0].records[0], *tool = lock.targets[0].records[1];
	struct scene s;

	(void)state;
	tool->extras = extras;
	tool->n_extras = 4;
	tool->n_depends = python->n_depends = 0;
	again = parse_lock(&arena, write_lock(&arena, &lock));
	check_same(write_lock(&arena, &again), write_lock(&arena, &lock));
	tool = again.targets[0].records[0];
	if (!str_is(tool->name, "tool"))
		tool = again.targets[0].records[1];
	assert_int_equal(tool->n_extras, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(str_eq(tool->extras[i], extras[i]));
	scene_init(&s);
	s.request.n_specs = 1;
	s.specs[0].text = STR("tool[extras=test]");
	check_current(&again, &s, NULL);
	s.specs[0].text = STR("tool[extras=[docs, other]]");
	check_current(&again, &s, "nothing asks for 'python' any more");
	tool->extras[2] = STR("test python 2.*");
	s.specs[0].text = STR("tool[extras=[docs, test]]");
	check_current(&again, &s, "'tool' needs 'python 2.*'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_locks),
		cmocka_unit_test(as_rattler),
		cmocka_unit_test(invalid_locks),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(no_credentials),
		cmocka_unit_test(a_folder_stays),
		cmocka_unit_test(odd_records),
		cmocka_unit_test(hostile),
		cmocka_unit_test(current_frame),
		cmocka_unit_test(current_packages),
		cmocka_unit_test(groups_are_kept),
	};
	int rc = cmocka_run_group_tests_name("solver_lock", tests, NULL, NULL);

	arena_release(&arena);
	return rc;
}

/* Real requests on real records, against what micromamba answers (shared data, solves/). */
#include "tests/unit/solver_helper.h"

#include "base/json.h"
#include "base/log.h"
#include "base/table.h"

struct data {
	struct arena arena;
	char *dir;
	struct channel channel;
	struct index *index;
};

struct reference {
	struct words specs, virtual_packages;
	bool solved;
	struct record *records; /* name, version, build */
	size_t n;
};

/*
 * Where a requested package differs from the reference, or another one is older, and why that is as
 * good.  Everything else must be the same, or at least as new.
 */
static const struct {
	const char *file, *name, *reason;
} accepted[] = {
	{"el6.txt", "python", "3.12 instead of 3.11: newer, and all the rest is the same"},
	{"el6.txt", "numpy", "the build for that python"},
	{"el8.txt", "python", "3.14 instead of 3.12: mamba adds pip, whose newest wants < 3.13"},
	{"el8.txt", "numpy", "2.5.1 is the newest for python 3.14"},
	{"el8.txt", "pandas", "3.0.3 is the newest for python 3.14"},
	{"el8.txt", "scipy", "1.17.1 is the newest for python 3.14"},
};

static bool is_accepted(const char *file, struct str name)
{
	for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
		if (strcmp(accepted[i].file, file) == 0 && str_is(name, accepted[i].name))
			return true;
	return false;
}

static int setup(void **state)
{
	struct data *d = xcalloc(1, sizeof *d);
	static const char *const subdirs[] = {"linux-64", "noarch"};
	struct err e = {0};

	*state = d;
	d->channel =
		(struct channel){.name = STR("conda-forge"), .url = STR("https://h/conda-forge")};
	if (!shared_path(&d->arena, "repodata/conda-forge"))
		return 0;
	d->dir = fresh_dir(&d->arena);
	d->index = index_new();
	for (size_t i = 0; i < 2; i++) {
		char *rel = arena_printf(
			&d->arena, "repodata/conda-forge/%s/repodata.json.zst", subdirs[i]);
		char *path =
			unpack_index(&d->arena, shared_path(&d->arena, rel), d->dir, subdirs[i]);

		if (index_add_file(d->index, path, &d->channel, 0, str_of(subdirs[i]), &e) < 0)
			fail_msg("%s", e.text);
	}
	return 0;
}

static int teardown(void **state)
{
	struct data *d = *state;

	index_free(d->index);
	if (d->dir)
		dir_remove(d->dir, NULL);
	arena_release(&d->arena);
	free(d);
	return 0;
}

static struct data *need_data(void **state)
{
	struct data *d = *state;

	if (!d->index) {
		print_message("the shared data is not there (ENVBUILD_SHARED_DATA)\n");
		skip();
	}
	return d;
}

static void read_reference(struct arena *a, const char *path, struct reference *r)
{
	struct str text, rest;
	struct err e = {0};

	*r = (struct reference){0};
	if (file_read(a, path, 1 << 20, &text, &e) < 0)
		fail_msg("%s", e.text);
	r->records = arena_array(a, struct record, text.n / 8 + 1);
	for (rest = text; rest.p && rest.n;) {
		struct str line = str_cut(&rest, '\n');
		struct record *to = &r->records[r->n];

		if (str_starts(line, STR("# request:")))
			r->specs = split_words(a, str_sub(line, 10, line.n));
		else if (str_starts(line, STR("# virtual-packages:")))
			r->virtual_packages = split_words(a, str_sub(line, 19, line.n));
		else if (str_starts(line, STR("# result:")))
			r->solved = str_find(line, STR("unsat")) < 0;
		else if (str_chr(line, '/') >= 0 &&
			 record_split_fn(str_sub(line, (size_t)str_chr(line, '/') + 1, line.n),
				 &to->name, &to->version, &to->build) == 0)
			r->n++;
	}
}

static int solve_reference(struct arena *a, const struct data *d, const struct index *ix,
	const struct reference *r, struct solution *out, struct err *e)
{
	const struct solve_request request = {.channels = &d->channel,
		.n_channels = 1,
		.priority = PRIORITY_STRICT,
		.subdir = STR("linux-64"),
		.virtual_packages = r->virtual_packages.v,
		.n_virtual_packages = r->virtual_packages.n,
		.specs = lines_of(a, &r->specs),
		.n_specs = r->specs.n,
		.file = "environment.yml",
		.target = "test"};

	return solve_index(a, &request, ix, out, e);
}

static const struct record *find(const struct solution *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->records[i]->name, name))
			return s->records[i];
	return NULL;
}

static bool is_requested(struct arena *a, const struct reference *r, struct str name)
{
	for (size_t i = 0; i < r->specs.n; i++) {
		struct matchspec m;

		assert_int_equal(matchspec_parse(a, r->specs.v[i], &m, NULL), 0);
		if (str_eq(m.name, name))
			return true;
	}
	return false;
}

static int cmp_versions(struct arena *a, struct str x, struct str y)
{
	const struct version *vx, *vy;

	assert_int_equal(version_parse(a, x, &vx, NULL), 0);
	assert_int_equal(version_parse(a, y, &vy, NULL), 0);
	return version_cmp(vx, vy);
}

/* No package is older than the reference has it, and those requested are the same. */
static size_t compare(
	struct arena *a, const char *file, const struct reference *r, const struct solution *s)
{
	size_t worse = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct record *want = &r->records[i], *got = find(s, want->name);
		bool requested = is_requested(a, r, want->name), same;

		if (!got && requested)
			fail_msg("%s: '%.*s' is missing", file, STR_ARG(want->name));
		if (!got || is_accepted(file, want->name))
			continue;
		same = str_eq(got->version, want->version) && str_eq(got->build, want->build);
		if (requested ? same : cmp_versions(a, got->version, want->version) >= 0)
			continue;
		print_error("%s: %.*s is %.*s %.*s, the reference has %.*s %.*s\n", file,
			STR_ARG(want->name), STR_ARG(got->version), STR_ARG(got->build),
			STR_ARG(want->version), STR_ARG(want->build));
		worse++;
	}
	return worse;
}

static void assert_each_once(const struct solution *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(str_eq(s->records[i]->name, s->records[k]->name));
}

static const char *const files[] = {"conda.txt", "dask.txt", "el6.txt", "el6b.txt", "el8.txt",
	"np126.txt", "old.txt", "openssl1.txt", "qt.txt", "sci.txt", "torch-cpu.txt",
	"torch-cuda.txt", "unsat1.txt", "xr.txt"};

static void answers_are_as_good_as_the_reference(void **state)
{
	struct data *d = need_data(state);
	size_t worse = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct arena a = {0};
		struct reference r;
		struct solution s = {0};
		struct err e = {0};
		uint64_t start = now_ns();
		int rc;

		read_reference(&a, shared_path(&a, arena_printf(&a, "solves/%s", files[i])), &r);
		rc = solve_reference(&a, d, d->index, &r, &s, &e);
		print_message("%-15s %3zu packages %4.0f ms\n", files[i], s.n,
			(double)(now_ns() - start) / 1e6);
		if (rc == 0 && !r.solved)
			fail_msg("%s: solved, the reference says it cannot be", files[i]);
		if (rc < 0 && (r.solved || e.code != ERR_UNSAT))
			fail_msg("%s: %s", files[i], e.text);
		if (rc == 0) {
			assert_each_once(&s);
			worse += compare(&a, files[i], &r, &s);
		}
		err_release(&e);
		arena_release(&a);
	}
	assert_int_equal(worse, 0);
}

/* Appends the members of the object that comes next, the last one first. */
static void add_reversed(struct json *j, struct str text, struct buf *to)
{
	struct arena a = {0};
	struct {
		struct str *v;
		size_t n, cap;
	} members = {0};

	assert_int_equal(json_next(j), JSON_OBJECT);
	while (json_next(j) == JSON_KEY) {
		const char *from = json_text(j).p - 1;

		assert_int_equal(json_skip(j), 0);
		*VEC_PUSH(&a, &members) = str_n(from, (size_t)(text.p + json_offset(j) - from));
	}
	for (size_t i = members.n; i-- > 0;)
		buf_printf(
			to, "%s%.*s\n", to->p[to->n - 1] == '{' ? "" : ",", STR_ARG(members.v[i]));
	arena_release(&a);
}

/* The records of a subdir in the opposite order, all in one list. */
static void reverse(struct arena *a, const char *path, struct buf *to)
{
	struct str text;
	struct json *j;

	assert_int_equal(file_read(a, path, 1 << 30, &text, NULL), 0);
	j = json_open_text(text, path);
	assert_int_equal(json_next(j), JSON_OBJECT);
	buf_puts(to, "{\"packages\":{");
	while (json_next(j) == JSON_KEY) {
		if (str_starts(json_text(j), STR("packages")))
			add_reversed(j, text, to);
		else
			assert_int_equal(json_skip(j), 0);
	}
	buf_puts(to, "}}");
	json_close(j);
}

static struct index *reversed(struct arena *a, const struct data *d, struct err *e)
{
	static const char *const subdirs[] = {"noarch", "linux-64"};
	struct index *ix = index_new();

	for (size_t s = 0; s < 2; s++) {
		CLEANUP_BUF text = {0};

		reverse(a, path_join(a, d->dir, subdirs[s]), &text);
		if (add_text(ix, d->dir, buf_view(&text), &d->channel, 0, subdirs[s], e) < 0)
			return NULL;
	}
	return ix;
}

static void order_of_records_does_not_matter(void **state)
{
	static const char *const some[] = {"sci.txt", "xr.txt", "torch-cuda.txt"};
	struct data *d = need_data(state);
	CLEANUP_ARENA text = {0};
	struct err e = {0};
	struct index *ix = reversed(&text, d, &e);

	assert_non_null(ix);
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		struct arena a = {0};
		struct reference r;
		struct solution s = {0}, t = {0};

		read_reference(&a, shared_path(&a, arena_printf(&a, "solves/%s", some[i])), &r);
		assert_int_equal(solve_reference(&a, d, d->index, &r, &s, &e), 0);
		assert_int_equal(solve_reference(&a, d, ix, &r, &t, &e), 0);
		assert_int_equal(s.n, t.n);
		for (size_t k = 0; k < s.n; k++)
			assert_true(str_eq(s.records[k]->url, t.records[k]->url));
		arena_release(&a);
	}
	index_free(ix);
}

static void refusals_name_line_and_limit(void **state)
{
	struct data *d = need_data(state);
	struct arena a = {0};
	struct reference r = {.specs = split_words(&a, STR("python=3.12 pytorch=2.5")),
		.virtual_packages = split_words(&a, STR("__glibc=2.12 __unix=0=0"))};
	struct solution s = {0};
	struct err e = {0};

	assert_int_equal(solve_reference(&a, d, d->index, &r, &s, &e), -1);
	assert_int_equal(e.code, ERR_UNSAT);
	assert_non_null(strstr(e.text, "environment.yml:2: "));
	assert_non_null(strstr(e.text, "pytorch 2.5"));
	assert_non_null(strstr(e.text, "the target test has 2.12"));
	err_release(&e);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_as_good_as_the_reference),
		cmocka_unit_test(order_of_records_does_not_matter),
		cmocka_unit_test(refusals_name_line_and_limit),
	};

	return cmocka_run_group_tests_name("solver reference", tests, setup, teardown);
}

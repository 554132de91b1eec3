/* Real requests on real records, against what micromamba answers (shared data, solves/). */
#include "tests/unit/solver_real.h"

#include "base/json.h"
#include "base/log.h"
#include "base/table.h"

#include <dirent.h>

struct reference {
	struct words specs, virtual_packages;
	bool solved;
	struct record *records; /* name, version, build */
	size_t n;
};

/*
 * Where the requested packages differ: micromamba gives way in the first one named, although there
 * is an answer with a newer one.  It is pinned to what micromamba has, and pip is asked for, which
 * micromamba adds to every python: then all that is requested is the same.
 */
static const struct {
	const char *file, *first;
} first_is_newer[] = {
	{"el6.txt", "python"}, /* 3.12.4 instead of 3.11.9, and nothing that is not newer */
	{"el8.txt", "python"}, /* 3.14.6 instead of 3.12.14; the others are the newest for it */
};

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
		else if (line.n && line.p[0] != '#') {
			to->fn = str_sub(line, (size_t)str_chr(line, '/') + 1, line.n);
			assert_int_equal(
				record_split_fn(to->fn, &to->name, &to->version, &to->build), 0);
			r->n++;
		}
	}
}

static int solve_reference(struct arena *a, const struct real *d, const struct index *ix,
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

/* The name that line i of the request asks for. */
static struct str requested(struct arena *a, const struct reference *r, size_t i)
{
	struct matchspec m;

	assert_int_equal(matchspec_parse(a, r->specs.v[i], &m, NULL), 0);
	return m.name;
}

static const struct record *reference_of(const struct reference *r, struct str name)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->records[i].name, name))
			return &r->records[i];
	return NULL;
}

static int cmp_versions(struct arena *a, struct str x, struct str y)
{
	const struct version *vx, *vy;

	assert_int_equal(version_parse(a, x, &vx, NULL), 0);
	assert_int_equal(version_parse(a, y, &vy, NULL), 0);
	return version_cmp(vx, vy);
}

static bool is_same(const struct record *x, const struct record *y)
{
	return x && y && str_eq(x->version, y->version) && str_eq(x->build, y->build);
}

/* The build number, as the index has it; of some of these records it is not the builder's. */
static uint64_t number_in_index(struct arena *a, const struct real *d, const struct record *r)
{
	struct record *all;
	size_t n = records_of(a, d->index, r->name, &all);

	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i].fn, r->fn))
			return all[i].build_number;
	fail_msg("no '%.*s' in the index", STR_ARG(r->fn));
	return 0;
}

/* <0: x is older than y. */
static int cmp_age(
	struct arena *a, const struct real *d, const struct record *x, const struct record *y)
{
	uint64_t nx = number_in_index(a, d, x), ny = number_in_index(a, d, y);
	int c = cmp_versions(a, x->version, y->version);

	return c ? c : (nx > ny) - (nx < ny);
}

static struct words joined(struct arena *a, const struct words *x, const struct words *y)
{
	struct words w = {0};

	for (size_t i = 0; i < x->n; i++)
		*VEC_PUSH(a, &w) = x->v[i];
	for (size_t i = 0; i < y->n; i++)
		*VEC_PUSH(a, &w) = y->v[i];
	return w;
}

/* The request and more lines; false where that has no solution. */
static bool solve_more(struct arena *a, const struct real *d, const struct reference *r,
	const struct words *more, struct solution *out)
{
	struct reference with = *r;
	struct err e = {0};
	int rc;

	*out = (struct solution){0};
	with.specs = joined(a, &r->specs, more);
	rc = solve_reference(a, d, d->index, &with, out, &e);
	if (rc < 0 && e.code != ERR_UNSAT)
		fail_msg("%s", e.text);
	err_release(&e);
	return rc == 0;
}

static struct str pinned(struct arena *a, const struct record *r)
{
	return arena_strf(
		a, "%.*s ==%.*s %.*s", STR_ARG(r->name), STR_ARG(r->version), STR_ARG(r->build));
}

/* --- what is requested ---------------------------------------------------------------------- */

static const char *newer_first(const char *file)
{
	for (size_t i = 0; i < sizeof first_is_newer / sizeof *first_is_newer; i++)
		if (strcmp(first_is_newer[i].file, file) == 0)
			return first_is_newer[i].first;
	return NULL;
}

static void check_same_requested(
	struct arena *a, const char *file, const struct reference *r, const struct solution *s)
{
	for (size_t i = 0; i < r->specs.n; i++) {
		struct str name = requested(a, r, i);
		const struct record *got = find(s, name), *want = reference_of(r, name);

		assert_non_null(want);
		if (!got)
			fail_msg("%s: '%.*s' is missing", file, STR_ARG(name));
		if (!is_same(got, want))
			fail_msg("%s: %.*s is %.*s %.*s, the reference has %.*s %.*s", file,
				STR_ARG(name), STR_ARG(got->version), STR_ARG(got->build),
				STR_ARG(want->version), STR_ARG(want->build));
	}
}

/* --- the others ----------------------------------------------------------------------------- */

static bool costs_another(struct arena *a, const struct real *d, const struct solution *s,
	const struct solution *with)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct record *other = find(with, s->records[i]->name);

		if (other && cmp_age(a, d, other, s->records[i]) < 0)
			return true;
	}
	return false;
}

/*
 * No version is older than the reference has it.  An older build of the same version is there only
 * because another package would be older without it: that is tried, with all the other versions of
 * the answer as the least.
 */
static void check_age(struct arena *a, const struct real *d, const char *file,
	const struct reference *r, const struct solution *s, const struct record *want)
{
	const struct record *got = find(s, want->name);
	struct words more = {0};
	struct solution with;

	if (!got || cmp_age(a, d, got, want) >= 0)
		return;
	if (cmp_versions(a, got->version, want->version) < 0)
		fail_msg("%s: '%.*s' is older than '%.*s'", file, STR_ARG(got->fn),
			STR_ARG(want->fn));
	*VEC_PUSH(a, &more) = pinned(a, want);
	for (size_t i = 0; i < s->n; i++)
		*VEC_PUSH(a, &more) = arena_strf(a, "%.*s >=%.*s", STR_ARG(s->records[i]->name),
			STR_ARG(s->records[i]->version));
	if (solve_more(a, d, r, &more, &with) && !costs_another(a, d, s, &with))
		fail_msg("%s: '%.*s' could be '%.*s'", file, STR_ARG(got->fn), STR_ARG(want->fn));
	print_message("  %.*s: %s is older with %.*s\n", STR_ARG(got->fn),
		with.n ? "another build" : "another version", STR_ARG(want->build));
}

/* Nothing twice, and nothing that neither the request nor one of the others needs. */
static void check_set(struct arena *a, const struct reference *r, const struct solution *s)
{
	struct table seen = {.arena = a};
	struct words todo = {0};

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(str_eq(s->records[i]->name, s->records[k]->name));
	for (size_t i = 0; i < r->specs.n; i++)
		*VEC_PUSH(a, &todo) = requested(a, r, i);
	for (size_t i = 0; i < todo.n; i++) {
		const struct record *one = find(s, todo.v[i]);

		if (!one || table_get(&seen, one->name))
			continue;
		table_put(&seen, one->name);
		for (size_t k = 0; k < one->n_depends; k++)
			*VEC_PUSH(a, &todo) = matchspec_name(one->depends[k]);
	}
	assert_int_equal(seen.n, s->n);
}

static void check_like(struct arena *a, const struct real *d, const char *file,
	const struct reference *r, const struct solution *s)
{
	check_set(a, r, s);
	check_same_requested(a, file, r, s);
	for (size_t i = 0; i < r->n; i++)
		check_age(a, d, file, r, s, &r->records[i]);
}

static void check_answer(struct arena *a, const struct real *d, const char *file,
	const struct reference *r, const struct solution *s)
{
	const char *first = newer_first(file);
	struct reference pin = *r;
	struct words more = {0};
	struct solution with;
	const struct record *want;

	if (!first) {
		check_like(a, d, file, r, s);
		return;
	}
	want = reference_of(r, str_of(first));
	assert_true(str_is(requested(a, r, 0), first));
	assert_true(cmp_versions(a, find(s, want->name)->version, want->version) > 0);
	*VEC_PUSH(a, &more) = pinned(a, want);
	*VEC_PUSH(a, &more) = STR("pip");
	assert_true(solve_more(a, d, r, &more, &with));
	pin.specs = joined(a, &r->specs, &more);
	check_like(a, d, file, &pin, &with);
}

static void check_file(const struct real *d, const char *file)
{
	struct arena a = {0};
	struct reference r;
	struct solution s = {0};
	struct err e = {0};
	uint64_t start;
	int rc;

	read_reference(&a, shared_path(&a, arena_printf(&a, "solves/%s", file)), &r);
	start = now_ns();
	rc = solve_reference(&a, d, d->index, &r, &s, &e);
	print_message(
		"%-15s %3zu packages %4.0f ms\n", file, s.n, (double)(now_ns() - start) / 1e6);
	if (rc == 0 && !r.solved)
		fail_msg("%s: solved, the reference says it cannot be", file);
	if (rc < 0 && (r.solved || e.code != ERR_UNSAT))
		fail_msg("%s: %s", file, e.text);
	if (rc == 0)
		check_answer(&a, d, file, &r, &s);
	err_release(&e);
	arena_release(&a);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void answers_are_as_good_as_the_reference(void **state)
{
	struct real *d = need_real(state);
	struct dirent **names = NULL;
	int n = scandir(shared_path(&d->arena, "solves"), &names, NULL, by_name), files = 0;

	for (int i = 0; i < n; i++) {
		if (str_ends(str_of(names[i]->d_name), STR(".txt"))) {
			check_file(d, names[i]->d_name);
			files++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(files >= 14);
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

static struct index *reversed(struct arena *a, const struct real *d, struct err *e)
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
	struct real *d = need_real(state);
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
	struct real *d = need_real(state);
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

	return cmocka_run_group_tests_name("solver reference", tests, real_setup, real_teardown);
}

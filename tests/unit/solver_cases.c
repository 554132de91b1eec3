/*
 * Runs tests/solver/NAME.test.  A file holds cases of a few lines:
 *
 *	case the newest python variant          begins a case
 *	channel main                            what follows is in this channel (highest first)
 *	priority strict                         else flexible
 *	target __glibc=2.17 __unix=0=0          virtual packages
 *	+ numpy 1.0 h1_0 time=5 : python 3.8.*, libc ; python <4
 *	                                        a record: name version build, fields, depends,
 *	                                        constrains; number=N features=A,B noarch bz2;
 *	                                        behind another ; a group: "; test: pytest, b 1"
 *	as-of 2024-01-31                        date=2023-05-01, ms=MILLISECONDS, indexed=DAY in a record
 *	locked b-1.0-0 a-2.0-0                  the lock has these of the first channel ...
 *	update a                                ... and these are to be as new as can be
 *	learned b-1.0-0 : __glibc >=2.28 : its lib/libb.so needs GLIBC_2.28
 *	                                        of this build of the first channel; without a need: it is out
 *	learned sum=7 : ...                     of the record that has sum=7
 *	removed numpy-1.0-h1_0.conda            the channel has taken it back
 *	want numpy                              line N of the user, N counted from 1
 *	expect python-3.9-0 numpy-1.0-h0_py39   the whole answer in order ("channel::" may precede)
 *	says TEXT                               no answer, and the reason has this text
 *	omits TEXT                              the reason does not have this text
 *	advises TEXT                            the advice has this text
 *
 * Each case is solved with the records in the order of the file, backwards and in a mixed order.
 */
#include "base/date.h"
#include "tests/unit/solver_helper.h"

#include <dirent.h>

struct text_list {
	struct str *v;
	size_t n, cap;
};

struct line {
	struct str channel, text;
};

struct scenario {
	struct str name;
	const char *file;
	struct channel_list channels;
	enum channel_priority priority;
	struct words virtual_packages;
	struct {
		struct line *v;
		size_t n, cap;
	} records;
	struct text_list learned, removed, wants, says, omits, advises;
	struct words locked, updates;
	struct str as_of;
	struct str expect;
	bool has_expect;
};

struct scenarios {
	struct arena arena;
	struct {
		struct scenario *v;
		size_t n, cap;
	} list;
};

/* --- reading -------------------------------------------------------------------------------- */

static struct str after(struct str line, const char *word)
{
	return str_trim(str_sub(line, strlen(word), line.n));
}

static void use_channel(struct arena *a, struct scenario *s, struct str name)
{
	struct channel *c = VEC_PUSH(a, &s->channels);

	*c = (struct channel){.name = name, .url = arena_strf(a, "https://h/%.*s", STR_ARG(name))};
}

static void read_line(struct arena *a, struct scenario *s, struct str line)
{
	if (str_starts(line, STR("+ "))) {
		if (s->channels.n == 0)
			use_channel(a, s, STR("main"));
		*VEC_PUSH(a, &s->records) =
			(struct line){s->channels.v[s->channels.n - 1].name, after(line, "+ ")};
	} else if (str_starts(line, STR("channel "))) {
		use_channel(a, s, after(line, "channel "));
	} else if (str_starts(line, STR("priority "))) {
		struct str p = after(line, "priority ");

		s->priority = str_is(p, "strict")     ? PRIORITY_STRICT
			      : str_is(p, "disabled") ? PRIORITY_DISABLED
						      : PRIORITY_FLEXIBLE;
	} else if (str_starts(line, STR("target "))) {
		s->virtual_packages = split_words(a, after(line, "target "));
	} else if (str_starts(line, STR("as-of "))) {
		s->as_of = after(line, "as-of ");
	} else if (str_starts(line, STR("locked "))) {
		s->locked = split_words(a, after(line, "locked "));
	} else if (str_starts(line, STR("update "))) {
		s->updates = split_words(a, after(line, "update "));
	} else if (str_starts(line, STR("learned "))) {
		*VEC_PUSH(a, &s->learned) = after(line, "learned ");
	} else if (str_starts(line, STR("removed "))) {
		*VEC_PUSH(a, &s->removed) = after(line, "removed ");
	} else if (str_starts(line, STR("want "))) {
		*VEC_PUSH(a, &s->wants) = after(line, "want ");
	} else if (str_starts(line, STR("says "))) {
		*VEC_PUSH(a, &s->says) = after(line, "says ");
	} else if (str_starts(line, STR("omits "))) {
		*VEC_PUSH(a, &s->omits) = after(line, "omits ");
	} else if (str_starts(line, STR("advises "))) {
		*VEC_PUSH(a, &s->advises) = after(line, "advises ");
	} else if (str_starts(line, STR("expect"))) {
		s->expect = after(line, "expect");
		s->has_expect = true;
	} else {
		fail_msg("%s: unknown line '%.*s'", s->file, STR_ARG(line));
	}
}

static void read_file(struct scenarios *all, const char *path)
{
	struct arena *a = &all->arena;
	struct scenario *s = NULL;
	struct str rest;
	struct err e = {0};

	if (file_read(a, path, 1 << 20, &rest, &e) < 0)
		fail_msg("%s", e.text);
	while (rest.p && rest.n) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (str_starts(line, STR("case "))) {
			s = VEC_PUSH(a, &all->list);
			*s = (struct scenario){.name = after(line, "case "),
				.file = path_base(path),
				.priority = PRIORITY_FLEXIBLE};
		} else if (s) {
			read_line(a, s, line);
		}
	}
}

/* --- the index of a case -------------------------------------------------------------------- */

static void write_list(struct json_out *w, const char *key, struct str texts)
{
	jw_key(w, key);
	jw_array(w);
	while (texts.p && texts.n) {
		struct str one = str_trim(str_cut(&texts, ','));

		/* A comma within a version: "python >=3.8 & <3.9". */
		CLEANUP_BUF spec = {0};
		for (size_t i = 0; i < one.n; i++)
			buf_putc(&spec, one.p[i] == '&' ? ',' : one.p[i]);
		if (one.n)
			jw_str(w, buf_view(&spec));
	}
	jw_array_end(w);
}

static bool has_word(const struct words *w, const char *word)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_is(w->v[i], word))
			return true;
	return false;
}

/* build_number: as given, else the digits behind the last '_' of the build. */
static void write_fields(struct json_out *w, const struct words *f)
{
	struct str build = f->v[2];
	uint64_t number = 0;

	str_u64(str_sub(build, (size_t)(str_rchr(build, '_') + 1), build.n), 1 << 20, &number);
	for (size_t i = 3; i < f->n; i++) {
		struct str value = f->v[i], key = str_cut(&value, '=');

		if (str_is(key, "number"))
			str_u64(value, 1 << 20, &number);
		if (str_is(key, "features")) {
			jw_key(w, "track_features");
			jw_str(w, value);
		}
		if (str_is(key, "sum")) {
			char hex[64];

			memset(hex, value.p[0], sizeof hex);
			jw_key(w, "sha256");
			jw_str(w, str_n(hex, sizeof hex));
		}
		if (str_is(key, "time")) {
			uint64_t time = 0;

			str_u64(value, 1 << 20, &time);
			jw_key(w, "timestamp");
			jw_int(w, (int64_t)(UINT64_C(1500000000000) + time));
		}
		if (str_is(key, "date") || str_is(key, "ms") || str_is(key, "indexed")) {
			uint64_t time;

			if (str_u64(value, INT64_MAX, &time) < 0)
				assert_int_equal(date_parse(value, &time), 0);
			jw_key(w, str_is(key, "indexed") ? "indexed_timestamp" : "timestamp");
			jw_int(w, (int64_t)time);
		}
	}
	jw_key(w, "build_number");
	jw_int(w, (int64_t)number);
}

static void write_groups(struct arena *a, struct json_out *w, struct str groups)
{
	jw_key(w, "extra_depends");
	jw_object(w);
	while (groups.p) {
		struct str specs = str_cut(&groups, ';'), name = str_cut(&specs, ':');

		if (str_trim(name).n)
			write_list(w, arena_cstr(a, str_trim(name)), specs);
	}
	jw_object_end(w);
}

static void write_record(
	struct arena *a, struct json_out *w, struct str text, bool noarch, bool bz2)
{
	struct str groups = text, depends = str_cut(&groups, ';');
	struct str constrains = str_cut(&groups, ';');
	struct str head = str_cut(&depends, ':');
	struct words f = split_words(a, head);
	static const char *const keys[] = {"name", "version", "build"};

	if (f.n < 3 || has_word(&f, "noarch") != noarch || has_word(&f, "bz2") != bz2)
		return;
	jw_key(w, arena_printf(a, "%.*s-%.*s-%.*s%s", STR_ARG(f.v[0]), STR_ARG(f.v[1]),
			  STR_ARG(f.v[2]), bz2 ? ".tar.bz2" : ".conda"));
	jw_object(w);
	for (size_t i = 0; i < 3; i++) {
		jw_key(w, keys[i]);
		jw_str(w, f.v[i]);
	}
	write_fields(w, &f);
	write_list(w, "depends", depends);
	write_list(w, "constrains", constrains);
	write_groups(a, w, groups);
	jw_object_end(w);
}

static size_t place(size_t i, size_t n, int order)
{
	if (order == 1)
		return n - 1 - i;
	return order == 2 ? (i % 2 ? n - 1 - i / 2 : i / 2) : i;
}

static void write_index(struct arena *a, const struct scenario *s, struct str channel, bool noarch,
	int order, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	for (int bz2 = 0; bz2 < 2; bz2++) {
		jw_key(&w, bz2 ? "packages" : "packages.conda");
		jw_object(&w);
		for (size_t i = 0; i < s->records.n; i++) {
			const struct line *l = &s->records.v[place(i, s->records.n, order)];

			if (str_eq(l->channel, channel))
				write_record(a, &w, l->text, noarch, bz2);
		}
		jw_object_end(&w);
	}
	jw_key(&w, "removed");
	jw_array(&w);
	for (size_t i = 0; i < s->removed.n; i++)
		jw_str(&w, s->removed.v[i]);
	jw_array_end(&w);
	jw_object_end(&w);
}

static struct index *make_index(
	struct arena *a, const struct scenario *s, const char *dir, int order)
{
	struct index *ix = index_new();
	struct err e = {0};

	for (size_t i = 0; i < s->channels.n; i++)
		for (int noarch = 0; noarch < 2; noarch++) {
			CLEANUP_BUF text = {0};

			write_index(a, s, s->channels.v[i].name, noarch, order, &text);
			if (add_text(ix, dir, buf_view(&text), &s->channels.v[i], (unsigned)i,
				    noarch ? "noarch" : "linux-64", &e) < 0)
				fail_msg("%s", e.text);
		}
	return ix;
}

/* --- running -------------------------------------------------------------------------------- */

static bool expect_has_channels(const struct scenario *s)
{
	return str_find(s->expect, STR("::")) >= 0;
}

static void print_answer(const struct scenario *s, const struct solution *got, struct buf *to)
{
	for (size_t i = 0; i < got->n; i++) {
		const struct record *r = got->records[i];
		struct str fn = r->fn;

		if (to->n)
			buf_putc(to, ' ');
		if (expect_has_channels(s))
			buf_printf(to, "%s::", path_base(r->channel.p));
		if (str_ends(fn, STR(".conda")))
			fn.n -= 6;
		buf_str(to, fn);
	}
}

static void check_words(
	const struct scenario *s, const struct text_list *words, const char *text, bool there)
{
	for (size_t i = 0; i < words->n; i++)
		if ((str_find(str_of(text), words->v[i]) >= 0) != there)
			fail_msg("%s: %.*s: '%.*s' is %s\n%s", s->file, STR_ARG(s->name),
				STR_ARG(words->v[i]), there ? "not in" : "in", text);
}

static void check_answer(
	const struct scenario *s, int rc, const struct solution *got, const struct err *e)
{
	CLEANUP_BUF answer = {0};

	if (rc < 0 && s->has_expect)
		fail_msg("%s: %.*s: %s", s->file, STR_ARG(s->name), e->text);
	if (rc < 0) {
		assert_int_equal(e->code, ERR_UNSAT);
		check_words(s, &s->says, e->text, true);
		check_words(s, &s->omits, e->text, false);
		check_words(s, &s->advises, err_advice(e), true);
		return;
	}
	print_answer(s, got, &answer);
	if (!s->has_expect)
		fail_msg("%s: %.*s: solved: %.*s", s->file, STR_ARG(s->name),
			STR_ARG(buf_view(&answer)));
	if (!str_eq(buf_view(&answer), s->expect))
		fail_msg("%s: %.*s:\nexpected %.*s\ngot      %.*s", s->file, STR_ARG(s->name),
			STR_ARG(s->expect), STR_ARG(buf_view(&answer)));
}

/* As a lock has them, without sums. */
static struct record **locked_records(struct arena *a, const struct scenario *s)
{
	struct record **v = arena_array(a, struct record *, s->locked.n);

	for (size_t i = 0; i < s->locked.n; i++) {
		struct record *r = v[i] = arena_new(a, struct record);

		r->fn = arena_strf(a, "%.*s.conda", STR_ARG(s->locked.v[i]));
		assert_int_equal(record_split_fn(r->fn, &r->name, &r->version, &r->build), 0);
		r->subdir = STR("linux-64");
		r->channel = s->channels.v[0].url;
	}
	return v;
}

static struct learned *learned_builds(struct arena *a, const struct scenario *s)
{
	struct learned *v = arena_array(a, struct learned, s->learned.n);

	for (size_t i = 0; i < s->learned.n; i++) {
		struct str why = s->learned.v[i], build = str_trim(str_cut(&why, ':'));
		struct str sum = build;

		v[i].depends = str_trim(str_cut(&why, ':'));
		v[i].why = str_trim(why);
		v[i].has_sha256 = str_is(str_cut(&sum, '='), "sum");
		if (v[i].has_sha256)
			memset(v[i].sha256, (sum.p[0] - '0') * 0x11, sizeof v[i].sha256);
		else
			v[i].url = arena_strf(a, "%.*s/linux-64/%.*s.conda",
				STR_ARG(s->channels.v[0].url), STR_ARG(build));
	}
	return v;
}

/* What is said does not depend on the order of records either: *first is what was said before. */
static void check_same_words(
	const struct scenario *s, struct str *first, struct arena *a, const char *text)
{
	if (!first->p)
		*first = arena_str(a, str_of(text));
	else if (!str_is(*first, text))
		fail_msg("%s: %.*s:\n%.*s\nand in another order:\n%s", s->file, STR_ARG(s->name),
			STR_ARG(*first), text);
}

static void solve_once(
	const struct scenario *s, const char *dir, int order, struct arena *all, struct str *said)
{
	struct arena a = {0};
	struct index *ix = make_index(&a, s, dir, order);
	struct words wants = {.v = s->wants.v, .n = s->wants.n};
	struct solve_request request = {.channels = s->channels.v,
		.n_channels = s->channels.n,
		.priority = s->priority,
		.subdir = STR("linux-64"),
		.virtual_packages = s->virtual_packages.v,
		.n_virtual_packages = s->virtual_packages.n,
		.specs = lines_of(&a, &wants),
		.n_specs = s->wants.n,
		.file = "environment.yml",
		.target = "box",
		.learned = learned_builds(&a, s),
		.n_learned = s->learned.n};
	struct solution got = {0};
	struct err e = {0};
	int rc;

	if (s->as_of.n) {
		request.as_of_text = arena_cstr(&a, s->as_of);
		assert_int_equal(date_parse(s->as_of, &request.as_of), 0);
	}
	if (s->locked.n) {
		request.locked = locked_records(&a, s);
		request.n_locked = s->locked.n;
		request.updates = s->updates.v;
		request.n_updates = s->updates.n;
	}
	rc = solve_index(&a, &request, ix, &got, &e);

	check_answer(s, rc, &got, &e);
	if (rc < 0)
		check_same_words(s, said, all, e.text);
	err_release(&e);
	index_free(ix);
	arena_release(&a);
}

static void run_scenario(void **state)
{
	const struct scenario *s = *state;
	struct arena a = {0};
	char *dir = fresh_dir(&a);
	struct str said = {0};

	for (int order = 0; order < 3; order++)
		solve_once(s, dir, order, &a, &said);
	dir_remove(dir, NULL);
	arena_release(&a);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_all(struct scenarios *all)
{
	const char *dir = root_path(&all->arena, "tests/solver");
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, by_name);

	for (int i = 0; i < n; i++) {
		if (str_ends(str_of(names[i]->d_name), STR(".test")))
			read_file(all, path_join(&all->arena, dir, names[i]->d_name));
		free(names[i]);
	}
	free(names);
}

int main(void)
{
	struct scenarios all = {0};
	struct CMUnitTest *tests;
	int failed;

	read_all(&all);
	tests = arena_array(&all.arena, struct CMUnitTest, all.list.n);
	for (size_t i = 0; i < all.list.n; i++) {
		struct scenario *s = &all.list.v[i];

		tests[i].name = arena_printf(&all.arena, "%s: %.*s", s->file, STR_ARG(s->name));
		tests[i].test_func = run_scenario;
		tests[i].initial_state = s;
	}
	if (all.list.n == 0)
		return 1;
	failed = _cmocka_run_group_tests("solver cases", tests, all.list.n, NULL, NULL);
	arena_release(&all.arena);
	return failed;
}

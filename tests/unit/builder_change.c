/* Journals of changes, damaged and hostile ones too, and records of a prefix. */
#include "base/file.h"
#include "base/table.h"
#include "builder/change_busy.h"
#include "builder/change_journal.h"
#include "builder/installed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct arena a;
	char *dir;
	int fd;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	const char *tmp = getenv("TMPDIR");

	f->dir = dir_temp(&f->a, tmp ? tmp : "/tmp", "change", NULL);
	assert_non_null(f->dir);
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	assert_int_equal(dir_remove(f->dir, NULL), 0);
	arena_release(&f->a);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *rel, struct str text)
{
	char *path = path_join(&f->a, f->dir, rel);

	assert_int_equal(dir_make(path_dir(&f->a, path), NULL), 0);
	assert_int_equal(file_write(path, text, 0644, NULL), 0);
}

static bool holds(struct fixture *f, const char *rel, const char *want)
{
	struct str text;

	return file_read_at(&f->a, f->fd, rel, 1000, &text, NULL) == 0 && str_is(text, want);
}

static bool there(struct fixture *f, const char *rel)
{
	return path_exists(path_join(&f->a, f->dir, rel));
}

static void add(struct fixture *f, struct path_set *set, const char *path)
{
	*VEC_PUSH(&f->a, set) = str_of(path);
}

/* a/x goes, b is replaced, c/new comes, d/edited is kept. */
static struct journal make_journal(struct fixture *f)
{
	struct journal j = {0};

	put(f, "a/x", STR("x"));
	put(f, "b", STR("old b"));
	put(f, "d/edited", STR("mine"));
	put(f, "mine", STR("mine"));
	add(f, &j.drop, "a/x");
	add(f, &j.drop, "b");
	add(f, &j.drop, "d/edited");
	add(f, &j.drop, "not/there");
	add(f, &j.add, "b");
	add(f, &j.add, "c/new");
	add(f, &j.made, "c");
	add(f, &j.left, "a");
	add(f, &j.left, "d");
	*VEC_PUSH(&f->a, &j.keep) = (struct kept_path){STR("d/edited"), STR("d/edited.old")};
	assert_int_equal(journal_write(f->fd, f->dir, &j, NULL), 0);
	return j;
}

static void make_new(struct fixture *f, const struct journal *j)
{
	assert_int_equal(journal_move(f->fd, j, 0, NULL), 0);
	assert_false(there(f, "a/x"));
	put(f, "b", STR("new b"));
	put(f, "c/new", STR("new"));
}

static void assert_old(struct fixture *f)
{
	assert_true(holds(f, "a/x", "x") && holds(f, "b", "old b") && holds(f, "d/edited", "mine"));
	assert_true(holds(f, "mine", "mine") && !there(f, "c") && !there(f, TRANSACTION_DIR));
}

static void recover(struct fixture *f, enum journal_state want)
{
	enum journal_state state;
	bool ran_code;

	assert_int_equal(journal_recover(f->fd, &state, &ran_code, NULL), 0);
	assert_int_equal(state, want);
	assert_false(ran_code);
}

static void test_undo(void **state)
{
	struct fixture *f = *state;
	struct journal j = make_journal(f);

	make_new(f, &j);
	assert_int_equal(journal_undo(f->fd, NULL), 0);
	assert_old(f);
	recover(f, JOURNAL_NONE);
}

/* Undone half-way, as by a kill: some files are back, the plan is there. */
static void test_undo_again(void **state)
{
	struct fixture *f = *state;
	struct journal j = make_journal(f);
	char *old = path_join(&f->a, f->dir, TRANSACTION_DIR "/old/b");

	make_new(f, &j);
	assert_int_equal(unlink(path_join(&f->a, f->dir, "c/new")), 0);
	assert_int_equal(rename(old, path_join(&f->a, f->dir, "b")), 0);
	recover(f, JOURNAL_UNDONE);
	assert_old(f);
}

static void test_begun(void **state)
{
	struct fixture *f = *state;

	make_journal(f);
	recover(f, JOURNAL_UNDONE);
	assert_old(f);
}

static void test_finish(void **state)
{
	struct fixture *f = *state;
	struct journal j = make_journal(f);

	make_new(f, &j);
	assert_int_equal(journal_commit(f->fd, NULL), 0);
	recover(f, JOURNAL_COMPLETED);
	assert_true(holds(f, "b", "new b") && holds(f, "c/new", "new") && !there(f, "a"));
	assert_true(holds(f, "d/edited.old", "mine") && !there(f, "d/edited"));
	assert_true(holds(f, "mine", "mine") && !there(f, TRANSACTION_DIR));
}

/* Committed, and killed while the journal was removed. */
static void test_finish_again(void **state)
{
	struct fixture *f = *state;
	struct journal j = make_journal(f);

	make_new(f, &j);
	assert_int_equal(journal_commit(f->fd, NULL), 0);
	assert_int_equal(dir_remove_at(f->fd, TRANSACTION_DIR "/old", NULL), 0);
	recover(f, JOURNAL_COMPLETED);
	assert_true(holds(f, "b", "new b") && !there(f, TRANSACTION_DIR));
	assert_int_equal(mkdirat(f->fd, TRANSACTION_DIR, 0755), 0);
	recover(f, JOURNAL_NONE);
	assert_false(there(f, TRANSACTION_DIR));
}

/* What a hostile script may have written: nothing outside is touched, nothing is believed. */
static void test_damaged(void **state)
{
#define HEAD "envbuild change 1\n"
	static const struct str TEXTS[] = {
		STR_INIT(""),
		STR_INIT("envbuild change 2\n.\0"),
		STR_INIT(HEAD),
		STR_INIT(HEAD "Db\0"),
		STR_INIT(HEAD "Db\0.\0more\0"),
		STR_INIT(HEAD "D../victim\0.\0"),
		STR_INIT(HEAD "A/etc/victim\0.\0"),
		STR_INIT(HEAD "M\0.\0"),
		STR_INIT(HEAD "Xb\0.\0"),
		STR_INIT(HEAD "Kb\0"),
		STR_INIT(HEAD "Kb\0../victim\0.\0"),
		STR_INIT(HEAD "Kb\0.\0"),
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
		struct err e = {0};
		enum journal_state got;
		bool ran_code;

		put(f, "b", STR("b"));
		put(f, TRANSACTION_DIR "/plan", TEXTS[i]);
		assert_int_equal(journal_recover(f->fd, &got, &ran_code, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		assert_true(holds(f, "b", "b"));
		err_release(&e);
	}
#undef HEAD
}

/* A folder of the journal's paths was replaced by a link that leads out. */
static void test_links(void **state)
{
	struct fixture *f = *state;
	struct journal j = {0};

	put(f, "outside/victim", STR("victim"));
	put(f, "in/side", STR("x"));
	add(f, &j.add, "link/victim");
	add(f, &j.drop, "link/victim");
	add(f, &j.left, "link");
	assert_int_equal(symlinkat("outside", f->fd, "link"), 0);
	assert_int_equal(journal_write(f->fd, f->dir, &j, NULL), 0);
	assert_int_equal(journal_move(f->fd, &j, 0, NULL), 0);
	assert_true(holds(f, "outside/victim", "victim"));
	assert_int_equal(journal_undo(f->fd, NULL), 0);
	assert_true(holds(f, "outside/victim", "victim"));
}

/* The folder of the journal itself, or one above it, is a link to a journal elsewhere. */
static void test_linked_journal(void **state)
{
	static const char *const links[][2] = {{"conda-meta", "elsewhere"},
		{TRANSACTION_DIR, "../elsewhere/.envbuild-transaction"}};
	struct fixture *f = *state;
	enum journal_state found;
	bool ran_code;

	make_journal(f);
	for (size_t i = 0; i < 2; i++) {
		struct err e = {0};

		assert_int_equal(renameat(f->fd, "conda-meta", f->fd, "elsewhere"), 0);
		if (i > 0)
			assert_int_equal(mkdirat(f->fd, "conda-meta", 0755), 0);
		assert_int_equal(symlinkat(links[i][1], f->fd, links[i][0]), 0);
		assert_int_equal(journal_recover(f->fd, &found, &ran_code, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		assert_true(there(f, "elsewhere/.envbuild-transaction/plan"));
		err_release(&e);
		assert_int_equal(dir_remove_at(f->fd, "conda-meta", NULL), 0);
		assert_int_equal(renameat(f->fd, "elsewhere", f->fd, "conda-meta"), 0);
	}
	recover(f, JOURNAL_UNDONE);
}

static void test_records(void **state)
{
	static const struct str RECORD = STR_INIT(
		"{\"name\": \"a\", \"version\": \"1\", \"build\": \"0\", \"build_number\": 0, "
		"\"depends\": [\"b >=1\"], \"noarch\": \"python\", \"files\": [\"x\", \"l\"], "
		"\"md5\": \"0123456789abcdef0123456789abcdef\", \"requested_specs\": [\"a\"], "
		"\"paths_data\": {\"paths_version\": 1, \"paths\": ["
		"{\"_path\": \"x\", \"path_type\": \"hardlink\", \"sha256_in_prefix\": "
		"\"00000000000000000000000000000000000000000000000000000000000000ff\"}, "
		"{\"_path\": \"l\", \"path_type\": \"softlink\"}]}}");
	struct fixture *f = *state;
	struct installed in;

	assert_int_equal(installed_read(&f->a, f->fd, &in, NULL), 0);
	assert_true(in.n == 0 && !in.has_history && !in.frozen);
	put(f, "conda-meta/a-1-0.json", RECORD);
	put(f, "conda-meta/history", STR(""));
	put(f, "conda-meta/frozen", STR("{\"other\": [1], \"message\": \"no\"}"));
	assert_int_equal(installed_read(&f->a, f->fd, &in, NULL), 0);
	assert_int_equal(in.n, 1);
	assert_true(in.has_history && in.frozen && str_is(*in.frozen, "no"));
	const struct installed_record *r = installed_find(&in, STR("a"));
	assert_non_null(r);
	assert_null(installed_find(&in, STR("b")));
	assert_int_equal(r->n_paths, 2);
	assert_true(r->paths[0].has_sha256_in_prefix && r->paths[0].sha256_in_prefix[31] == 0xff);
	assert_int_equal(r->paths[1].type, INSTALLED_SOFTLINK);
	assert_true(r->record.noarch == NOARCH_PYTHON && r->record.has_md5);
	assert_true(r->n_requested_specs == 1 && r->record.n_depends == 1);
}

static void test_bad_records(void **state)
{
	static const char *const TEXTS[] = {
		"",
		"[]",
		"{\"name\": \"a\"}",
		"{\"name\": \"a\", \"version\": \"1\", \"files\": [\"/x\"]}",
		"{\"name\": \"a\", \"version\": \"1\", \"files\": [\"a/../../x\"]}",
		"{\"name\": \"a\", \"version\": \"1\", \"files\": [1]}",
		"{\"name\": \"a\", \"version\": \"1\", \"paths_data\": {\"paths\": [{}]}}",
		"{\"name\": \"a\", \"version\": \"1\"} x",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
		struct installed in;
		struct err e = {0};

		put(f, "conda-meta/a-1-0.json", str_of(TEXTS[i]));
		assert_int_equal(installed_read(&f->a, f->fd, &in, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		assert_non_null(strstr(e.text, "conda-meta/a-1-0.json"));
		err_release(&e);
	}
}

static void test_busy(void **state)
{
	struct fixture *f = *state;
	struct busy first, second;
	struct err e = {0};

	assert_null(busy_who(&f->a, f->fd));
	assert_int_equal(busy_take(&first, f->fd, f->dir, NULL), 0);
	assert_non_null(busy_who(&f->a, f->fd));
	assert_int_equal(busy_take(&second, f->fd, f->dir, &e), -1);
	assert_non_null(strstr(e.text, "another envbuild works"));
	err_release(&e);
	busy_release(&second);
	assert_true(there(f, BUSY_MARK));
	busy_release(&first);
	assert_false(there(f, BUSY_MARK));
	put(f, BUSY_MARK ".gone.17", STR("17\n"));
	assert_int_equal(busy_take(&first, f->fd, f->dir, NULL), 0);
	assert_false(there(f, BUSY_MARK ".gone.17"));
	busy_release(&first);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_undo),
		TEST(test_undo_again),
		TEST(test_begun),
		TEST(test_finish),
		TEST(test_finish_again),
		TEST(test_damaged),
		TEST(test_links),
		TEST(test_linked_journal),
		TEST(test_records),
		TEST(test_bad_records),
		TEST(test_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

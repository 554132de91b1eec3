#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/work.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS = 1000 };

struct tally {
	atomic_int seen[ITEMS];
	atomic_int running, most;
	size_t last; /* with one thread: the item before */
};

static int count(void *ctx, size_t i, struct err *e)
{
	struct tally *t = ctx;

	(void)e;
	atomic_fetch_add(&t->seen[i], 1);
	return 0;
}

static void each_item_is_done_once(void **state)
{
	static const unsigned jobs[] = {0, 1, 2, 7, 64, 5000};

	(void)state;
	for (size_t k = 0; k < sizeof jobs / sizeof *jobs; k++) {
		struct tally t = {0};
		struct err e = {0};

		assert_int_equal(work_run(jobs[k], ITEMS, count, &t, &e), 0);
		assert_null(e.text);
		for (size_t i = 0; i < ITEMS; i++)
			assert_int_equal(atomic_load(&t.seen[i]), 1);
		assert_int_equal(work_run(jobs[k], 0, count, &t, &e), 0);
	}
}

static int in_order(void *ctx, size_t i, struct err *e)
{
	struct tally *t = ctx;

	if (i != t->last)
		return err_set(e, ERR_FAIL, "item %zu after %zu", i, t->last);
	t->last++;
	return 0;
}

static void one_thread_keeps_the_order(void **state)
{
	struct tally t = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(work_run(1, ITEMS, in_order, &t, &e), 0);
	assert_int_equal(t.last, ITEMS);
}

static int at_most(void *ctx, size_t i, struct err *e)
{
	struct tally *t = ctx;
	int now = atomic_fetch_add(&t->running, 1) + 1, most = atomic_load(&t->most);

	(void)i;
	(void)e;
	while (now > most && !atomic_compare_exchange_weak(&t->most, &most, now))
		;
	usleep(2000);
	atomic_fetch_sub(&t->running, 1);
	return 0;
}

static void no_more_threads_than_jobs(void **state)
{
	struct tally t = {0};

	(void)state;
	assert_int_equal(work_run(3, 60, at_most, &t, NULL), 0);
	assert_in_range(atomic_load(&t.most), 2, 3);
}

/* Items 20, 30, 40... fail; the lowest does so last. */
static int fail_some(void *ctx, size_t i, struct err *e)
{
	struct tally *t = ctx;

	atomic_fetch_add(&t->seen[i], 1);
	if (i < 20 || i % 10)
		return 0;
	usleep(i == 20 ? 3000 : 0);
	return err_set(e, ERR_INTEGRITY, "item %zu", i);
}

static void the_lowest_failure_is_told(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 16; jobs++) {
		struct tally t = {0};
		struct err e = {0};
		int done = 0;

		assert_int_equal(work_run(jobs, ITEMS, fail_some, &t, &e), -1);
		assert_string_equal(e.text, "item 20");
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
		for (size_t i = 0; i < ITEMS; i++)
			done += atomic_load(&t.seen[i]);
		assert_in_range(done, 21, ITEMS - 1);
		if (jobs == 1)
			assert_int_equal(done, 21);
		assert_int_equal(work_run(jobs, ITEMS, fail_some, &t, NULL), -1);
	}
}

static void there_is_a_core(void **state)
{
	(void)state;
	assert_in_range(work_cores(), 1, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_item_is_done_once),
		cmocka_unit_test(one_thread_keeps_the_order),
		cmocka_unit_test(no_more_threads_than_jobs),
		cmocka_unit_test(the_lowest_failure_is_told),
		cmocka_unit_test(there_is_a_core),
	};

	return cmocka_run_group_tests_name("base/work", tests, NULL, NULL);
}

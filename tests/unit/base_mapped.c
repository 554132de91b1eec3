#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mapped.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 1 << 20 };

static FILE *file_of_ones(struct str *mapped)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	for (int i = 0; i < SIZE; i++)
		fputc(1, f);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(fd_map(fileno(f), mapped, NULL), 0);
	return f;
}

static size_t ones(struct str bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes.n; i++)
		n += bytes.p[i] == 1;
	return n;
}

/* In a process of its own: cmocka minds signals itself. */
static int status_of(int (*look)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		signal(SIGBUS, SIG_DFL);
		_exit(look());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool is_whole(void)
{
	struct str bytes;
	FILE *f = file_of_ones(&bytes);
	bool whole;

	mapped_guard(bytes);
	whole = ones(bytes) == SIZE;
	whole = !mapped_was_cut() && whole;
	file_unmap(bytes);
	fclose(f);
	return whole;
}

/* A file that is cut says nothing of the next. */
static int look_at_one_that_is_cut(void)
{
	struct str bytes;
	FILE *f = file_of_ones(&bytes);
	bool cut;

	if (!is_whole())
		return 1;
	mapped_guard(bytes);
	if (ftruncate(fileno(f), SIZE / 2 + 1) < 0 || bytes.p[SIZE - 1] != 0)
		return 2;
	if (ones(bytes) != SIZE / 2 + 1)
		return 3;
	cut = mapped_was_cut();
	file_unmap(bytes);
	fclose(f);
	return cut && is_whole() ? 0 : 4;
}

static void what_was_cut_off_is_zeros(void **state)
{
	(void)state;
	assert_int_equal(status_of(look_at_one_that_is_cut), 0);
}

static int look_at_another(void)
{
	struct str guarded, other;
	FILE *f = file_of_ones(&guarded), *g = file_of_ones(&other);

	mapped_guard(guarded);
	return f && ftruncate(fileno(g), 0) == 0 ? (int)ones(other) : 1;
}

/* An error elsewhere is one. */
static void other_mappings_are_not_guarded(void **state)
{
	int status = status_of(look_at_another);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_cut_off_is_zeros),
		cmocka_unit_test(other_mappings_are_not_guarded),
	};

	return cmocka_run_group_tests_name("base/mapped", tests, NULL, NULL);
}

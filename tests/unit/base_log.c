#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "base/work.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* stderr goes to a file, or to a terminal that a test reads from its other end. */
struct capture {
	int saved, from;
	char text[64 << 10];
};

static void begin(struct capture *c, bool terminal, struct log_options options)
{
	int to;

	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	if (terminal) {
		c->from = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(c->from >= 0);
		assert_int_equal(grantpt(c->from), 0);
		assert_int_equal(unlockpt(c->from), 0);
		to = open(ptsname(c->from), O_RDWR | O_NOCTTY | O_CLOEXEC);
	} else {
		FILE *f = tmpfile();

		assert_non_null(f);
		c->from = dup(fileno(f));
		to = dup(fileno(f));
		fclose(f);
	}
	assert_true(to >= 0);
	dup2(to, STDERR_FILENO);
	close(to);
	log_setup(options);
}

static const char *end(struct capture *c, bool terminal)
{
	struct pollfd ready = {.fd = c->from, .events = POLLIN};
	size_t got = 0;
	ssize_t n;

	if (!terminal)
		lseek(c->from, 0, SEEK_SET);
	/* What was written to a terminal arrives a little later. */
	while (poll(&ready, 1, terminal ? 300 : 0) > 0 && got < sizeof c->text - 1) {
		n = read(c->from, c->text + got, sizeof c->text - 1 - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	c->text[got] = '\0';
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	close(c->from);
	log_setup((struct log_options){0});
	return c->text;
}

static void bytes_are_said_in_si_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {{0, "0 B"}, {999, "999 B"}, {1000, "1.0 kB"}, {999949, "999.9 kB"},
		{999950, "1.0 MB"}, {73900000, "73.9 MB"}, {UINT64_C(277000000000), "277.0 GB"},
		{UINT64_MAX, "18.4 EB"}};
	char out[24];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(format_bytes(cases[i].bytes, out), cases[i].text);
}

static void say_everything(void)
{
	struct err e = {0};
	struct step s;

	err_set(&e, ERR_STALE, "the lock is old");
	log_note("locked '%s'", "a");
	log_warn("not tested: '%s'", "\x1b[31mred\x7f");
	log_debug("seen");
	log_output(STR("raw \x1b[1m\n"));
	log_error(&e);
	step_begin(&s, "fetch", 78, 64100000);
	for (int i = 0; i < 78; i++)
		step_tick(&s, 1, i ? 800000 : 2500000);
	step_end(&s, "%d packages", 78);
	step_begin(&s, "solve", 0, 0);
	step_fail(&s);
	err_release(&e);
}

static void plain_lines_where_there_is_no_terminal(void **state)
{
	struct capture c;

	(void)state;
	begin(&c, false, (struct log_options){0});
	say_everything();
	assert_string_equal(end(&c, false),
		"envbuild: locked 'a'\n"
		"envbuild: warning: not tested: '?[31mred?'\n"
		"raw \x1b[1m\n"
		"envbuild: error: the lock is old\n"
		"envbuild: hint: run 'envbuild lock' to renew it, or leave out --locked\n"
		"  fetch      78 packages, 64.1 MB                           0.0 s\n"
		"  solve      failed                                         0.0 s\n");
}

static void quiet_leaves_the_errors(void **state)
{
	const char *const *warnings;
	struct capture c;
	size_t before = log_warnings(&warnings), after;

	(void)state;
	begin(&c, false, (struct log_options){.quiet = true, .verbose = 1});
	say_everything(); /* a warning that was said before */
	log_warn("kept: '%s'", "\x1b[31mred\x7f");
	assert_string_equal(end(&c, false),
		"envbuild: error: the lock is old\n"
		"envbuild: hint: run 'envbuild lock' to renew it, or leave out --locked\n");
	after = log_warnings(&warnings);
	assert_int_equal(after, before + 1);
	assert_string_equal(warnings[after - 1], "kept: '\x1b[31mred\x7f'");
}

static void verbose_shows_more(void **state)
{
	struct capture c;

	(void)state;
	begin(&c, false, (struct log_options){.verbose = 1});
	log_debug("seen %d", 1);
	assert_string_equal(end(&c, false), "envbuild: debug: seen 1\n");
}

static void a_terminal_has_a_line_that_is_redrawn(void **state)
{
	struct capture c;
	struct step s;
	const char *text;

	(void)state;
	setenv("TERM", "xterm", 1);
	begin(&c, true, (struct log_options){0});
	step_begin(&s, "pack", 2, 2000000);
	step_tick(&s, 1, 1000000); /* too soon after the line was drawn */
	usleep(200000);
	step_tick(&s, 0, 0);
	log_note("between");
	step_tick(&s, 1, 1000000);
	step_end(&s, "2 files");
	text = end(&c, true);
	assert_true(strncmp(text, "\r\033[K  pack       [>                   ] 0/2", 43) == 0);
	assert_non_null(
		strstr(text, "\r\033[K  pack       [==========>         ] 1/2  1.0/2.0 MB  "));
	assert_non_null(strstr(text, "\r\033[Kenvbuild: between\r\n"));
	assert_non_null(strstr(text, "  pack       2 files, 2.0 MB, "));
}

/* As if `bytes` had come in the last `ms` milliseconds. */
static void come(struct step *s, uint64_t bytes, uint64_t ms)
{
	s->start_ns -= ms * 1000000;
	s->rate_ns -= ms * 1000000;
	atomic_store(&s->drawn_ns, 0);
	step_tick(s, 0, bytes);
}

static void the_speed_is_that_of_the_last_seconds(void **state)
{
	struct capture c;
	struct step s;
	const char *text;

	(void)state;
	setenv("TERM", "xterm", 1);
	begin(&c, true, (struct log_options){0});
	step_begin(&s, "fetch", 78, 120000000);
	come(&s, 8000000, 1000);
	come(&s, 0, 1000);
	come(&s, 42000000, 1000000);
	step_take_back(&s, 10000000);
	come(&s, 0, 200);
	step_end(&s, "78 packages");
	text = end(&c, true);
	assert_non_null(strstr(text, "0/78  8.0/120.0 MB  8.0 MB/s  0:1"));
	assert_non_null(strstr(text, "0/78  8.0/120.0 MB  6.0 MB/s  0:18 left"));
	assert_non_null(strstr(text, "0/78  50.0/120.0 MB  59."));
	assert_non_null(strstr(text, " kB/s  19:"));
	assert_non_null(strstr(text, "0/78  40.0/120.0 MB  "));
	assert_non_null(strstr(text, "  fetch      78 packages, 40.0 MB, 39.9 kB/s"));
}

static void a_dumb_terminal_has_plain_lines(void **state)
{
	struct capture c;
	struct step s;

	(void)state;
	setenv("TERM", "dumb", 1);
	begin(&c, true, (struct log_options){0});
	step_begin(&s, "pack", 2, 0);
	step_end(&s, "2 files");
	assert_string_equal(end(&c, true),
		"  pack       2 files                                        0.0 s\r\n");
}

static void a_message_begins_on_a_line_of_its_own(void **state)
{
	struct capture c;

	(void)state;
	begin(&c, false, (struct log_options){0});
	log_output(STR("no new line"));
	log_note("next");
	assert_string_equal(end(&c, false), "no new line\nenvbuild: next\n");
}

static void no_message_has_passwords(void **state)
{
	struct capture c;
	struct err e = {0};
	const char *const *texts;

	(void)state;
	begin(&c, false, (struct log_options){.verbose = 1});
	log_note("a https://me:pw@h/x");
	log_debug("b https://me:pw@h/x");
	log_warn("c https://me:pw@h/x");
	err_set(&e, ERR_INPUT, "d 'git+https://me:pw@h/x'");
	err_advise(&e, "e https://me:pw@h/x");
	log_error(&e);
	err_release(&e);
	assert_string_equal(end(&c, false), "envbuild: a https://h/x\n"
					    "envbuild: debug: b https://h/x\n"
					    "envbuild: warning: c https://h/x\n"
					    "envbuild: error: d 'git+https://h/x'\n"
					    "envbuild: hint: e https://h/x\n");
	size_t n = log_warnings(&texts);
	assert_string_equal(texts[n - 1], "c https://h/x");
}

static void a_warning_is_said_once(void **state)
{
	struct capture c;
	const char *const *texts;
	size_t before = log_warnings(&texts);

	(void)state;
	begin(&c, false, (struct log_options){0});
	for (int i = 0; i < 3; i++)
		log_warn("the %s", i == 1 ? "other" : "same");
	assert_string_equal(
		end(&c, false), "envbuild: warning: the same\nenvbuild: warning: the other\n");
	assert_int_equal(log_warnings(&texts), before + 2);
}

static int tick(void *ctx, size_t i, struct err *e)
{
	(void)e;
	step_tick(ctx, 1, i);
	if (i % 1000 == 0)
		log_warn("item %zu", i);
	return 0;
}

static void threads_can_tick_and_warn(void **state)
{
	struct capture c;
	struct step s;

	(void)state;
	begin(&c, false, (struct log_options){.quiet = true});
	step_begin(&s, "link", 10000, 0);
	assert_int_equal(work_run(8, 10000, tick, &s, NULL), 0);
	assert_int_equal(s.done_items, 10000);
	assert_int_equal(s.done_bytes, 9999 * 5000);
	step_end(&s, "done");
	assert_string_equal(end(&c, false), "");
}

static void ended_steps_are_kept(void **state)
{
	const struct step_time *times;
	size_t n = log_steps(&times);
	struct step s;

	(void)state;
	log_setup((struct log_options){.quiet = true});
	step_begin(&s, "test", 0, 0);
	usleep(20000);
	step_end(&s, "passed");
	assert_int_equal(log_steps(&times), n + 1);
	assert_string_equal(times[n].name, "test");
	assert_true(times[n].seconds >= 0.02 && times[n].seconds < 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_said_in_si_units),
		cmocka_unit_test(plain_lines_where_there_is_no_terminal),
		cmocka_unit_test(quiet_leaves_the_errors),
		cmocka_unit_test(verbose_shows_more),
		cmocka_unit_test(a_terminal_has_a_line_that_is_redrawn),
		cmocka_unit_test(the_speed_is_that_of_the_last_seconds),
		cmocka_unit_test(a_dumb_terminal_has_plain_lines),
		cmocka_unit_test(a_message_begins_on_a_line_of_its_own),
		cmocka_unit_test(no_message_has_passwords),
		cmocka_unit_test(a_warning_is_said_once),
		cmocka_unit_test(threads_can_tick_and_warn),
		cmocka_unit_test(ended_steps_are_kept),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}

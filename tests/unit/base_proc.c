#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SH(script) ((const char *const[]){"sh", "-c", (script), NULL})

struct both {
	struct buf out, err;
};

static int run_sh(const char *script, struct buf *out)
{
	struct proc p = {.argv = SH(script), .on_stdout = out ? proc_to_buf : NULL, .ctx = out};
	struct err e = {0};
	int status = -1;

	assert_int_equal(proc_run(&p, &status, &e), 0);
	return status;
}

/* No child is left, running or dead. */
static void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void exit_statuses_are_mapped(void **state)
{
	(void)state;
	assert_int_equal(run_sh("exit 0", NULL), 0);
	assert_int_equal(run_sh("exit 7", NULL), 7);
	assert_int_equal(run_sh("kill -TERM $$", NULL), 128 + SIGTERM);
	assert_int_equal(run_sh("kill -KILL $$", NULL), 128 + SIGKILL);
	assert_no_children();
}

static void what_cannot_run_is_an_error(void **state)
{
	static const struct {
		const char *program, *cwd, *text;
	} cases[] = {
		{"no-such-program", NULL, "cannot run 'no-such-program': not found in PATH"},
		{"/no/such/program", NULL,
			"cannot run '/no/such/program': No such file or directory"},
		{"/etc/passwd", NULL, "cannot run '/etc/passwd': Permission denied"},
		{"true", "/no/folder",
			"cannot run 'true' in '/no/folder': No such file or directory"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct proc p = {
			.argv = (const char *const[]){cases[i].program, NULL},
			.cwd = cases[i].cwd,
		};
		struct err e = {0};
		int status = 55;

		assert_int_equal(proc_run(&p, &status, &e), -1);
		assert_string_equal(e.text, cases[i].text);
		assert_int_equal(status, 55);
		err_release(&e);
	}
	assert_no_children();
}

static void out_of(void *ctx, struct str bytes)
{
	struct both *b = ctx;

	buf_str(&b->out, bytes);
}

static void err_of(void *ctx, struct str bytes)
{
	struct both *b = ctx;

	buf_str(&b->err, bytes);
}

static void both_outputs_arrive_whole(void **state)
{
	struct both b = {0};
	struct proc p = {
		.argv = SH("i=0; while [ $i -lt 20000 ]; do echo out$i; echo err$i >&2; "
			   "i=$((i + 1)); done; printf end"),
		.on_stdout = out_of,
		.on_stderr = err_of,
		.ctx = &b,
	};
	int status;

	(void)state;
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(status, 0);
	assert_true(str_ends(buf_view(&b.out), STR("out19999\nend")));
	assert_true(str_ends(buf_view(&b.err), STR("err19999\n")));
	assert_int_equal(b.out.n, 20000 * 4 + 10 + 90 * 2 + 900 * 3 + 9000 * 4 + 10000 * 5 + 3);
	assert_int_equal(b.err.n, b.out.n - 3);
	buf_release(&b.out);
	buf_release(&b.err);
}

static void input_is_fed_while_output_comes(void **state)
{
	CLEANUP_BUF in = {0}, out = {0};
	struct proc p = {
		.argv = (const char *const[]){"cat", NULL}, .on_stdout = proc_to_buf, .ctx = &out};
	int status;

	(void)state;
	for (int i = 0; i < 300000; i++)
		buf_puts(&in, "line\n");
	p.input = buf_view(&in);
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(status, 0);
	assert_true(str_eq(buf_view(&in), buf_view(&out)));
	/* One that does not read it all must not kill us. */
	p.argv = (const char *const[]){"head", "-n1", NULL};
	buf_clear(&out);
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(status, 0);
	assert_string_equal(out.p, "line\n");
	/* None at all. */
	p.input = (struct str){NULL, 0};
	buf_clear(&out);
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(out.n, 0);
}

static void folder_and_variables_are_set(void **state)
{
	CLEANUP_BUF out = {0};
	struct proc p = {
		.argv = SH("pwd; echo $ONE,$HOME"),
		.env = (const char *const[]){"ONE=1", "PATH=/usr/bin:/bin", NULL},
		.cwd = "/usr",
		.on_stdout = proc_to_buf,
		.ctx = &out,
	};
	int status;

	(void)state;
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_string_equal(out.p, "/usr\n1,\n");
}

static void a_timeout_kills_the_whole_group(void **state)
{
	CLEANUP_BUF out = {0};
	struct proc p = {
		.argv = SH("sleep 60 & echo $!; echo before; sleep 60"),
		.on_stdout = proc_to_buf,
		.ctx = &out,
		.timeout_s = 1,
	};
	uint64_t start = now_ns();
	int status, tries = 0;
	pid_t background;

	(void)state;
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(status, 124);
	assert_in_range((now_ns() - start) / 1000000, 900, 20000);
	assert_non_null(strstr(out.p, "before\n"));
	background = (pid_t)strtol(out.p, NULL, 10);
	assert_true(background > 1);
	/* It is init's child now: gone, or dead and not yet waited for. */
	for (;; usleep(10000)) {
		char path[64], line[256] = "";
		FILE *f;

		snprintf(path, sizeof path, "/proc/%d/stat", (int)background);
		f = fopen(path, "re");
		if (!f || !fgets(line, sizeof line, f) || strstr(line, ") Z "))
			tries = -1;
		if (f)
			fclose(f);
		if (tries < 0)
			break;
		assert_true(++tries < 500);
	}
	assert_no_children();
}

static void a_program_may_clear_up_before_it_is_killed(void **state)
{
	CLEANUP_BUF out = {0};
	struct proc p = {
		.argv = SH("trap 'echo cleared; exit 3' TERM; echo before; sleep 60 & wait"),
		.on_stdout = proc_to_buf,
		.ctx = &out,
		.timeout_s = 1,
		.grace_s = 20,
	};
	uint64_t start = now_ns();
	int status;

	(void)state;
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(status, 124);
	assert_in_range((now_ns() - start) / 1000000, 900, 15000);
	assert_string_equal(out.p, "before\ncleared\n");
	p.argv = SH("trap '' TERM; echo deaf; while :; do sleep 1; done");
	p.grace_s = 1;
	start = now_ns();
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_int_equal(status, 124);
	assert_in_range((now_ns() - start) / 1000000, 1900, 15000);
	assert_no_children();
}

static void a_daemon_that_keeps_the_pipe_is_not_waited_for(void **state)
{
	CLEANUP_BUF out = {0};
	uint64_t start = now_ns();
	pid_t left;

	(void)state;
	assert_int_equal(run_sh("sleep 30 & echo $!", &out), 0);
	assert_true(now_ns() - start < UINT64_C(10000000000));
	left = (pid_t)strtol(out.p, NULL, 10);
	assert_true(left > 1);
	kill(left, SIGKILL);
}

static void our_pipes_are_not_passed_on(void **state)
{
	struct both b = {0};
	struct proc p = {
		.argv = SH("for f in /proc/self/fd/*; do echo ${f##*/}; done"),
		.on_stdout = out_of,
		.on_stderr = err_of,
		.ctx = &b,
		.input = STR("x"),
	};
	int status;

	(void)state;
	/* Whoever started the test may pass on some of its own. */
	for (int fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	assert_int_equal(proc_run(&p, &status, NULL), 0);
	assert_string_equal(b.out.p, "0\n1\n2\n3\n"); /* 3: the folder that sh lists */
	buf_release(&b.out);
	buf_release(&b.err);
}

static void signals_are_as_the_program_expects(void **state)
{
	CLEANUP_BUF out = {0};
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	unsigned long blocked = 1, ignored = ~0ul;
	sigset_t set, old_set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old_set);
	assert_int_equal(run_sh("grep -E '^Sig(Blk|Ign)' /proc/self/status", &out), 0);
	sigprocmask(SIG_SETMASK, &old_set, NULL);
	signal(SIGPIPE, old);
	assert_int_equal(sscanf(out.p, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & 1ul << (SIGPIPE - 1), 0);
}

static void ignored_children_keep_their_status(void **state)
{
	void (*old)(int) = signal(SIGCHLD, SIG_IGN);

	(void)state;
	assert_int_equal(run_sh("exit 9", NULL), 9);
	signal(SIGCHLD, old);
}

static void there_is_no_terminal_to_ask_at(void **state)
{
	(void)state;
	/* Its own session, whose terminal (tty_nr) is none: proc(5). */
	assert_int_equal(run_sh("set -- $(cat /proc/$$/stat); [ $6 = $$ ] && [ $7 = 0 ]", NULL), 0);
}

static void programs_are_found_on_the_path(void **state)
{
	char *old = getenv("PATH"), *keep = old ? strdup(old) : NULL;

	(void)state;
	assert_non_null(proc_find("sh"));
	assert_null(proc_find("no-such-program"));
	assert_string_equal(proc_find("/bin/sh"), "/bin/sh");
	assert_null(proc_find("/bin/no-such-program"));
	setenv("PATH", "/nowhere:/usr/bin", 1);
	assert_string_equal(proc_find("env"), "/usr/bin/env");
	setenv("PATH", "/usr", 1);
	assert_null(proc_find("bin")); /* a folder is no program */
	if (keep)
		setenv("PATH", keep, 1);
	free(keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_statuses_are_mapped),
		cmocka_unit_test(what_cannot_run_is_an_error),
		cmocka_unit_test(both_outputs_arrive_whole),
		cmocka_unit_test(input_is_fed_while_output_comes),
		cmocka_unit_test(folder_and_variables_are_set),
		cmocka_unit_test(a_timeout_kills_the_whole_group),
		cmocka_unit_test(a_program_may_clear_up_before_it_is_killed),
		cmocka_unit_test(a_daemon_that_keeps_the_pipe_is_not_waited_for),
		cmocka_unit_test(our_pipes_are_not_passed_on),
		cmocka_unit_test(signals_are_as_the_program_expects),
		cmocka_unit_test(ignored_children_keep_their_status),
		cmocka_unit_test(there_is_no_terminal_to_ask_at),
		cmocka_unit_test(programs_are_found_on_the_path),
	};

	return cmocka_run_group_tests_name("base/proc", tests, NULL, NULL);
}

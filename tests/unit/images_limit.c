/* How processes are limited: the way of each kernel, and where a control group is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "images/cgroup.h"
#include "images/sandbox.h"

static void test_ways(void **state)
{
	static const struct {
		const char *release;
		enum limit_way root, user;
	} cases[] = {
		{"6.14.0", LIMIT_PID_MAX, LIMIT_PID_MAX},
		{"6.18.44-fc", LIMIT_PID_MAX, LIMIT_PID_MAX},
		{"7.0-rc1", LIMIT_PID_MAX, LIMIT_PID_MAX},
		{"10.1", LIMIT_PID_MAX, LIMIT_PID_MAX},
		/* here kernel.pid_max is all of this machine's */
		{"6.13.12", LIMIT_CGROUP, LIMIT_RLIMIT},
		{"6.1.0-28-amd64", LIMIT_CGROUP, LIMIT_RLIMIT},
		{"4.18.0-553.el8_10.x86_64", LIMIT_CGROUP, LIMIT_RLIMIT},
		{"", LIMIT_CGROUP, LIMIT_RLIMIT},
		{"6", LIMIT_CGROUP, LIMIT_RLIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(limit_way(cases[i].release, true), cases[i].root);
		assert_int_equal(limit_way(cases[i].release, false), cases[i].user);
	}
}

static void test_places(void **state)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		/* version 1: below this process's own */
		{"9:name=systemd:/\n8:pids:/\n0::/\n", "/m/pids/"},
		{"8:cpu,pids:/user.slice/user-0.slice\n0::/x\n", "/m/pids/user.slice/user-0.slice"},
		/* version 2: beside it */
		{"0::/user.slice/user-0.slice/session-1.scope\n", "/m/user.slice/user-0.slice"},
		{"9:name=systemd:/a\n0::/init.scope\n", "/m"},
		{"0::/\n", "/m"},
		/* not in what is mounted here */
		{"0::/../../system.slice\n", NULL},
		{"8:pids:/../x\n", NULL},
		{"9:name=systemd:/\n", NULL},
		{"8:pids\n0:\n::\n", NULL},
		{"", NULL},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *place = cgroup_place(&a, "/m", str_of(cases[i].text));

		if (cases[i].place)
			assert_string_equal(place, cases[i].place);
		else
			assert_null(place);
	}
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

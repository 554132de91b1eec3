/* A condarc, and channels by its rules. */
#include "solver/condarc.h"

#include "base/buf.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static int parse(const char *text, struct condarc *out, struct err *e)
{
	return condarc_parse(&arena, ".condarc", "/etc/conda", str_of(text), out, e);
}

static void good(const char *text, struct condarc *out)
{
	struct err e = {0};

	if (parse(text, out, &e) < 0)
		fail_msg("%s", e.text);
}

static void every_key(void **state)
{
	struct condarc c;

	(void)state;
	setenv("HOME", "/home/me", 1);
	good("channels: [internal, conda-forge]\n"
	     "channel_alias: https://conda.example\n"
	     "default_channels:\n  - https://conda.example/main\n"
	     "custom_channels: {internal: https://x.example/}\n"
	     "custom_multichannels:\n  all: [internal, bioconda]\n"
	     "mirrored_channels:\n  conda-forge: [https://m1/cf, /srv/cf]\n"
	     "channel_priority: disabled\n"
	     "pkgs_dirs: [~/pkgs, /opt/pkgs, own]\n"
	     "offline: yes\n"
	     "ssl_verify: ca.pem\n"
	     "proxy_servers:\n  http: http://p:3128\n  https://h.example: http://q\n  all:\n"
	     "remote_connect_timeout_secs: 9.15\n"
	     "remote_read_timeout_secs: 60.0\n"
	     "remote_max_retries: 0\n"
	     "remote_backoff_factor: 1\n"
	     "local_repodata_ttl: 30\n"
	     "always_yes: true\n"
	     "chanels: []\n",
		&c);
	assert_int_equal(c.n_channels, 2);
	assert_string_equal(c.rules.alias, "https://conda.example");
	assert_int_equal(c.rules.n_defaults, 1);
	assert_true(str_is(c.rules.custom[0].members[0], "https://x.example/"));
	assert_int_equal(c.rules.multi[0].n, 2);
	assert_true(str_is(c.mirrored[0].members[1], "/srv/cf"));
	assert_true(c.has_priority && c.priority == PRIORITY_DISABLED);
	assert_true(str_is(c.pkgs_dirs[0], "/home/me/pkgs"));
	assert_true(str_is(c.pkgs_dirs[1], "/opt/pkgs"));
	assert_true(str_is(c.pkgs_dirs[2], "/etc/conda/own"));
	assert_true(c.offline);
	assert_true(str_is(c.ca_file, "/etc/conda/ca.pem"));
	assert_int_equal(c.n_proxies, 3);
	assert_true(str_is(c.proxies[1].key, "https://h.example"));
	assert_int_equal(c.proxies[2].proxy.n, 0);
	assert_int_equal(c.connect_ms, 9150);
	assert_int_equal(c.read_ms, 60000);
	assert_true(c.has_retries && c.retries == 0);
	assert_int_equal(c.pause_ms, 1000);
	assert_int_equal(c.n_unused, 1);
	assert_true(str_is(c.unused[0], "always_yes"));
	assert_int_equal(c.n_unknown, 1);
	assert_true(str_is(c.unknown[0], "chanels"));
	good("", &c);
	good("# nothing\n", &c);
	good("channels:\ndefault_channels: []\ncustom_channels:\nproxy_servers:\n", &c);
	good("channels: conda-forge\n", &c);
	assert_int_equal(c.n_channels, 1);
	good("ssl_verify: true\n", &c);
	assert_int_equal(c.ca_file.n, 0);
	good("ssl_verify: truststore\n", &c);
	assert_int_equal(c.ca_file.n, 0);
	for (int i = 0; i < 2; i++) {
		good(i ? "channel_priority: on\n" : "channel_priority: False\n", &c);
		assert_int_equal(c.priority, i ? PRIORITY_FLEXIBLE : PRIORITY_DISABLED);
	}
}

static void variables(void **state)
{
	static const struct {
		const char *text, *channel;
	} cases[] = {
		{"https://h/t/${TK}/c", "https://h/t/abc/c"},
		{"https://h/t/$TK/c", "https://h/t/abc/c"},
		{"${TK}${TK}", "abcabc"},
		{"$TK.x", "abc.x"},
		{"$TKx", "$TKx"},
		{"${NOT_SET}", "${NOT_SET}"},
		{"${TK", "${TK"},
		{"${}", "${}"},
		{"$", "$"},
		{"a$$TK", "a$abc"},
	};
	struct condarc c;

	(void)state;
	setenv("TK", "abc", 1);
	unsetenv("NOT_SET");
	unsetenv("TKx");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		good(arena_printf(&arena, "channels: ['%s']\n", cases[i].text), &c);
		assert_string_equal(arena_cstr(&arena, c.channels[0]), cases[i].channel);
	}
	good("custom_channels: {x: 'https://h/$TK'}\nproxy_servers: {http: 'http://u:$TK@p'}\n"
	     "channel_alias: https://${TK}\nmirrored_channels: {y: ['https://h/$TK']}\n",
		&c);
	assert_true(str_is(c.rules.custom[0].members[0], "https://h/abc"));
	assert_true(str_is(c.proxies[0].proxy, "http://u:abc@p"));
	assert_string_equal(c.rules.alias, "https://abc");
	assert_true(str_is(c.mirrored[0].members[0], "https://h/abc"));
}

static void bad(void **state)
{
	static const struct {
		const char *text, *where;
	} cases[] = {
		{"- channels\n", ".condarc:1:1: not a map"},
		{"channels: [a, [b]]\n", ".condarc:1:15: 'channels'"},
		{"channels: {a: b}\n", ".condarc:1:11: 'channels' is not a list"},
		{"channels: [a\n", ".condarc:"},
		{"x: 1\nchannel_alias: [a]\n", ".condarc:2:16: 'channel_alias'"},
		{"custom_channels: [a]\n", ".condarc:1:18: 'custom_channels' is not a map"},
		{"custom_channels: {a: [b]}\n", ".condarc:1:22: not a URL"},
		{"custom_multichannels: {a: }\n", ".condarc:1:24: 'a' is empty"},
		{"channel_priority: loose\n", ".condarc:1:19: 'channel_priority'"},
		{"offline: maybe\n", ".condarc:1:10: 'offline'"},
		{"ssl_verify: false\n", ".condarc:1:13: 'ssl_verify: false' is not accepted"},
		{"ssl_verify: off\n", ".condarc:1:13: 'ssl_verify: false' is not accepted"},
		{"proxy_servers: {ftp: http://s3cret}\n", ".condarc:1:17: a proxy is for"},
		{"remote_connect_timeout_secs: soon\n", ".condarc:1:30: "},
		{"remote_connect_timeout_secs: -1\n", ".condarc:1:30: "},
		{"remote_connect_timeout_secs: 1.x\n", ".condarc:1:30: "},
		{"remote_max_retries: 1000\n", ".condarc:1:21: "},
		{"local_repodata_ttl: x\n", ".condarc:1:21: "},
		{"offline: true\noffline: true\n", ".condarc:2:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct condarc c;
		struct err e = {0};

		if (parse(cases[i].text, &c, &e) == 0)
			fail_msg("taken: %s", cases[i].text);
		assert_int_equal(e.code, ERR_INPUT);
		if (!strstr(e.text, cases[i].where) || strstr(e.text, "s3cret"))
			fail_msg("%s: %s", cases[i].text, e.text);
		err_release(&e);
	}
}

/* The channels a name stands for, "URL URL". */
static const char *urls(const struct channel_rules *rules, const char *name)
{
	struct channel_list list = {0};
	struct buf b = {0};
	struct err e = {0};
	const char *all;

	if (channel_add(&arena, &list, str_of(name), rules, "/base", &e) < 0)
		buf_printf(&b, "error: %s", e.text);
	for (size_t i = 0; i < list.n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", list.v[i].fetch_url);
	all = arena_cstr(&arena, buf_view(&b));
	buf_release(&b);
	err_release(&e);
	return all;
}

static void channels_by_rules(void **state)
{
	static const struct {
		const char *name, *urls;
	} cases[] = {
		{"other", "https://alias.example/other"},
		{"other/label/dev", "https://alias.example/other/label/dev"},
		{"internal", "https://u:pw@i.example/t/tk/internal"},
		{"internal/label/dev", "https://u:pw@i.example/t/tk/internal/label/dev"},
		{"internals", "https://alias.example/internals"},
		{"pkgs/own", "https://o.example/pkgs/own"},
		{"pkgs/other", "https://p.example/pkgs/other"},
		{"folder", "file:///srv/conda/folder"},
		{"near", "file:///base/channels/near"},
		{"defaults", "https://alias.example/a https://d.example/b"},
		{"all", "https://u:pw@i.example/t/tk/internal https://alias.example/a "
			"https://d.example/b"},
		{"https://y.example/internal", "https://y.example/internal"},
		{"wrong",
			"error: invalid channel 'wrong': only http, https and file URLs are read"},
		{"nowhere", "error: invalid channel 'nowhere': its place is no URL"},
		{"circle", "error: invalid channel 'circle': it stands for itself"},
	};
	struct condarc c;

	(void)state;
	good("channel_alias: https://alias.example/\n"
	     "default_channels: [a, https://d.example/b]\n"
	     "custom_channels:\n  internal: https://u:pw@i.example/t/tk/\n  pkgs: "
	     "https://p.example\n"
	     "  pkgs/own: https://o.example\n  folder: file:///srv/conda\n  near: ./channels\n"
	     "  wrong: ftp://x\n  nowhere: x.example\n"
	     "custom_multichannels:\n  all: [internal, defaults]\n  circle: [circle]\n",
		&c);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(urls(&c.rules, cases[i].name), cases[i].urls);
	assert_string_equal(urls(NULL, "conda-forge/label/x"),
		"https://conda.anaconda.org/conda-forge/label/x");
	good("default_channels: [defaults]\n", &c);
	assert_non_null(strstr(urls(&c.rules, "defaults"), "it stands for itself"));
	good("custom_multichannels: {defaults: [x]}\n", &c);
	assert_string_equal(urls(&c.rules, "defaults"), "https://conda.anaconda.org/x");
}

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key),
		cmocka_unit_test(variables),
		cmocka_unit_test(bad),
		cmocka_unit_test(channels_by_rules),
	};

	return cmocka_run_group_tests_name("solver condarc", tests, NULL, release);
}

/* Licences, package URLs, where a package was built from. */
#include "packer/about.h"
#include "packer/purl.h"
#include "packer/spdx.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void test_licenses(void **state)
{
	static const char *const good[] = {"MIT", "GPL-2.0+", "GPL-2.0", "Zlib OR MIT",
		"MIT AND (Zlib OR BSD-3-Clause)", "Apache-2.0 WITH LLVM-exception", "(MIT)",
		"LicenseRef-ours AND MIT", " MIT "};
	static const char *const bad[] = {"", "BSD", "mit", "GPL", "MIT Zlib", "MIT AND", "OR MIT",
		"(MIT", "MIT)", "MIT WITH nothing", "MIT and Zlib", "LicenseRef-", "MIT/Zlib", "+",
		"MIT OR OR MIT", "Proprietary", "WITH", "()"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!spdx_is_expression(str_of(good[i])))
			fail_msg("'%s' is one", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (spdx_is_expression(str_of(bad[i])))
			fail_msg("'%s' is none", bad[i]);
}

static void is_purl(const struct record *r, const char *want)
{
	CLEANUP_BUF text = {0};

	purl_conda(r, &text);
	assert_string_equal(text.p, want);
}

/* The first is the example of the purl specification's conda type, with our channel in front. */
static void test_conda_purls(void **state)
{
	struct record r = {.name = STR_INIT("absl-py"),
		.version = STR_INIT("0.4.1"),
		.build = STR_INIT("py36h06a4308_0"),
		.subdir = STR_INIT("linux-64"),
		.fn = STR_INIT("absl-py-0.4.1-py36h06a4308_0.tar.bz2"),
		.channel = STR_INIT("https://repo.anaconda.com/pkgs/main")};

	(void)state;
	is_purl(&r, "pkg:conda/absl-py@0.4.1?build=py36h06a4308_0&channel=main&subdir=linux-64&"
		    "type=tar.bz2");
	r.channel = STR("https://conda.anaconda.org/conda-forge");
	r.fn = STR("absl-py-0.4.1-py36h06a4308_0.conda");
	r.version = STR("1!0.4+x");
	is_purl(&r, "pkg:conda/absl-py@1%210.4%2Bx?build=py36h06a4308_0&channel=conda-forge&"
		    "subdir=linux-64&type=conda");
	r.channel = STR("https://host/a b");
	r.version = STR("1");
	is_purl(&r, "pkg:conda/absl-py@1?build=py36h06a4308_0&channel=https%3A%2F%2Fhost%2Fa%20b&"
		    "subdir=linux-64&type=conda");
	r.channel = STR("file:///home/ann/channel");
	is_purl(&r, "pkg:conda/absl-py@1?build=py36h06a4308_0&subdir=linux-64&type=conda");
}

static void is_pypi(struct pypi_package p, const char *want)
{
	CLEANUP_BUF text = {0};

	purl_pypi(&p, &text);
	assert_string_equal(text.p, want);
}

static void test_pypi_purls(void **state)
{
	struct pypi_package p = {.name = STR_INIT("django-x"), .version = STR_INIT("1.11.1")};

	(void)state;
	p.url = STR("https://files.pythonhosted.org/packages/x/django_x-1.11.1-py3-none-any.whl");
	is_pypi(p, "pkg:pypi/django-x@1.11.1");
	p.url = STR("https://host/django_x-1.11.1-py3-none-any.whl");
	is_pypi(p, "pkg:pypi/django-x@1.11.1?download_url=https%3A%2F%2Fhost%2Fdjango_x-1.11.1-"
		   "py3-none-any.whl");
	p.index = STR("https://host/simple");
	is_pypi(p, "pkg:pypi/django-x@1.11.1");
	p.index = (struct str){0};
	p.url = STR("git+https://host/x.git?rev=main#0123");
	is_pypi(p, "pkg:pypi/django-x@1.11.1?vcs_url=git%2Bhttps%3A%2F%2Fhost%2Fx.git%400123");
	p.url = STR("git+file:///home/ann/x.git?rev=main#0123");
	is_pypi(p, "pkg:pypi/django-x@1.11.1");
	p.url = STR("./folder");
	is_pypi(p, "pkg:pypi/django-x@1.11.1");
}

static void test_about(void **state)
{
	CLEANUP_ARENA a = {0};
	struct about about;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		0, about_parse(&a,
			   STR("{\"a\": {\"extra\": 1}, \"extra\": {\"sha\": "
			       "\"0123456789012345678901234567890123456789\", "
			       "\"remote_url\": \"https://me:pw@host/x\", \"flow_run_id\": "
			       "\"azure_1\"}}"),
			   &about, &e));
	assert_true(str_is(about.sha, "0123456789012345678901234567890123456789"));
	assert_true(str_is(about.remote_url, "https://host/x"));
	assert_true(str_is(about.flow_run_id, "azure_1"));
	assert_int_equal(0, about_parse(&a,
				    STR("{\"extra\": {\"sha\": \"main\", \"remote_url\": \"/etc\", "
					"\"flow_run_id\": \"two words\"}}"),
				    &about, &e));
	assert_int_equal(0, about.sha.n + about.remote_url.n + about.flow_run_id.n);
	assert_int_equal(-1, about_parse(&a, STR("{\"extra\": "), &about, &e));
	assert_int_equal(ERR_INTEGRITY, e.code);
	err_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_licenses),
		cmocka_unit_test(test_conda_purls),
		cmocka_unit_test(test_pypi_purls),
		cmocka_unit_test(test_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

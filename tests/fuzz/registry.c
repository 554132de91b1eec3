/*
 * What a registry and its neighbours say, and references: any bytes.  What is taken from them becomes
 * a header and a URL of one line each.
 */
#include "images/registry_auth.h"

#include <stdlib.h>

static void check_line(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			abort();
}

static void check_reference(struct arena *a, const char *text)
{
	struct reference r, again;
	struct err e = {0};

	if (reference_parse(a, text, &r, &e) == 0) {
		char *whole = reference_text(a, &r);

		check_line(str_of(reference_url(a, &r, false)));
		if (reference_parse(a, whole, &again, NULL) < 0 ||
			strcmp(reference_text(a, &again), whole) != 0)
			abort();
		if (str_find(r.path, STR("..")) >= 0)
			abort();
	} else if (e.code != ERR_USAGE) {
		abort();
	}
	err_release(&e);
}

static void check_challenge(struct arena *a, struct str text)
{
	struct challenge c;
	char *url;

	challenge_parse(a, text, &c);
	url = challenge_url(a, &c, STR("a/b"), text.n % 2);
	if (!url)
		return;
	check_line(str_of(url));
	if (strncasecmp(url, "http", 4) != 0)
		abort();
}

static void check_files(struct arena *a, struct str text)
{
	struct reference r;
	struct str token, login;
	bool helper;
	struct err e = {0};

	if (token_parse(a, "t", text, &token, &e) == 0)
		check_line(token);
	else if (e.code != ERR_INTEGRITY)
		abort();
	err_release(&e);
	reference_parse(a, "q.io/team/x", &r, NULL);
	if (login_parse(a, "l", text, &r, &login, &helper, &e) == 0)
		check_line(login);
	else if (e.code != ERR_INPUT)
		abort();
	err_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct str text = str_n((const char *)data, size);

	check_reference(&a, arena_cstr(&a, text));
	check_challenge(&a, text);
	check_files(&a, text);
	arena_release(&a);
	return 0;
}

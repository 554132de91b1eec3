/* A file of credentials of any bytes; what is found in it becomes a header and a URL of one line. */
#include "base/date.h"
#include "base/http_auth.h"

#include <stdlib.h>

static void check(struct arena *a, const struct auths *all, const char *url)
{
	const struct auth *auth = auths_find(all, url);
	const char *with = auth_apply(a, auth, url);

	if (strpbrk(with, "\r\n ") || strncmp(with, "https://", 8) != 0)
		abort();
	if (auth && auth->kind == AUTH_BEARER)
		for (size_t i = 0; i < auth->token.n; i++)
			if ((unsigned char)auth->token.p[i] <= ' ')
				abort();
}

static void check_date(struct str text)
{
	char time[DATE_TIME];
	uint64_t ms, again;

	if (date_parse(text, &ms) < 0)
		return;
	date_time(ms, time);
	if (date_parse(str_of(time), &again) < 0 || again != ms)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct auths all;
	struct arena a = {0};
	struct err e = {0};

	check_date(text);
	if (auths_parse(&a, "c", text, &all, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
	} else {
		check(&a, &all, "https://repo.example/x");
		check(&a, &all, "https://a.b.example.org:8443/x?y");
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

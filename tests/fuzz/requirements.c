/*
 * pip sections: any bytes are read or refused as ERR_INPUT; what was read is written, read again and
 * written the same, and what a lock would name can be taken apart again.
 */
#include "solver/requirements.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_text(struct arena *a, struct str text, struct requirements *out, struct err *e)
{
	struct spec_line line = {text, 1, 1};

	return requirements_read(a, &line, 1, "fuzz", "/nonexistent/project", out, e);
}

static struct str written(struct arena *a, const struct requirements *r)
{
	CLEANUP_BUF b = {0};

	requirements_write(r, &b);
	return arena_str(a, buf_view(&b));
}

static void check_lock_urls(struct arena *a, const struct requirements *r)
{
	static const char commit[] = "4ee7fd55050f6c49cc44f947241d9c9577ada0e2";
	struct pypi_git git;

	for (size_t i = 0; i < r->n; i++) {
		struct str url = requirement_lock_url(a, &r->v[i], str_of(commit));

		if (r->v[i].kind != REQUIREMENT_GIT)
			continue;
		if (pypi_git_split(a, url, &git) < 0 || !str_is(git.commit, commit) ||
			!str_eq(git.rev, r->v[i].rev) ||
			!str_eq(git.subdirectory, r->v[i].subdirectory))
			abort();
	}
}

/* Files of this machine are none of the fuzzer's business. */
static bool names_files(struct str text)
{
	return str_find(text, STR("-r")) >= 0 || str_find(text, STR("-c")) >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size), once;
	struct requirements r, again;
	struct arena a = {0};
	struct err e = {0};

	if (names_files(text))
		return 0;
	if (read_text(&a, text, &r, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
	} else {
		check_lock_urls(&a, &r);
		once = written(&a, &r);
		if (read_text(&a, once, &again, &e) < 0 || !str_eq(once, written(&a, &again)) ||
			r.n != again.n)
			abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

/* A CDI file of any bytes: refused with its place, or paths that lead nowhere else. */
#include "images/cdi.h"

#include "base/file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_safe(const char *path)
{
	if (path[0] != '/' || !path_is_safe(str_of(path + 1)))
		abort();
}

static void check(const struct cdi *cdi)
{
	for (size_t i = 0; i < cdi->nodes.n; i++) {
		must_be_safe(cdi->nodes.v[i]);
		if (!str_starts(str_of(cdi->nodes.v[i]), STR("/dev/")))
			abort();
	}
	for (size_t i = 0; i < cdi->mounts.n; i++) {
		must_be_safe(cdi->mounts.v[i].host);
		must_be_safe(cdi->mounts.v[i].inside);
	}
	for (size_t i = 0; i < cdi->env.n; i++)
		if (str_chr(str_of(cdi->env.v[i]), '=') <= 0 ||
			str_starts(str_of(cdi->env.v[i]), STR("LD_")))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct err e = {0};
	struct cdi cdi;
	int r = cdi_parse(&a, "fuzz", str_n((const char *)data, size), &cdi, &e);

	if (r < 0 && (e.code != ERR_INPUT || strncmp(e.text, "fuzz:", 5) != 0))
		abort();
	if (r > 0)
		check(&cdi);
	err_release(&e);
	arena_release(&a);
	return 0;
}

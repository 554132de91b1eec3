/* A condarc of any bytes: read, or refused with its line; then channels by its rules. */
#include "solver/condarc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"defaults", "a", "a/label/b", "conda-forge"};
	struct channel_list list = {0};
	struct condarc c;
	struct arena a = {0};
	struct err e = {0};

	if (condarc_parse(&a, "c", "/d", str_n((const char *)data, size), &c, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
	} else {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			channel_add(&a, &list, str_of(names[i]), &c.rules, "/d", NULL);
		for (size_t i = 0; i < c.n_channels; i++)
			channel_add(&a, &list, c.channels[i], &c.rules, "/d", NULL);
		for (size_t i = 0; i < list.n; i++)
			if (!strstr(list.v[i].fetch_url, "://") ||
				str_find(list.v[i].url, STR("://")) < 0)
				abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

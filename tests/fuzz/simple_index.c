/* Pages of package indexes over any bytes: read, or refused as ERR_INTEGRITY. */
#include "builder/simple_index.h"
#include "base/file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct simple_page page;
	struct arena a = {0};
	struct err e = {0};

	if (simple_page_parse(&a, "https://u:p@h/simple/x/", str_n((const char *)data, size), &page,
		    &e) < 0) {
		if (e.code != ERR_INTEGRITY)
			abort();
	} else {
		for (size_t i = 0; i < page.n; i++)
			if (!path_is_safe(page.v[i].name) || str_chr(page.v[i].name, '/') >= 0 ||
				str_chr(page.v[i].url, '#') >= 0)
				abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

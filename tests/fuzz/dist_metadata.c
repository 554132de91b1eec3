/* METADATA and requires.txt of Python distributions over any bytes. */
#include "builder/dist.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What goes into a lock is one line each. */
static void check_texts(const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].n || str_chr(v[i], '\n') >= 0 || str_chr(v[i], '\0') >= 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size), rest = text;
	struct arena a = {0};
	struct err e = {0};
	struct dist d = {0};

	if (dist_parse_metadata(&a, "METADATA", text, &d, &e) < 0) {
		if (e.code != ERR_INTEGRITY)
			abort();
	} else {
		check_texts(d.requires_dist, d.n_requires_dist);
		check_texts(d.extras, d.n_extras);
		if (!pypi_name_is_valid(d.name) || !d.version.n)
			abort();
	}
	dist_parse_requires_txt(&a, text, &d);
	check_texts(d.requires_dist, d.n_requires_dist);
	while (rest.n) {
		struct str path = record_row_path(&a, str_cut(&rest, '\n'));

		path = prefix_path_resolve(&a, STR("lib/python3.6/site-packages"), path);
		if (path.n && !path_is_safe(path))
			abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

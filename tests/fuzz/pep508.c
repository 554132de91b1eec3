/* Requirements with markers: any bytes are read or refused as ERR_INPUT, and markers evaluated. */
#include "solver/pep508.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct pep508 r, again;
	struct marker_env env;
	struct err e = {0};

	marker_env_of(&a, STR("3.6.6"), STR("linux-64"), &env);
	if (pep508_parse(&a, str_n((const char *)data, size), &r, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
	} else {
		if (!pypi_name_is_valid(r.name) || (r.url.n && r.versions.n))
			abort();
		if (pep508_parse(&a, r.text, &again, NULL) < 0 || !str_eq(r.name, again.name))
			abort();
		if (marker_holds(r.marker, &env, r.extras, r.n_extras) !=
			marker_holds(again.marker, &env, again.extras, again.n_extras))
			abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

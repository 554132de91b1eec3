/* manifest.json of `docker save`, from anybody: it ends, and what is returned is within its limits. */
#include "images/docker_json.h"
#include "images/image_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct err e = {0};
	struct docker_image *v;
	size_t n;

	if (docker_manifest_parse(&a, "fuzz", str_n((const char *)data, size), &v, &n, &e) < 0) {
		if (e.code != ERR_INTEGRITY)
			abort();
	} else {
		if (n == 0 || n > DOCKER_IMAGES_MAX)
			abort();
		for (size_t i = 0; i < n; i++)
			if (v[i].config.n == 0 || v[i].n_layers == 0 ||
				v[i].n_layers > OCI_LAYERS_MAX)
				abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

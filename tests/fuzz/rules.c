/* Manifests: rules are read or refused, and those that are good make a good content. */
#include "packer/rules.h"
#include "base/file.h"
#include "base/log.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"bin/a", "bin/a.off", "conda-meta/history", "include/x.h",
	"lib/x.a", "lib/x.pyc", "lib/y/__pycache__/z.pyc"};
enum { N_PATHS = sizeof paths / sizeof *paths };

static void apply(struct arena *a, struct rules *r)
{
	struct content c = {.entries = arena_array(a, struct content_entry, N_PATHS),
		.n_entries = N_PATHS,
		.build_prefix = STR("/build")};
	struct err e = {0};
	bool kept = false;

	for (size_t i = 0; i < N_PATHS; i++)
		c.entries[i] = (struct content_entry){
			.path = str_of(paths[i]), .type = PATH_FILE, .package = -1};
	if (rules_apply(a, r, &c, &e) == 0)
		for (size_t i = 0; i < c.n_entries; i++) {
			kept |= str_is(c.entries[i].path, "conda-meta/history");
			if (!path_is_safe(c.entries[i].path))
				abort();
			if (i && str_cmp(c.entries[i - 1].path, c.entries[i].path) >= 0)
				abort();
		}
	else
		kept = true;
	if (!kept)
		abort();
	err_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct arena a = {0};
	struct err e = {0};
	struct rules r;

	log_setup((struct log_options){.quiet = true});
	if (rules_from_manifest(&a, text, "manifest.json", &r, &e) > 0 &&
		rules_check(&a, &r, &e) == 0) {
		rules_leave_out(&r, STR("bin/a"));
		apply(&a, &r);
	} else if (e.text && e.code != ERR_INTEGRITY && e.code != ERR_INPUT) {
		abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}

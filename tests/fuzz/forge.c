/* What a forge answers, of any bytes: no names without text, no sum that is none, words for one line. */
#include "packer/forge.h"

#include <stdlib.h>

static void check_assets(const struct forge_assets *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct forge_asset *x = &list->v[i];
		uint8_t sha256[SHA256_LEN];

		if (x->id <= 0 || !x->name)
			abort();
		for (const char *c = x->name; *c; c++)
			if ((unsigned char)*c < ' ')
				abort();
		if (x->sha256.n && hex_decode(x->sha256, sha256, SHA256_LEN) < 0)
			abort();
	}
}

static void check_release(const struct forge_release *r)
{
	if (r->id <= 0 || !r->tag)
		abort();
	check_assets(&r->assets);
}

static void check_message(struct arena *a, struct str text)
{
	struct str said = forge_message(a, text, "s3cret");

	if (said.n > 410 || str_find(said, STR("s3cret")) >= 0)
		abort();
	for (size_t i = 0; i < said.n;) {
		size_t n = utf8_sequence(str_sub(said, i, said.n));

		if (n == 0 || (unsigned char)said.p[i] < ' ' || said.p[i] == 0x7f)
			abort();
		i += n;
	}
	forge_has_code(text, "already_exists");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct forge_releases releases = {0};
	struct forge_assets assets = {0};
	struct forge_release release;
	struct arena a = {0};

	if (forge_parse_release(&a, text, &release, NULL) == 0)
		check_release(&release);
	if (forge_parse_releases(&a, text, &releases, NULL) == 0)
		for (size_t i = 0; i < releases.n; i++)
			check_release(&releases.v[i]);
	if (forge_parse_assets(&a, text, &assets, NULL) == 0)
		check_assets(&assets);
	check_message(&a, text);
	arena_release(&a);
	return 0;
}

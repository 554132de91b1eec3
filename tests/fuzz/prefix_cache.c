/*
 * What audits keep of environments: any bytes as such a file, as they are and with a right sum, are
 * refused or read inside their bounds; what was read is what is written again.
 */
#include "builder/prefix_cache.h"
#include "base/archive.h"

#include <endian.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile char seen;

static void touch(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		seen = s.p[i];
}

static void use(const struct kept_prefix *p)
{
	for (size_t i = 0; i < p->n_packages; i++) {
		touch(p->packages[i].dist);
		if (p->packages[i].record)
			touch(p->packages[i].record->url);
	}
	for (size_t i = 0; i < p->n_files; i++) {
		const struct kept_file *f = &p->files[i];

		touch(f->path);
		touch(f->link);
		touch(f->interpreter);
		touch(f->leftover);
		if (f->package >= 0)
			touch(p->packages[f->package].name);
		if (f->binary)
			touch(f->binary->elf.soname);
		if (i && str_cmp(p->files[i - 1].path, f->path) >= 0)
			abort();
	}
}

static void try_file(struct str bytes)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF once = {0}, twice = {0};
	struct kept_prefix p, again;

	if (prefix_cache_decode(&a, bytes, STR("/env"), &p) < 0)
		return;
	use(&p);
	prefix_cache_encode(STR("/env"), &p, &once);
	if (prefix_cache_decode(&a, buf_view(&once), STR("/env"), &again) < 0)
		abort();
	prefix_cache_encode(STR("/env"), &again, &twice);
	if (!str_eq(buf_view(&once), buf_view(&twice)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { SUM = 8, BODY = 12 };
	CLEANUP_BUF right = {0};
	uint32_t le;

	try_file(str_n((const char *)data, size));
	if (size < BODY)
		return 0;
	buf_add(&right, data, size);
	le = htole32(crc32_of(str_sub(buf_view(&right), BODY, size)));
	memcpy(right.p + SUM, &le, sizeof le);
	try_file(buf_view(&right));
	return 0;
}

#include "solver/index_image.h"

#include "base/archive.h"
#include "base/file.h"

#include <stdlib.h>

struct image {
	struct str file;
	struct image_header h;
	const char *payload;
	const uint32_t *sums;
	uint64_t *checked; /* a bit for each block whose sum was compared */
};

static size_t blocks_of(uint64_t payload)
{
	return (size_t)((payload + IMAGE_BLOCK - 1) / IMAGE_BLOCK);
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "the cached index is damaged");
}

static struct str block_at(const struct image *m, size_t i)
{
	uint64_t at = (uint64_t)i * IMAGE_BLOCK, left = m->h.payload - at;

	return str_n(m->payload + at, left < IMAGE_BLOCK ? (size_t)left : IMAGE_BLOCK);
}

/* The bytes [at, at + n) of the payload, their blocks' sums compared; {NULL, 0}: not sound. */
static struct str bytes_at(struct image *m, uint64_t at, uint64_t n)
{
	if (at > m->h.payload || n > m->h.payload - at)
		return str_n(NULL, 0);
	for (uint64_t i = at / IMAGE_BLOCK; i * IMAGE_BLOCK < at + n; i++) {
		uint64_t *word = &m->checked[i / 64], bit = UINT64_C(1) << i % 64;

		if (*word & bit)
			continue;
		if (crc32_of(block_at(m, (size_t)i)) != m->sums[i])
			return str_n(NULL, 0);
		*word |= bit;
	}
	return str_n(m->payload + at, (size_t)n);
}

static struct str in_section(struct image *m, const struct image_section *s, uint64_t at, size_t n)
{
	if (at > s->n || n > s->n - at)
		return str_n(NULL, 0);
	return bytes_at(m, s->at + at, n);
}

/* --- opening ------------------------------------------------------------------------------ */

static bool section_fits(const struct image_header *h, const struct image_section *s, size_t unit)
{
	return s->at % 8 == 0 && s->at <= h->payload && s->n <= h->payload - s->at &&
	       s->n % unit == 0;
}

static bool header_fits(struct image_header *h, size_t size, const uint8_t *key)
{
	uint32_t self = h->self;
	bool sound;

	h->self = 0;
	sound = crc32_of(str_n((const char *)h, sizeof *h)) == self;
	h->self = self;
	return sound && memcmp(h->magic, "ebindex", 8) == 0 && h->version == IMAGE_VERSION &&
	       h->order == IMAGE_ORDER && h->size == size && memcmp(h->key, key, IMAGE_KEY) == 0 &&
	       h->payload % 8 == 0 && h->payload <= size &&
	       IMAGE_START + h->payload + 4 * (uint64_t)blocks_of(h->payload) == size &&
	       section_fits(h, &h->slots, sizeof(uint32_t)) &&
	       section_fits(h, &h->names, sizeof(struct image_name)) &&
	       section_fits(h, &h->specs, sizeof(struct image_spec)) &&
	       section_fits(h, &h->texts, 1) && section_fits(h, &h->base_url, 1);
}

static int open_parts(struct image *m, const uint8_t *key)
{
	size_t n;

	if (m->file.n < IMAGE_START)
		return -1;
	memcpy(&m->h, m->file.p, sizeof m->h);
	if (!header_fits(&m->h, m->file.n, key))
		return -1;
	n = blocks_of(m->h.payload);
	m->payload = m->file.p + IMAGE_START;
	m->sums = (const void *)(m->payload + m->h.payload);
	if (crc32_of(str_n((const char *)m->sums, n * sizeof *m->sums)) != m->h.sums)
		return -1;
	m->checked = xcalloc(n / 64 + 1, sizeof *m->checked);
	return 0;
}

struct image *image_open(const char *path, const uint8_t key[IMAGE_KEY], struct err *e)
{
	struct image *m = xcalloc(1, sizeof *m);

	if (file_map(path, &m->file, e) == 0) {
		if (open_parts(m, key) == 0)
			return m;
		err_set(e, ERR_INTEGRITY, "'%s' is no index of this channel", path);
	}
	image_close(m);
	return NULL;
}

void image_close(struct image *m)
{
	if (!m)
		return;
	file_unmap(m->file);
	free(m->checked);
	free(m);
}

/* --- looking up --------------------------------------------------------------------------- */

size_t image_records(const struct image *m)
{
	return (size_t)m->h.n_records;
}

size_t image_names(const struct image *m)
{
	return (size_t)(m->h.names.n / sizeof(struct image_name));
}

/* The group of the name with this number; *skip where its hash is another than wanted. */
static int group_at(struct image *m, size_t i, const uint32_t *hash, struct index_group *out)
{
	struct str s = in_section(
		m, &m->h.names, i * sizeof(struct image_name), sizeof(struct image_name));
	struct image_name name;

	if (!s.p)
		return -1;
	memcpy(&name, s.p, sizeof name);
	if (hash && name.hash != *hash)
		return 0;
	s = bytes_at(m, name.at * UINT64_C(8), name.n * UINT64_C(8));
	if (!s.p || group_open(s, (size_t)(m->h.specs.n / sizeof(struct image_spec)), out) < 0)
		return -1;
	return 1;
}

int image_group(struct image *m, struct str name, struct index_group *out, struct err *e)
{
	uint64_t n = m->h.slots.n / sizeof(uint32_t);
	uint32_t hash = crc32_of(name), slot;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = (hash + i) % n;
		struct str s = in_section(m, &m->h.slots, at * sizeof slot, sizeof slot);
		int rc;

		if (!s.p)
			return damaged(e);
		memcpy(&slot, s.p, sizeof slot);
		if (slot == 0)
			return 0;
		rc = group_at(m, slot - 1, &hash, out);
		if (rc < 0)
			return damaged(e);
		if (rc && str_eq(out->name, name))
			return 1;
	}
	return 0;
}

int image_name_at(struct image *m, size_t i, struct str *out, struct err *e)
{
	struct index_group g;

	if (group_at(m, i, NULL, &g) < 0)
		return damaged(e);
	*out = g.name;
	return 0;
}

int image_spec(struct image *m, uint32_t number, struct str *out, struct err *e)
{
	struct str s = in_section(m, &m->h.specs, number * (uint64_t)sizeof(struct image_spec),
		sizeof(struct image_spec));
	struct image_spec spec;

	if (!s.p)
		return damaged(e);
	memcpy(&spec, s.p, sizeof spec);
	*out = in_section(m, &m->h.texts, spec.at, spec.n);
	return out->p ? 0 : damaged(e);
}

int image_base_url(struct image *m, struct str *out, struct err *e)
{
	*out = in_section(m, &m->h.base_url, 0, (size_t)m->h.base_url.n);
	if (!out->p)
		return damaged(e);
	return out->n != 0;
}

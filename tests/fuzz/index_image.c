/*
 * An index file of somebody else's making: sums and header are made right, so that all that lies
 * behind them is reached; whatever the bytes say, nothing is read out of bounds.
 */
#include "solver/index_image.h"
#include "base/archive.h"
#include "base/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 17, NAMES_MAX = 64 };
static const uint8_t key[IMAGE_KEY];

/* The input is sections of the header, then the payload. */
struct given {
	struct image_section slots, names, specs, texts, base_url;
};

static void seal(struct buf *to, const uint8_t *data, size_t size)
{
	struct image_header h = {.version = IMAGE_VERSION, .order = IMAGE_ORDER};
	struct given given;
	CLEANUP_BUF sums = {0};

	memcpy(&given, data, sizeof given);
	memcpy(h.magic, "ebindex", 8);
	h.slots = given.slots;
	h.names = given.names;
	h.specs = given.specs;
	h.texts = given.texts;
	h.base_url = given.base_url;
	h.payload = (size - sizeof given) & ~(size_t)7;
	data += sizeof given;
	for (size_t at = 0; at < h.payload; at += IMAGE_BLOCK) {
		size_t n = h.payload - at < IMAGE_BLOCK ? h.payload - at : IMAGE_BLOCK;
		uint32_t sum = crc32_of(str_n((const char *)data + at, n));

		buf_add(&sums, &sum, sizeof sum);
	}
	h.size = IMAGE_START + h.payload + sums.n;
	h.sums = crc32_of(buf_view(&sums));
	h.self = crc32_of(str_n((const char *)&h, sizeof h));
	buf_add(to, &h, sizeof h);
	while (to->n < IMAGE_START)
		buf_putc(to, 0);
	buf_add(to, data, h.payload);
	buf_str(to, buf_view(&sums));
}

static size_t sum_of(struct str s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

static size_t use_record(struct image *m, const struct index_group *g, size_t i)
{
	const struct group_build *b = &g->builds[i];
	struct record r;
	struct str text;
	size_t sum = 0;

	group_record(g, i, &r);
	sum += sum_of(r.fn) + sum_of(r.version) + sum_of(r.build) + sum_of(r.track_features);
	sum += sum_of(r.features) + sum_of(r.license) + sum_of(r.license_family);
	sum += sum_of(r.python_site_packages_path);
	for (uint32_t k = 0; k < b->depends.n && k < NAMES_MAX; k++)
		if (image_spec(m, g->specs[b->depends.at + k], &text, NULL) == 0)
			sum += sum_of(text);
	for (uint32_t k = 0; k < b->constrains.n && k < NAMES_MAX; k++)
		if (image_spec(m, g->specs[b->constrains.at + k], &text, NULL) == 0)
			sum += sum_of(text);
	return sum;
}

static size_t use(struct image *m)
{
	struct index_group g;
	struct str text;
	size_t sum = 0;

	if (image_base_url(m, &text, NULL) == 1)
		sum += sum_of(text);
	for (size_t i = 0; i < image_names(m) && i < NAMES_MAX; i++) {
		if (image_name_at(m, i, &text, NULL) < 0)
			continue;
		sum += sum_of(text);
		if (image_group(m, text, &g, NULL) != 1)
			continue;
		for (size_t k = 0; k < g.n_builds && k < NAMES_MAX; k++)
			sum += use_record(m, &g, k);
	}
	image_group(m, STR("python"), &g, NULL);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t sum = 0;
	CLEANUP_BUF bytes = {0};
	struct image *m;
	char path[64];
	int fd;

	if (size < sizeof(struct given) || size > LARGEST)
		return 0;
	seal(&bytes, data, size);
	fd = memfd_create("index", MFD_CLOEXEC);
	if (fd < 0 || write_full(fd, bytes.p, bytes.n, NULL) < 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	m = image_open(path, key, NULL);
	if (m)
		sum = use(m);
	image_close(m);
	close(fd);
	return sum == SIZE_MAX; /* never; else nobody would need the sum */
}

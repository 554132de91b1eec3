#include "images/blob.h"

#include "base/file.h"
#include "base/interrupt.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, BLOCK = 512 };

struct blob_tar {
	const struct blob *blob;
	struct step *step;
	struct hash *packed, *unpacked;
	struct unpacker *unpacker;
	uint64_t at, n, max; /* bytes of the blob, and of the tar */
	bool padded;
};

struct str digest_text(struct arena *a, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	return arena_strf(a, "sha256:%s", hex);
}

static ptrdiff_t read_at(const struct blob *b, uint64_t at, void *p, size_t n, struct err *e)
{
	ssize_t got;

	if (n > b->size - at)
		n = (size_t)(b->size - at);
	if (n == 0)
		return 0;
	do
		got = pread(b->fd, p, n, (off_t)(b->offset + at));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "cannot read '%s'", b->name);
	if (got == 0)
		return err_set(e, ERR_INTEGRITY, "'%s' is cut short", b->name);
	return got;
}

static int check_sum(
	const char *what, const struct blob *b, struct str want, struct str have, struct err *e)
{
	if (want.n == 0 || str_eq(want, have))
		return 0;
	return err_set(e, ERR_INTEGRITY, "the %s of '%s' should be %.*s and is %.*s", what, b->name,
		STR_ARG(want), STR_ARG(have));
}

int blob_read_all(struct arena *a, const struct blob *b, size_t max, struct str *out, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	char *text;
	ptrdiff_t n;

	if (b->size > max)
		return err_set(e, ERR_INTEGRITY, "'%s' has %llu bytes, over the limit of %zu",
			b->name, (unsigned long long)b->size, max);
	text = arena_alloc(a, (size_t)b->size + 1);
	for (size_t at = 0; at < b->size; at += (size_t)n)
		if ((n = read_at(b, at, text + at, (size_t)b->size - at, e)) < 0)
			return -1;
	*out = str_n(text, (size_t)b->size);
	sha256_of(out->p, out->n, sum);
	return check_sum("digest", b, b->digest, digest_text(a, sum), e);
}

static ptrdiff_t read_packed(void *ctx, void *p, size_t n, struct err *e)
{
	struct blob_tar *t = ctx;
	ptrdiff_t got = interrupt_check(e) < 0 ? -1 : read_at(t->blob, t->at, p, n, e);

	if (got <= 0)
		return got;
	t->at += (uint64_t)got;
	if (t->packed)
		hash_update(t->packed, p, (size_t)got);
	if (t->step)
		step_tick(t->step, 0, (uint64_t)got);
	return got;
}

struct blob_tar *blob_tar_open(const struct blob *b, struct step *step, uint64_t max, struct err *e)
{
	struct blob_tar *t = xcalloc(1, sizeof *t);

	*t = (struct blob_tar){.blob = b, .step = step, .max = max};
	t->unpacked = hash_new(HASH_SHA256);
	if (b->digest.n)
		t->packed = hash_new(HASH_SHA256);
	t->unpacker = unpacker_open(read_packed, t, b->name, e);
	if (t->unpacker)
		return t;
	blob_tar_close(t);
	return NULL;
}

/*
 * Some programs (umoci 0.4) write layers that end with the last byte of the last file.  What is missing
 * of its block is made up for, where the tar's sum is known and so a tar cut short is noticed.
 */
static ptrdiff_t pad(struct blob_tar *t, void *p, size_t n)
{
	size_t missing = (size_t)(BLOCK - t->n % BLOCK) % BLOCK;

	if (t->padded || t->blob->diff_id.n == 0 || n < missing)
		return 0;
	t->padded = true;
	memset(p, 0, missing);
	return (ptrdiff_t)missing;
}

ptrdiff_t blob_tar_read(void *blob_tar, void *p, size_t n, struct err *e)
{
	struct blob_tar *t = blob_tar;
	ptrdiff_t got = unpacker_read(t->unpacker, p, n, e);

	if (got <= 0)
		return got < 0 ? -1 : pad(t, p, n);
	t->n += (uint64_t)got;
	if (t->n > t->max)
		return err_set(
			e, ERR_INTEGRITY, "'%s' unpacks to more than is allowed", t->blob->name);
	hash_update(t->unpacked, p, (size_t)got);
	return got;
}

int blob_tar_end(struct blob_tar *t, struct arena *a, struct str *diff_id, struct err *e)
{
	char *chunk = xmalloc(CHUNK);
	uint8_t sum[SHA256_LEN];
	ptrdiff_t got;

	while ((got = blob_tar_read(t, chunk, CHUNK, e)) > 0)
		;
	while (got == 0 && t->packed && t->at < t->blob->size)
		if (read_packed(t, chunk, CHUNK, e) < 0)
			got = -1;
	free(chunk);
	if (got < 0)
		return -1;
	if (t->packed) {
		hash_final(t->packed, sum);
		if (check_sum("digest", t->blob, t->blob->digest, digest_text(a, sum), e) < 0)
			return -1;
	}
	hash_final(t->unpacked, sum);
	*diff_id = digest_text(a, sum);
	return check_sum("diff_id", t->blob, t->blob->diff_id, *diff_id, e);
}

void blob_tar_close(struct blob_tar *t)
{
	if (!t)
		return;
	unpacker_close(t->unpacker);
	hash_free(t->packed);
	hash_free(t->unpacked);
	free(t);
}

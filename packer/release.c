#include "packer/release.h"

#include "base/file.h"
#include "base/json.h"
#include "packer/attest.h"
#include "packer/pack.h"
#include "packer/sums.h"

#include <stdlib.h>

enum { READ_SIZE = 1 << 20, SUMS_MAX = 1 << 20, RUN_MAX = 64 << 20, ATTESTATION_MAX = 64 << 20 };

char *release_beside(struct arena *a, const struct release *r, const char *ending)
{
	return arena_printf(a, "%s.%s", r->stem, ending);
}

static char *beside_if_there(struct arena *a, const struct release *r, const char *ending)
{
	char *path = release_beside(a, r, ending);

	return path_exists(path) ? path : NULL;
}

/* --- the bytes -------------------------------------------------------------------------------- */

static int hash_part(struct archive_file *f, uint64_t from, uint64_t size, struct hash *whole,
	uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct hash *part = hash_new(HASH_SHA256);
	char *p = xmalloc(READ_SIZE);
	ptrdiff_t n = 0;

	for (uint64_t at = 0; n >= 0 && at < size; at += (uint64_t)(n < 0 ? 0 : n)) {
		uint64_t left = size - at;

		n = archive_file_pread(
			f, p, left < READ_SIZE ? (size_t)left : READ_SIZE, from + at, e);
		if (n > 0) {
			hash_update(part, p, (size_t)n);
			hash_update(whole, p, (size_t)n);
		}
	}
	hash_final(part, sha256);
	hash_free(part);
	free(p);
	return n < 0 ? -1 : 0;
}

static int hash_all(struct release *r, struct err *e)
{
	struct archive_file *f = archive_file_open(&r->parts, e);
	struct hash *whole;
	uint64_t at = 0;
	int rc = 0;

	if (!f)
		return -1;
	whole = hash_new(HASH_SHA256);
	for (size_t i = 0; rc == 0 && i < r->parts.n; at += r->parts.sizes[i++])
		rc = hash_part(f, at, r->parts.sizes[i], whole, r->part_sha256[i], e);
	hash_final(whole, r->sha256);
	hash_free(whole);
	archive_file_close(f);
	return rc;
}

/* --- NAME.sha256 ------------------------------------------------------------------------------ */

static int differs(const struct release *r, const char *path, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "'%s' is not what '%s' lists", path, r->sums);
	return err_advise(e, "bring the archive and its papers again from where they were made");
}

/* Archives of one name have the same papers, whatever their formats: those of the last. */
static int not_listed(const struct release *r, const char *path, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "'%s' does not list '%s'", r->sums, path_base(path));
	return err_advise(e, "was an archive of another format, or in parts, made under that name "
			     "since? Make this one again, or bring it with its own papers");
}

/* It lists exactly the parts. */
static int check_sums(struct arena *a, const struct release *r, struct err *e)
{
	struct table listed = {.arena = a};
	struct str text;

	if (file_read(a, r->sums, SUMS_MAX, &text, e) < 0)
		return -1;
	if (sums_read(&listed, text, NULL) < 0)
		return err_set(e, ERR_INTEGRITY, "'%s' is no list of sha256 sums", r->sums);
	for (size_t i = 0; i < r->parts.n; i++) {
		const char *path = r->parts.paths[i];
		union table_value *sum = table_get(&listed, str_of(path_base(path)));

		if (!sum)
			return not_listed(r, path, e);
		if (memcmp(sum->ptr, r->part_sha256[i], SHA256_LEN) != 0)
			return differs(r, path, e);
	}
	if (listed.n == r->parts.n)
		return 0;
	err_set(e, ERR_INTEGRITY, "'%s' lists %zu files, of which %zu are here", r->sums, listed.n,
		r->parts.n);
	return err_advise(e, "bring all parts into one folder");
}

/* --- NAME.run.json ---------------------------------------------------------------------------- */

static bool take_sum(const struct json *j, enum json_type t, uint8_t to[SHA256_LEN])
{
	return t == JSON_STRING && hex_decode(json_text(j), to, SHA256_LEN) == 0;
}

static void read_test_fact(
	struct arena *a, struct json *j, struct str key, enum json_type t, struct release_run *out)
{
	if (t != JSON_NUMBER)
		return;
	if (str_is(key, "status"))
		json_int(j, &out->status);
	if (str_is(key, "seconds"))
		out->seconds = strtod(arena_cstr(a, json_text(j)), NULL);
}

static void read_input_fact(
	struct arena *a, struct json *j, struct str key, enum json_type t, struct release_run *out)
{
	if (str_is(key, "sha256"))
		out->has_inputs = take_sum(j, t, out->inputs);
	if (str_is(key, "archive_time") && t == JSON_STRING)
		out->archive_time = arena_str(a, json_text(j));
}

static int read_group(struct arena *a, struct json *j, bool test, struct release_run *out)
{
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));

		t = json_next(j);
		if (test)
			read_test_fact(a, j, key, t, out);
		else
			read_input_fact(a, j, key, t, out);
		if (json_skip_rest(j, t) < 0)
			return -1;
	}
	return t == JSON_OBJECT_END ? 0 : -1;
}

static int read_fact(struct arena *a, struct json *j, struct release_run *out)
{
	struct str key = arena_str(a, json_text(j));
	enum json_type t = json_next(j);

	if (t == JSON_OBJECT && (str_is(key, "test") || str_is(key, "inputs")))
		return read_group(a, j, str_is(key, "test"), out);
	if (str_is(key, "sha256"))
		out->has_sha256 = take_sum(j, t, out->sha256);
	if (str_is(key, "tested"))
		out->tested = t == JSON_TRUE;
	if (str_is(key, "bytes") && t == JSON_NUMBER)
		json_int(j, &out->bytes);
	if (str_is(key, "unpacked_bytes") && t == JSON_NUMBER)
		json_int(j, &out->unpacked_bytes);
	return json_skip_rest(j, t);
}

int release_run_read(struct arena *a, const char *path, struct release_run *out, struct err *e)
{
	struct str text;
	struct json *j;
	enum json_type t;
	int rc = 0;

	*out = (struct release_run){.status = -1};
	if (file_read(a, path, RUN_MAX, &text, e) < 0)
		return -1;
	j = json_open_text(text, path);
	t = json_next(j);
	if (t == JSON_OBJECT)
		while (rc == 0 && (t = json_next(j)) == JSON_KEY)
			rc = read_fact(a, j, out);
	if (rc < 0 || t != JSON_OBJECT_END || json_next(j) != JSON_END)
		rc = json_error(j, e);
	json_close(j);
	return rc;
}

static int of_another(const struct release *r, const char *path, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "'%s' is of another archive than '%s'", path, r->parts.whole);
	return err_advise(e, "bring the archive and its papers again from where they were made");
}

/* What another run says of other bytes proves nothing. */
static int find_test(struct arena *a, struct release *r, struct err *e)
{
	struct release_run run;

	if (!r->run)
		return 0;
	if (release_run_read(a, r->run, &run, e) < 0)
		return -1;
	if (!run.has_sha256 || memcmp(run.sha256, r->sha256, SHA256_LEN) != 0)
		return of_another(r, r->run, e);
	r->unpacked_bytes = run.unpacked_bytes > 0 ? (uint64_t)run.unpacked_bytes : 0;
	if (run.tested)
		r->test = run.status == 0 ? RELEASE_TESTED : RELEASE_TEST_FAILED;
	return 0;
}

/* --- NAME.intoto.jsonl ------------------------------------------------------------------------ */

static bool is_subject(const struct release *r, const struct attest_statement *st)
{
	for (size_t i = 0; i < r->parts.n; i++)
		if (i >= st->n_subjects ||
			memcmp(st->subjects[i].sha256, r->part_sha256[i], SHA256_LEN) != 0)
			return false;
	return st->n_subjects == r->parts.n;
}

/* An attestation of other bytes proves nothing. */
static int check_attestation(struct arena *a, const struct release *r, struct err *e)
{
	char *path = beside_if_there(a, r, "intoto.jsonl");
	struct attest_statement *v;
	struct str text;
	size_t n;

	if (!path)
		return 0;
	if (file_read(a, path, ATTESTATION_MAX, &text, e) < 0 ||
		attest_parse(a, text, path, &v, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!is_subject(r, &v[i]))
			return of_another(r, path, e);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

int release_open(struct arena *a, const char *operand, struct release *out, struct err *e)
{
	int found;

	*out = (struct release){0};
	if (archive_parts_find(a, operand, &out->parts, e) < 0)
		return -1;
	if (S_ISDIR(out->parts.first.st_mode)) {
		err_set(e, ERR_USAGE, "'%s' is a folder, not an archive", operand);
		return err_advise(e, "make one with 'envbuild pack --format tar.gz', tar.zst, tar "
				     "or squashfs");
	}
	out->stem =
		arena_cstr(a, (struct str){out->parts.whole, pack_stem_length(out->parts.whole)});
	out->sums = beside_if_there(a, out, "sha256");
	out->run = beside_if_there(a, out, "run.json");
	out->part_sha256 = arena_alloc(a, out->parts.n * sizeof *out->part_sha256);
	if (hash_all(out, e) < 0 || (out->sums && check_sums(a, out, e) < 0) ||
		find_test(a, out, e) < 0 || check_attestation(a, out, e) < 0)
		return -1;
	found = manifest_read(a, out->parts.whole, &out->manifest, e);
	if (found < 0)
		return -1;
	return found ? 0
		     : err_set(e, ERR_INTEGRITY,
			       "'%s' carries no manifest: envbuild did not make it",
			       out->parts.whole);
}

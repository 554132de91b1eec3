#include "builder/bytecode_cache.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_FACTS = 256 << 20 };

/*
 * Facts: fields that each end with a NUL.
 *
 *	sha256 of all that follows
 *	"envbuild bytecode 1"    raised when our driver makes other bytes
 *	sha256 of the package file
 *	sha256 of the Python package's file
 *	site-packages, relative to the prefix        the key is the sha256 of these four
 *	per file, rising by source; file N of the entry is the Nth of these:
 *		path of the source in the package
 *		sha256 of the compiled file; "-": the source does not compile
 *		its size
 *
 * Sums are hexadecimal, numbers decimal.
 */
static const char VERSION[] = "envbuild bytecode 1";

/* --- writing ------------------------------------------------------------------------------ */

static void put(struct buf *to, struct str field)
{
	buf_str(to, field);
	buf_putc(to, '\0');
}

static void put_sum(struct buf *to, const uint8_t sum[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sum, SHA256_LEN, hex);
	put(to, str_of(hex));
}

static void put_head(struct buf *to, const struct bytecode_entry *entry)
{
	put(to, str_of(VERSION));
	put_sum(to, entry->package);
	put_sum(to, entry->python);
	put(to, entry->site_packages);
}

void bytecode_entry_init(struct bytecode_entry *entry, const struct package *package,
	const struct package *python, struct str site)
{
	CLEANUP_BUF head = {0};

	*entry = (struct bytecode_entry){.site_packages = site};
	memcpy(entry->package, package->sha256, SHA256_LEN);
	memcpy(entry->python, python->sha256, SHA256_LEN);
	put_head(&head, entry);
	sha256_of(head.p, head.n, entry->key);
}

char *bytecode_entry_rel(struct arena *a, const uint8_t key[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(key, SHA256_LEN, hex);
	return arena_printf(a, "bytecode/%.2s/%s", hex, hex);
}

static void encode(const struct bytecode_entry *entry, struct buf *to)
{
	CLEANUP_BUF body = {0};
	uint8_t sum[SHA256_LEN];
	char size[24];

	put_head(&body, entry);
	for (size_t i = 0; i < entry->n_files; i++) {
		const struct bytecode *f = &entry->files[i];
		put(&body, f->source);
		if (f->absent)
			put(&body, STR("-"));
		else
			put_sum(&body, f->sha256);
		snprintf(size, sizeof size, "%llu", (unsigned long long)f->size);
		put(&body, str_of(size));
	}
	sha256_of(body.p, body.n, sum);
	put_sum(to, sum);
	buf_str(to, buf_view(&body));
}

/* --- reading ------------------------------------------------------------------------------ */

struct files {
	struct bytecode *v;
	size_t n, cap;
};

static int take_sum(struct str *rest, uint8_t out[SHA256_LEN])
{
	return hex_decode(str_cut(rest, '\0'), out, SHA256_LEN);
}

static int take_file(struct arena *a, struct str *rest, const char *dir, struct files *files)
{
	struct str source = str_cut(rest, '\0'), sum = str_cut(rest, '\0');
	struct bytecode f = {.source = source, .absent = str_is(sum, "-"), .dir = dir};

	if (!path_is_safe(source) || str_u64(str_cut(rest, '\0'), INT64_MAX, &f.size) < 0 ||
		(!f.absent && hex_decode(sum, f.sha256, SHA256_LEN) < 0) ||
		(files->n > 0 && str_cmp(files->v[files->n - 1].source, source) >= 0))
		return -1;
	f.name = arena_printf(a, "%zu", files->n);
	*VEC_PUSH(a, files) = f;
	return 0;
}

static int decode(struct arena *a, struct str text, const char *dir, struct bytecode_entry *out)
{
	struct str rest = text;
	struct files files = {0};
	uint8_t sum[SHA256_LEN], is[SHA256_LEN];

	if (text.n == 0 || text.p[text.n - 1] != '\0' || take_sum(&rest, sum) < 0)
		return -1;
	sha256_of(rest.p, rest.n, is);
	struct str head = rest;
	if (memcmp(sum, is, SHA256_LEN) != 0 || !str_is(str_cut(&rest, '\0'), VERSION) ||
		take_sum(&rest, out->package) < 0 || take_sum(&rest, out->python) < 0)
		return -1;
	out->site_packages = str_cut(&rest, '\0');
	head.n -= rest.n;
	sha256_of(head.p, head.n, out->key);
	while (rest.n > 0)
		if (take_file(a, &rest, dir, &files) < 0)
			return -1;
	out->files = files.v;
	out->n_files = files.n;
	return 0;
}

int bytecode_entry_read(struct arena *a, const char *dir, struct bytecode_entry *out, struct err *e)
{
	uint8_t key[SHA256_LEN];
	struct str text;

	*out = (struct bytecode_entry){0};
	if (file_read(a, path_join(a, dir, "facts"), MAX_FACTS, &text, e) < 0)
		return -1;
	if (decode(a, text, path_join(a, dir, "files"), out) < 0)
		return err_set(
			e, ERR_INTEGRITY, "the facts of compiled files in '%s' are damaged", dir);
	if (hex_decode(str_of(path_base(dir)), key, SHA256_LEN) < 0 ||
		memcmp(key, out->key, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "compiled files in '%s' are another entry's", dir);
	return 0;
}

static int verify_file(struct arena *a, const struct bytecode *f, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	char *path = path_join(a, f->dir, f->name);

	if (f->absent)
		return 0;
	if (file_hash(path, sha256, NULL, e) < 0)
		return -1;
	if (memcmp(sha256, f->sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "compiled file '%s' was changed", path);
	return 0;
}

int bytecode_entry_verify(const char *dir, struct err *e)
{
	struct arena a = {0};
	struct bytecode_entry entry;
	int rc = bytecode_entry_read(&a, dir, &entry, e);

	for (size_t i = 0; rc == 0 && i < entry.n_files; i++)
		rc = verify_file(&a, &entry.files[i], e);
	arena_release(&a);
	return rc;
}

static int by_source(const void *key, const void *file)
{
	return str_cmp(*(const struct str *)key, ((const struct bytecode *)file)->source);
}

const struct bytecode *bytecode_entry_find(const struct bytecode_entry *entry, struct str source)
{
	return entry->n_files ? bsearch(&source, entry->files, entry->n_files, sizeof *entry->files,
					by_source)
			      : NULL;
}

/* --- publishing --------------------------------------------------------------------------- */

static bool is_readable(const char *dir)
{
	struct arena a = {0};
	struct bytecode_entry entry;
	bool is = bytecode_entry_read(&a, dir, &entry, NULL) == 0;

	arena_release(&a);
	return is;
}

/* An entry that stands there already is as good; a damaged one makes room. */
static int rename_draft(struct arena *a, const char *draft, const char *to, struct err *e)
{
	for (int tries = 0; tries < 2; tries++) {
		if (rename(draft, to) == 0)
			return dir_sync(path_dir(a, to), e);
		if (errno != EEXIST && errno != ENOTEMPTY)
			break;
		if (is_readable(to))
			return 0;
		rename(to, arena_printf(a, "%s.damaged", draft));
	}
	return err_sys(e, "cannot rename '%s' to '%s'", draft, to);
}

int bytecode_entry_publish(
	const struct cache *c, const char *draft, const struct bytecode_entry *entry, struct err *e)
{
	struct arena a = {0};
	CLEANUP_BUF text = {0};
	char *to = path_join(&a, c->dir, bytecode_entry_rel(&a, entry->key));
	int rc = -1;

	encode(entry, &text);
	if (file_write(path_join(&a, draft, "facts"), buf_view(&text), 0644, e) == 0 &&
		dir_make(path_dir(&a, to), e) == 0)
		rc = rename_draft(&a, draft, to, e);
	arena_release(&a);
	return rc;
}

/* ELF facts and symbols in the entries of the package cache. */
#include "base/file.h"
#include "base/log.h"
#include "builder/binaries_inside.h"
#include "builder/entry.h"

#include <errno.h>
#include <unistd.h>

const char *const BINARIES_NAMES[BINARIES_FILES] = {"elf", "symbols"};
enum { ELF, SYMBOLS };
/* Bytes of such a file; what would be larger is not kept. */
enum { MAX_ELF = 256 << 20, MAX_SYMBOLS = 1 << 30 };

/* --- writing ------------------------------------------------------------------------------ */

/* Each tells by itself whether it is whole; a new entry is synced as a whole before it is published. */
static int write_file(const char *path, const char *tmp, const struct buf *text, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};

	if (file_begin_in(&out, path, tmp, 0644, e) < 0)
		return -1;
	if (write_full(out.fd, text->p, text->n, e) < 0)
		return err_wrap(e, "while writing '%s'", path);
	return file_commit_unsynced(&out, e);
}

static int write_elf(const char *dir, const char *tmp, const struct binaries *b, struct err *e)
{
	struct arena a = {0};
	CLEANUP_BUF text = {.max = MAX_ELF};
	int rc = 0;

	binaries_encode(b, &text);
	if (!text.overflow)
		rc = write_file(path_join(&a, dir, BINARIES_NAMES[ELF]), tmp, &text, e);
	arena_release(&a);
	return rc;
}

static int write_symbols(const char *dir, const char *tmp, const struct symbols_writer *w,
	const uint8_t sha256[32], struct err *e)
{
	struct arena a = {0};
	CLEANUP_BUF text = {.max = MAX_SYMBOLS};
	int rc = 0;

	symbols_encode(w, sha256, &text);
	if (!text.overflow && !w->bytes.overflow)
		rc = write_file(path_join(&a, dir, BINARIES_NAMES[SYMBOLS]), tmp, &text, e);
	arena_release(&a);
	return rc;
}

int binaries_write(
	const char *dir, const struct extraction *x, const struct package *p, struct err *e)
{
	struct arena a = {0};
	struct symbols_writer w = {.arena = &a, .bytes.max = MAX_SYMBOLS};
	const struct compute_options o = {.x = x, .symbols = &w};
	struct binaries b;
	struct err own = {0};
	int rc = binaries_read(&a, p, &o, &b, &own);

	if (rc < 0 && own.code == ERR_INTEGRITY) {
		/* It can be installed all the same; whoever audits it will be told. */
		log_debug("no ELF facts are kept: %s", own.text);
		err_release(&own);
		rc = 0;
	} else if (rc < 0) {
		err_move(e, &own);
	} else {
		rc = write_elf(dir, NULL, &b, e);
		if (rc == 0 && b.n)
			rc = write_symbols(dir, NULL, &w, p->sha256, e);
	}
	buf_release(&w.bytes);
	arena_release(&a);
	return rc;
}

/* --- looking ------------------------------------------------------------------------------ */

static int check_elf(struct arena *a, struct str text, const uint8_t sha256[32],
	struct binaries *out, struct err *e)
{
	if (binaries_decode(a, text, out, e) < 0)
		return -1;
	if (memcmp(out->sha256, sha256, sizeof out->sha256) != 0)
		return err_set(e, ERR_INTEGRITY, "the ELF facts are another package's");
	return 0;
}

int binaries_check(const char *dir, const char *name, const uint8_t sha256[32], struct err *e)
{
	struct arena a = {0};
	char *path = path_join(&a, dir, name);
	struct binaries b;
	struct str text;
	int rc = 0;

	if (path_exists(path) && (rc = file_map(path, &text, e)) == 0) {
		rc = strcmp(name, BINARIES_NAMES[ELF]) == 0 ? check_elf(&a, text, sha256, &b, e)
							    : symbols_check(text, sha256, e);
		file_unmap(text);
	}
	arena_release(&a);
	return rc;
}

/* What is wrong with one that is there is no matter: it is made anew. */
static void say_damaged(const char *path, struct err *e)
{
	if (e->sys != ENOENT)
		log_debug("'%s' is not used: %s", path, e->text);
	err_release(e);
}

static bool load_kept(
	struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN], struct binaries *out)
{
	char *dir;

	for (size_t i = 0; (dir = entry_dir_at(a, c, key, i)); i++) {
		char *path = path_join(a, dir, BINARIES_NAMES[ELF]);
		struct str text;
		struct err e = {0};

		/* As for the package itself: the cleaner sees that it is in use. */
		if (i == 0 && entry_touch(dir) < 0)
			continue;
		if (file_read(a, path, MAX_ELF, &text, &e) == 0 &&
			check_elf(a, text, key, out, &e) == 0)
			return true;
		say_damaged(path, &e);
	}
	return false;
}

/* The folder of the entry that p was loaded from, if it is ours to write to; else NULL. */
static char *own_dir(struct arena *a, const struct cache *c, const struct package *p)
{
	char *dir = entry_dir(a, c, p->sha256);

	return strcmp(path_join(a, dir, "files"), p->dir) == 0 && access(dir, W_OK) == 0 ? dir
											 : NULL;
}

/* 1; 0: the package is not in the cache, or not whole there. */
static int load_package(struct arena *a, const struct cache *c, const struct record *r,
	struct package *out, struct err *e)
{
	if (!entry_intact(c, r))
		return 0;
	return package_load(a, c, r, out, e) < 0 ? -1 : 1;
}

static int make_anew(struct arena *a, const struct cache *c, const struct record *r,
	struct binaries *out, struct err *e)
{
	struct package p;
	char *dir;
	int rc = load_package(a, c, r, &p, e);

	if (rc <= 0)
		return rc;
	if (binaries_compute(a, &p, out, e) < 0)
		return -1;
	dir = own_dir(a, c, &p);
	/* Where this cannot be written the next run does the same again. */
	if (dir)
		write_elf(dir, path_join(a, c->dir, "tmp"), out, NULL);
	return 1;
}

int binaries_load(struct arena *a, const struct cache *c, const struct known_binaries *known,
	const struct record *r, struct binaries *out, struct err *e)
{
	uint8_t key[SHA256_LEN];
	union table_value *v = NULL;

	if (entry_key(c, r, key)) {
		int rc = load_kept(a, c, key, out) ? 1 : make_anew(a, c, r, out, e);

		if (rc != 0)
			return rc;
	}
	if (known && r->has_sha256)
		v = table_get(&known->by_sum, str_n((const char *)r->sha256, SHA256_LEN));
	if (v)
		*out = *(const struct binaries *)v->ptr;
	return v != NULL;
}

/* --- symbols ------------------------------------------------------------------------------ */

/* 1, 0 as symbols_find; -1: there is no file that is whole. */
static int find_kept(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN],
	struct str path, struct elf_symbols *out)
{
	char *dir;

	for (size_t i = 0; (dir = entry_dir_at(a, c, key, i)); i++) {
		char *file = path_join(a, dir, BINARIES_NAMES[SYMBOLS]);
		struct err e = {0};
		struct str text;
		int r = -1;

		if (file_map(file, &text, &e) == 0) {
			r = symbols_find(a, text, key, path, out, &e);
			file_unmap(text);
		}
		if (r >= 0)
			return r;
		say_damaged(file, &e);
	}
	return -1;
}

/* All of a package that is ours, for those who ask next; else those of the file alone. */
static int find_anew(struct arena *a, const struct cache *c, const struct package *p,
	struct str path, struct elf_symbols *out, struct err *e)
{
	struct arena scratch = {0};
	char *dir = own_dir(&scratch, c, p);
	struct symbols_writer w = {.arena = &scratch, .bytes.max = MAX_SYMBOLS};
	const struct compute_options o = {.symbols = &w, .only = dir ? (struct str){0} : path};
	CLEANUP_BUF text = {0};
	int rc = binaries_read(&scratch, p, &o, NULL, e);

	if (rc == 0 && dir)
		write_symbols(dir, path_join(&scratch, c->dir, "tmp"), &w, p->sha256, NULL);
	if (rc == 0) {
		symbols_encode(&w, p->sha256, &text);
		rc = symbols_find(a, buf_view(&text), p->sha256, path, out, e);
	}
	buf_release(&w.bytes);
	arena_release(&scratch);
	return rc;
}

int binaries_symbols(struct arena *a, const struct cache *c, const struct record *r,
	struct str path, struct elf_symbols *out, struct err *e)
{
	struct arena scratch = {0};
	uint8_t key[SHA256_LEN];
	struct package p;
	int rc = 0;

	*out = (struct elf_symbols){0};
	if (entry_key(c, r, key) && (rc = find_kept(a, c, key, path, out)) < 0) {
		rc = load_package(&scratch, c, r, &p, e);
		if (rc > 0)
			rc = find_anew(a, c, &p, path, out, e);
	}
	arena_release(&scratch);
	return rc;
}

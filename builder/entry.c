#include "builder/entry.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_FACTS = 1 << 30 };

char *entry_dir(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(key, SHA256_LEN, hex);
	return arena_printf(a, "%s/pkgs/%.2s/%s", c->dir, hex, hex);
}

static char *md5_path(struct arena *a, const struct cache *c, const struct record *r)
{
	char hex[MD5_HEX + 1];

	hex_encode(r->md5, MD5_LEN, hex);
	return arena_printf(a, "%s/md5/%s", c->dir, hex);
}

int entry_key(const struct cache *c, const struct record *r, uint8_t key[SHA256_LEN])
{
	struct arena a = {0};
	struct str text;
	int found = 0;

	if (r->has_sha256) {
		memcpy(key, r->sha256, SHA256_LEN);
		return 1;
	}
	if (r->has_md5 && file_read(&a, md5_path(&a, c, r), 128, &text, NULL) == 0)
		found = hex_decode(str_trim(text), key, SHA256_LEN) == 0;
	arena_release(&a);
	return found;
}

/* --- looking ------------------------------------------------------------------------------ */

static int load(struct arena *a, const struct cache *c, const struct record *r, struct package *out,
	struct err *e)
{
	uint8_t key[SHA256_LEN];
	struct str text;

	*out = (struct package){.record = r};
	if (!entry_key(c, r, key))
		return err_set(e, ERR_FAIL, "package '%.*s' is not in the cache", STR_ARG(r->fn));
	char *dir = entry_dir(a, c, key);
	if (file_read(a, path_join(a, dir, "facts"), MAX_FACTS, &text, e) < 0 ||
		facts_decode(a, text, out, e) < 0)
		return err_wrap(e, "package '%.*s' in the cache", STR_ARG(r->fn));
	if (memcmp(out->sha256, key, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY,
			"the facts of package '%.*s' in the cache are another package's",
			STR_ARG(r->fn));
	out->dir = path_join(a, dir, "files");
	return 0;
}

int package_load(struct arena *a, const struct cache *c, const struct record *r,
	struct package *out, struct err *e)
{
	if (load(a, c, r, out, e) < 0)
		return err_advise(e, "run the command again: a damaged entry is made anew");
	return 0;
}

/* Renames what is there to a temporary and removes it, so that a kill leaves no half entry. */
static void discard(struct arena *a, const struct cache *c, const char *dir)
{
	char *temp = dir_temp(a, path_join(a, c->dir, "tmp"), "bad", NULL);

	if (!temp)
		return;
	rename(dir, path_join(a, temp, "entry"));
	dir_remove(temp, NULL);
}

bool entry_usable(const struct cache *c, const struct record *r)
{
	struct arena a = {0};
	struct package p;
	struct err err = {0};
	uint8_t key[SHA256_LEN];
	bool usable = load(&a, c, r, &p, &err) == 0;

	if (!usable && entry_key(c, r, key)) {
		char *dir = entry_dir(&a, c, key);
		if (path_exists(dir)) {
			log_debug("%s: it is made anew", err.text);
			discard(&a, c, dir);
		}
	}
	err_release(&err);
	arena_release(&a);
	return usable;
}

/* --- making ------------------------------------------------------------------------------- */

static int sums_differ(const struct record *r, const char *what, const uint8_t *is,
	const uint8_t *should, size_t n, uint64_t size, struct err *e)
{
	char a[SHA256_HEX + 1], b[SHA256_HEX + 1];

	hex_encode(is, n, a);
	hex_encode(should, n, b);
	err_set(e, ERR_INTEGRITY,
		"package '%.*s' is damaged: its %s is %s, the channel says %s (%llu bytes, the "
		"channel says %llu)",
		STR_ARG(r->fn), what, a, b, (unsigned long long)size, (unsigned long long)r->size);
	return err_advise(e,
		"'%.*s' holds another file than its index says; fetch it again or "
		"ask who runs the channel",
		STR_ARG(r->channel));
}

int record_check_sums(const struct record *r, const uint8_t sha256[SHA256_LEN],
	const uint8_t md5[MD5_LEN], uint64_t size, struct err *e)
{
	if (r->has_sha256 && memcmp(sha256, r->sha256, SHA256_LEN) != 0)
		return sums_differ(r, "sha256", sha256, r->sha256, SHA256_LEN, size, e);
	if (r->has_md5 && memcmp(md5, r->md5, MD5_LEN) != 0)
		return sums_differ(r, "md5", md5, r->md5, MD5_LEN, size, e);
	if (!r->has_sha256 && !r->has_md5)
		return err_set(e, ERR_INTEGRITY,
			"the channel gives neither sha256 nor md5 of package '%.*s'",
			STR_ARG(r->fn));
	if (r->size && size != r->size)
		return err_set(e, ERR_INTEGRITY,
			"package '%.*s' has %llu bytes, the channel says %llu", STR_ARG(r->fn),
			(unsigned long long)size, (unsigned long long)r->size);
	return 0;
}

static int write_facts(const struct package *p, const char *dir, struct err *e)
{
	struct arena a = {0};
	CLEANUP_BUF text = {0};

	facts_encode(p, &text);
	int rc = file_write(path_join(&a, dir, "facts"), buf_view(&text), 0644, e);
	arena_release(&a);
	return rc;
}

static int fill_draft(struct arena *scratch, const struct record *r, const char *path, bool verify,
	struct entry_draft *d, struct err *e)
{
	char *files = path_join(scratch, d->dir, "files"), *fn = arena_cstr(scratch, r->fn);
	struct extraction x;
	struct package p;
	struct err sums = {0};

	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open package '%s'", path);
	CLEANUP_FD root = mkdir(files, 0755) < 0
				  ? -1
				  : open(files, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "cannot make '%s'", files);
	int rc = extract_package(scratch, fd, fn, root, &x, e);
	if (verify && x.size > 0 && record_check_sums(r, x.sha256, x.md5, x.size, &sums) < 0) {
		err_release(e);
		return err_move(e, &sums);
	}
	if (rc < 0 || facts_compute(scratch, &x, files, root, r, &p, e) < 0)
		return -1;
	memcpy(d->key, x.sha256, SHA256_LEN);
	for (size_t i = 0; i < x.n; i++)
		d->bytes += x.v[i].size;
	return write_facts(&p, d->dir, e);
}

int entry_make(struct arena *a, const struct cache *c, const struct record *r, const char *path,
	bool verify, struct entry_draft *out, struct err *e)
{
	struct arena scratch = {0};

	*out = (struct entry_draft){.record = r};
	out->dir = dir_temp(a, path_join(&scratch, c->dir, "tmp"), "pkg", e);
	int rc = out->dir ? fill_draft(&scratch, r, path, verify, out, e) : -1;
	if (rc < 0 && out->dir)
		dir_remove(out->dir, NULL);
	arena_release(&scratch);
	return rc;
}

/* --- publishing --------------------------------------------------------------------------- */

int disk_sync(int fd, const char *path, struct err *e)
{
	const char *off = getenv("ENVBUILD_NO_FSYNC");

	if ((!off || *off != '1') && syncfs(fd) < 0)
		return err_sys(e, "cannot write '%s' to disk", path);
	return 0;
}

static int sync_cache(const struct cache *c, struct err *e)
{
	CLEANUP_FD fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open the cache '%s'", c->dir);
	return disk_sync(fd, c->dir, e);
}

/* Remembers which package an md5 stands for, for channels that give no sha256. */
static int remember_md5(
	struct arena *a, const struct cache *c, const struct entry_draft *d, struct err *e)
{
	char hex[SHA256_HEX + 1];

	if (d->record->has_sha256 || !d->record->has_md5)
		return 0;
	hex_encode(d->key, SHA256_LEN, hex);
	return file_write(md5_path(a, c, d->record), arena_strf(a, "%s\n", hex), 0644, e);
}

static int publish_one(
	struct arena *a, const struct cache *c, const struct entry_draft *d, struct err *e)
{
	char *to = entry_dir(a, c, d->key), *shelf = path_dir(a, to);

	if (dir_make(shelf, e) < 0)
		return -1;
	if (rename(d->dir, to) < 0) {
		if (errno != EEXIST && errno != ENOTEMPTY)
			return err_sys(e, "cannot rename '%s' to '%s'", d->dir, to);
		dir_remove(d->dir, NULL);
	} else if (dir_sync(shelf, e) < 0) {
		return -1;
	}
	return remember_md5(a, c, d, e);
}

int entry_publish(const struct cache *c, const struct entry_draft *drafts, size_t n, struct err *e)
{
	struct arena a = {0};
	int rc = n ? sync_cache(c, e) : 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = publish_one(&a, c, &drafts[i], e);
	for (size_t i = 0; i < n && rc < 0; i++)
		dir_remove(drafts[i].dir, NULL);
	arena_release(&a);
	return rc;
}

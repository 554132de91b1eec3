#include "builder/entry.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/beneath.h"
#include "builder/binaries.h"
#include "builder/facts.h"
#include "builder/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static char *md5_path(struct arena *a, const char *cache, const struct record *r)
{
	char hex[MD5_HEX + 1];

	hex_encode(r->md5, MD5_LEN, hex);
	return arena_printf(a, "%s/md5/%s", cache, hex);
}

static bool read_key(const char *path, uint8_t key[SHA256_LEN])
{
	struct arena a = {0};
	struct str text;
	bool found = file_read(&a, path, 128, &text, NULL) == 0 &&
		     hex_decode(str_trim(text), key, SHA256_LEN) == 0;

	arena_release(&a);
	return found;
}

int entry_key(const struct cache *c, const struct record *r, uint8_t key[SHA256_LEN])
{
	struct arena a = {0};
	int found;

	if (r->has_sha256) {
		memcpy(key, r->sha256, SHA256_LEN);
		return 1;
	}
	if (!r->has_md5)
		return 0;
	found = read_key(md5_path(&a, c->dir, r), key);
	for (size_t i = 0; !found && i < c->n_layers; i++)
		found = read_key(md5_path(&a, c->layers[i], r), key);
	arena_release(&a);
	return found;
}

/* --- looking ------------------------------------------------------------------------------ */

int entry_touch(const char *dir)
{
	enum { COARSE_S = 2 };
	struct stat st;

	if (stat(dir, &st) < 0)
		return -1;
	if (time(NULL) - st.st_mtime < COARSE_S && st.st_mtime <= time(NULL))
		return 0;
	/* A cache that may only be read is used all the same. */
	return utimensat(AT_FDCWD, dir, NULL, 0) < 0 && errno == ENOENT ? -1 : 0;
}

static int differs(const struct package_file *f, const char *what, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%.*s' was changed in the cache: its %s is another",
		STR_ARG(f->path), what);
}

static int check_file(int files, const struct package_file *f, struct err *e)
{
	char path[BENEATH_PATH_MAX];
	struct stat st;

	memcpy(path, f->path.p, f->path.n); /* path_is_safe: it fits */
	path[f->path.n] = '\0';
	if (fstatat(files, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "cannot look at '%s'", path);
	switch (f->type) {
	case PATH_FILE:
		if (!S_ISREG(st.st_mode))
			return differs(f, "type", e);
		if ((uint64_t)st.st_size != f->size)
			return differs(f, "size", e);
		if ((st.st_mode & 07777) != f->mode)
			return differs(f, "mode", e);
		return st.st_mtime == f->mtime ? 0 : differs(f, "time", e);
	case PATH_SOFTLINK:
		if (!S_ISLNK(st.st_mode))
			return differs(f, "type", e);
		return (size_t)st.st_size == f->link.n ? 0 : differs(f, "target", e);
	case PATH_DIRECTORY:
		return S_ISDIR(st.st_mode) ? 0 : differs(f, "type", e);
	}
	return 0;
}

int entry_check_files(const struct package *p, struct err *e)
{
	CLEANUP_FD fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = fd < 0 ? err_sys(e, "cannot open '%s'", p->dir) : 0;

	for (size_t i = 0; i < p->n_files && rc == 0; i++)
		rc = check_file(fd, &p->files[i], e);
	return rc;
}

static char *dir_in(struct arena *a, const char *cache, const uint8_t key[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(key, SHA256_LEN, hex);
	return arena_printf(a, "%s/pkgs/%.2s/%s", cache, hex, hex);
}

char *entry_dir(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN])
{
	return dir_in(a, c->dir, key);
}

char *entry_dir_at(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN], size_t i)
{
	if (i > c->n_layers)
		return NULL;
	return dir_in(a, i == 0 ? c->dir : c->layers[i - 1], key);
}

/* The entry at dir, with what its facts say. */
static int load_at(struct arena *a, const char *dir, bool ours, const uint8_t key[SHA256_LEN],
	struct package *out, struct err *e)
{
	if (facts_load(a, dir, ours, out, e) < 0)
		return -1;
	if (memcmp(out->sha256, key, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "its facts are another package's");
	return 0;
}

/* The same, of another cache: its files are always looked at, since nobody mends them. */
static bool load_below(struct arena *a, const struct cache *c, const struct record *r,
	const uint8_t key[SHA256_LEN], struct package *out)
{
	for (size_t i = 0; i < c->n_layers; i++) {
		char *dir = dir_in(a, c->layers[i], key);
		struct err e = {0};

		*out = (struct package){.record = r};
		if (!path_exists(dir))
			continue;
		if (load_at(a, dir, false, key, out, &e) == 0 && entry_check_files(out, &e) == 0)
			return true;
		log_warn("'%s' is passed over: %s", dir, e.text);
		err_release(&e);
	}
	return false;
}

/* check: look at the files too. */
static int load(struct arena *a, const struct cache *c, const struct record *r, bool check,
	struct package *out, struct err *e)
{
	uint8_t key[SHA256_LEN];
	struct err own = {0};

	*out = (struct package){.record = r};
	if (!entry_key(c, r, key))
		return err_set(e, ERR_FAIL, "package '%.*s' is not in the cache", STR_ARG(r->fn));
	char *dir = entry_dir(a, c, key);
	/* The time first: then the cleaner sees it, or we see that the entry is gone. */
	entry_touch(dir);
	if (load_at(a, dir, true, key, out, &own) == 0 &&
		(!check || entry_check_files(out, &own) == 0))
		return 0;
	if (load_below(a, c, r, key, out)) {
		err_release(&own);
		return 0;
	}
	err_move(e, &own);
	return err_wrap(e, "package '%.*s' in the cache", STR_ARG(r->fn));
}

int package_load(struct arena *a, const struct cache *c, const struct record *r,
	struct package *out, struct err *e)
{
	if (load(a, c, r, false, out, e) < 0)
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

bool entry_is_damaged(const struct err *e)
{
	return e->code != ERR_INTERRUPTED && e->sys != EMFILE && e->sys != ENFILE &&
	       e->sys != ENOMEM && e->sys != EACCES && e->sys != EPERM;
}

static bool is_usable(const struct cache *c, const struct record *r, bool check)
{
	struct arena a = {0};
	struct package p;
	struct err err = {0};
	uint8_t key[SHA256_LEN];
	bool usable = load(&a, c, r, check, &p, &err) == 0;

	if (!usable && entry_is_damaged(&err) && entry_key(c, r, key)) {
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

bool entry_usable(const struct cache *c, const struct record *r)
{
	return is_usable(c, r, false);
}

bool entry_intact(const struct cache *c, const struct record *r)
{
	return is_usable(c, r, true);
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

static int write_facts(
	const struct package *p, const struct extraction *x, const char *dir, struct err *e)
{
	struct arena a = {0};
	CLEANUP_BUF text = {0};

	facts_encode(p, &text);
	int rc = file_write(path_join(&a, dir, "facts"), buf_view(&text), 0644, e);
	if (rc == 0)
		rc = binaries_write(dir, x, p, e);
	arena_release(&a);
	return rc;
}

/* The sums of a file that was not read to its end say nothing. */
static int check_extraction(const struct record *r, const struct package_source *from,
	const struct extraction *x, struct err *e)
{
	if (!x->whole || from->sums)
		return 0;
	return record_check_sums(r, x->sums.sha256, x->sums.md5, x->sums.size, e);
}

static int fill_draft(struct arena *scratch, const struct record *r,
	const struct package_source *from, struct entry_draft *d, struct err *e)
{
	char *files = path_join(scratch, d->dir, "files"), *fn = arena_cstr(scratch, r->fn);
	struct extraction x;
	struct package p;
	struct err failed = {0};

	CLEANUP_FD root = mkdir(files, 0755) < 0
				  ? -1
				  : open(files, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "cannot make '%s'", files);
	int rc = extract_package(scratch, from, fn, root, &x, &failed);
	if (check_extraction(r, from, &x, e) < 0) {
		err_release(&failed);
		return -1;
	}
	if (rc < 0)
		return err_move(e, &failed);
	if (facts_compute(scratch, &x, files, root, r, &p, e) < 0)
		return -1;
	memcpy(d->key, x.sums.sha256, SHA256_LEN);
	for (size_t i = 0; i < x.n; i++)
		d->bytes += x.v[i].size;
	return write_facts(&p, &x, d->dir, e);
}

static int take_draft(struct arena *scratch, const struct record *r, const char *dir,
	struct entry_draft *d, struct err *e)
{
	char *files = path_join(scratch, d->dir, "files");
	struct extraction x;
	struct package p;

	if (mkdir(files, 0755) < 0)
		return err_sys(e, "cannot make '%s'", files);
	CLEANUP_FD root = open(files, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "cannot open '%s'", files);
	if (layer_take_extracted(scratch, r, dir, files, &x, e) < 0 ||
		facts_compute(scratch, &x, files, root, r, &p, e) < 0)
		return -1;
	memcpy(d->key, x.sums.sha256, SHA256_LEN);
	for (size_t i = 0; i < x.n; i++)
		d->bytes += x.v[i].size;
	return write_facts(&p, &x, d->dir, e);
}

int entry_extract(struct arena *a, const struct cache *c, const struct record *r,
	const struct package_source *from, struct entry_draft *out, struct err *e)
{
	struct arena scratch = {0};

	*out = (struct entry_draft){.record = r};
	out->dir = dir_temp(a, path_join(&scratch, c->dir, "tmp"), "pkg", e);
	int rc = out->dir ? fill_draft(&scratch, r, from, out, e) : -1;
	if (rc < 0 && out->dir)
		dir_remove(out->dir, NULL);
	arena_release(&scratch);
	return rc;
}

struct local_file {
	const char *path;
	int fd;
};

static ptrdiff_t read_local(void *ctx, void *p, size_t n, struct err *e)
{
	struct local_file *f = ctx;
	ssize_t got = read_full(f->fd, p, n);

	return got < 0 ? err_sys(e, "cannot read package '%s'", f->path) : got;
}

int entry_make(struct arena *a, const struct cache *c, const struct record *r, const char *path,
	struct bunzip_crew *crew, struct entry_draft *out, struct err *e)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	struct local_file file = {path, fd};
	struct package_source from = {.read = read_local, .ctx = &file, .crew = crew};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open package '%s'", path);
	from.size = (uint64_t)st.st_size;
	return entry_extract(a, c, r, &from, out, e);
}

int entry_take_extracted(struct arena *a, const struct cache *c, const struct record *r,
	const char *dir, struct entry_draft *out, struct err *e)
{
	struct arena scratch = {0};

	*out = (struct entry_draft){.record = r};
	out->dir = dir_temp(a, path_join(&scratch, c->dir, "tmp"), "pkg", e);
	int rc = out->dir ? take_draft(&scratch, r, dir, out, e) : -1;
	if (rc < 0 && out->dir)
		dir_remove(out->dir, NULL);
	arena_release(&scratch);
	return rc;
}

/* --- publishing --------------------------------------------------------------------------- */

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
	return file_write(md5_path(a, c->dir, d->record), arena_strf(a, "%s\n", hex), 0644, e);
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

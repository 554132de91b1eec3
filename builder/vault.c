#include "builder/vault.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/table.h"
#include "base/work.h"
#include "builder/channel_index.h"
#include "builder/entry.h"
#include "builder/layer.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static const uint64_t MAX_FILE = 64ull << 30;
enum { STALE_S = 60 * 60, MAX_LOCK = 256 << 20 };

/* One file of the vault. */
struct item {
	struct record sums;          /* name, sums and size to compare with; of a wheel too */
	const struct record *record; /* of a package; NULL: a wheel */
	bool built;                  /* a wheel that no URL gives */
	char *path;                  /* where it goes */
	bool there;
	/* While it is fetched. */
	struct file_out file;
	struct hash *sha256, *md5;
	uint64_t size;
	struct step *step;
};

struct vault {
	const struct vault_request *r;
	struct arena *arena;
	struct {
		struct item *v;
		size_t n, cap;
	} items;
	struct table by_path;
	size_t packages;
	struct step step;
};

/* --- what belongs in it ------------------------------------------------------------------- */

static int add_item(struct vault *v, const struct item *item, struct err *e)
{
	union table_value *seen = table_put(&v->by_path, str_of(item->path));

	if (seen->num) {
		const struct record *other = &v->items.v[seen->num - 1].sums, *r = &item->sums;
		bool same = other->has_sha256 && r->has_sha256
				    ? memcmp(other->sha256, r->sha256, SHA256_LEN) == 0
				    : other->has_md5 && r->has_md5 &&
					      memcmp(other->md5, r->md5, MD5_LEN) == 0;

		if (same)
			return 0;
		err_set(e, ERR_INTEGRITY,
			"two packages of the lock are called '%.*s': of '%.*s' and '%.*s'",
			STR_ARG(r->fn), STR_ARG(other->channel), STR_ARG(r->channel));
		return err_advise(e, "keep them in two vaults, one for each target (-t)");
	}
	*VEC_PUSH(v->arena, &v->items) = *item;
	seen->num = v->items.n;
	return 0;
}

static int add_package(struct vault *v, const struct record *r, struct err *e)
{
	if (!path_is_safe(r->fn) || str_chr(r->fn, '/') >= 0 || !path_is_safe(r->subdir) ||
		str_chr(r->subdir, '/') >= 0)
		return err_set(e, ERR_INTEGRITY, "unsafe file name '%.*s/%.*s'", STR_ARG(r->subdir),
			STR_ARG(r->fn));
	struct item item = {.sums = *r,
		.record = r,
		.path = arena_printf(
			v->arena, "%s/%.*s/%.*s", v->r->dir, STR_ARG(r->subdir), STR_ARG(r->fn))};
	return add_item(v, &item, e);
}

/* The file's name in a URL, its escapes taken away. */
static struct str name_in_url(struct arena *a, struct str url)
{
	ptrdiff_t slash = str_rchr(url, '/'), end = str_chr(url, '#');
	struct str name = str_sub(url, (size_t)(slash + 1), end < 0 ? url.n : (size_t)end);
	char *path = path_of_url(a, arena_printf(a, "file:///%.*s", STR_ARG(name)));

	return path ? str_of(path + 1) : (struct str){0};
}

static int add_wheel(struct vault *v, const struct pypi_package *p, struct err *e)
{
	struct item item = {.built = p->wheel.n > 0};
	struct record *r = &item.sums;
	char hex[SHA256_HEX + 1];

	r->fn = item.built ? p->wheel : name_in_url(v->arena, p->url);
	r->url = p->url;
	r->channel = p->url;
	if (!item.built && !p->has_sha256)
		return err_set(
			e, ERR_INTEGRITY, "the lock gives no sha256 of '%.*s'", STR_ARG(p->url));
	memcpy(r->sha256, item.built ? p->wheel_sha256 : p->sha256, SHA256_LEN);
	r->has_sha256 = true;
	if (!path_is_safe(r->fn) || str_chr(r->fn, '/') >= 0 || !str_ends(r->fn, STR(".whl")))
		return err_set(e, ERR_INTEGRITY, "'%.*s' is no wheel's file name", STR_ARG(r->fn));
	hex_encode(r->sha256, SHA256_LEN, hex);
	item.path = arena_printf(v->arena, "%s/wheels/%s/%.*s", v->r->dir, hex, STR_ARG(r->fn));
	return add_item(v, &item, e);
}

static int list_items(struct vault *v, struct err *e)
{
	for (size_t t = 0; t < v->r->n_targets; t++)
		for (size_t i = 0; i < v->r->targets[t]->n_records; i++)
			if (add_package(v, v->r->targets[t]->records[i], e) < 0)
				return -1;
	v->packages = v->items.n;
	for (size_t t = 0; t < v->r->n_targets; t++)
		for (size_t i = 0; i < v->r->targets[t]->pypi.n; i++)
			if (add_wheel(v, &v->r->targets[t]->pypi.v[i], e) < 0)
				return -1;
	return 0;
}

/* --- what is at hand ---------------------------------------------------------------------- */

static bool file_is(const struct item *item, const char *path, struct err *e)
{
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	return file_hash(path, sha256, md5, e) == 0 &&
	       record_check_sums(&item->sums, sha256, md5, (uint64_t)st.st_size, e) == 0;
}

/* 1 copied, 0 it is not the file that is asked for, -1 the vault cannot be written. */
static int copy_from(const struct item *item, const char *from_path, struct err *e)
{
	CLEANUP_FD from = open(from_path, O_RDONLY | O_CLOEXEC);
	CLEANUP_FILE_OUT out = {.fd = -1};
	struct err why = {0};

	if (from < 0)
		return 0;
	if (file_begin(&out, item->path, 0644, e) < 0 || fd_copy(from, out.fd, e) < 0)
		return -1;
	if (!file_is(item, out.temp, &why)) {
		log_warn("'%s' is passed over: %s", from_path, why.text ? why.text : "it is gone");
		err_release(&why);
		return 0;
	}
	return file_commit(&out, e) < 0 ? -1 : 1;
}

static int copy_package(const struct vault *v, const struct item *item, struct err *e)
{
	struct arena a = {0};
	size_t at = 0;
	char *path;
	int rc = 0;

	while (rc == 0 && (path = layer_package_file(&a, v->r->cache, item->record, &at)))
		rc = copy_from(item, path, e);
	arena_release(&a);
	return rc;
}

static int copy_wheel(const struct vault *v, const struct item *item, struct err *e)
{
	struct arena a = {0};
	char *path = cache_find_wheel(&a, v->r->cache, item->sums.sha256, item->sums.fn);
	int rc = path ? copy_from(item, path, e) : 0;

	arena_release(&a);
	return rc;
}

static int look_at(void *ctx, size_t i, struct err *e)
{
	struct vault *v = ctx;
	struct item *item = &v->items.v[i];
	struct arena a = {0};
	struct err why = {0};
	int rc = dir_make(path_dir(&a, item->path), e);

	arena_release(&a);
	if (rc < 0)
		return -1;
	if (file_is(item, item->path, &why)) {
		item->there = true;
		step_tick(&v->step, 1, 0);
		return 0;
	}
	if (why.text)
		log_warn("'%s' is replaced: %s", item->path, why.text);
	err_release(&why);
	rc = item->record ? copy_package(v, item, e) : copy_wheel(v, item, e);
	if (rc <= 0)
		return rc;
	struct stat st;
	item->size = stat(item->path, &st) == 0 ? (uint64_t)st.st_size : 0;
	step_tick(&v->step, 1, item->size);
	return 0;
}

/* --- what must be fetched ----------------------------------------------------------------- */

static void forget(struct item *item)
{
	file_abort(&item->file);
	hash_free(item->sha256);
	hash_free(item->md5);
	item->sha256 = item->md5 = NULL;
	item->size = 0;
}

static int begin(struct item *item, struct err *e)
{
	if (item->sha256)
		return 0;
	if (file_begin(&item->file, item->path, 0644, e) < 0)
		return -1;
	item->sha256 = hash_new(HASH_SHA256);
	item->md5 = hash_new(HASH_MD5);
	return 0;
}

static int on_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct item *item = ctx;

	if (begin(item, e) < 0 || write_full(item->file.fd, p, n, e) < 0)
		return -1;
	hash_update(item->sha256, p, n);
	hash_update(item->md5, p, n);
	item->size += n;
	step_tick(item->step, 0, n);
	return 0;
}

static int on_restart(void *ctx, struct err *e)
{
	struct item *item = ctx;

	(void)e;
	step_take_back(item->step, item->size);
	forget(item);
	return 0;
}

static int on_done(void *ctx, struct err *e)
{
	struct item *item = ctx;
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];
	uint64_t size = item->size;

	if (begin(item, e) < 0)
		return -1;
	hash_final(item->sha256, sha256);
	hash_final(item->md5, md5);
	if (record_check_sums(&item->sums, sha256, md5, size, e) < 0 ||
		file_commit(&item->file, e) < 0)
		return -1;
	forget(item);
	item->size = size;
	step_tick(item->step, 1, 0);
	return 0;
}

/* In the vault, or on its way there: a copied file's size was set. */
static bool is_missing(const struct item *item)
{
	return !item->there && item->size == 0;
}

static int refuse(const struct item *item, struct err *e)
{
	if (item->built) {
		err_set(e, ERR_FAIL, "wheel '%.*s' was built of '%.*s' and is not in the cache",
			STR_ARG(item->sums.fn), STR_ARG(item->sums.url));
		return err_advise(e, "run 'envbuild pack' or 'envbuild install' with this lock "
				     "first: that builds it");
	}
	err_set(e, ERR_NETWORK, "'%.*s' is neither in the vault nor in a layer of the cache",
		STR_ARG(item->sums.fn));
	return err_advise(e, "run once without --offline");
}

static int fetch_missing(struct vault *v, struct err *e)
{
	struct arena a = {0};
	struct http_request *requests = arena_array(&a, struct http_request, v->items.n);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < v->items.n && rc == 0; i++) {
		struct item *item = &v->items.v[i];

		if (!is_missing(item))
			continue;
		if (item->built || (v->r->offline && !str_starts(item->sums.url, STR("file://"))))
			rc = refuse(item, e);
		item->step = &v->step;
		item->file.fd = -1;
		requests[n++] = (struct http_request){.url = arena_cstr(&a, item->sums.url),
			.write = on_write,
			.restart = on_restart,
			.done = on_done,
			.ctx = item,
			.max_bytes = item->sums.size ? item->sums.size : MAX_FILE};
	}
	if (rc == 0 && n)
		rc = http_fetch(v->r->http, requests, n, e);
	for (size_t i = 0; i < n; i++) {
		struct item *item = requests[i].ctx;

		if (item->sha256)
			forget(item);
	}
	arena_release(&a);
	return rc;
}

/* --- locks and indexes -------------------------------------------------------------------- */

static int keep_lock(const struct vault *v, struct err *e)
{
	struct arena a = {0};
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	struct str text = v->r->lock_text;
	char *folder = path_join(&a, v->r->dir, "locks");
	int rc = dir_make(folder, e);

	sha256_of(text.p, text.n, sum);
	hex_encode(sum, SHA256_LEN, hex);
	if (rc == 0)
		rc = file_write(arena_printf(&a, "%s/%s.lock", folder, hex), text, 0644, e);
	if (rc == 0)
		rc = file_write(path_join(&a, v->r->dir, "envbuild.lock"), text, 0644, e);
	arena_release(&a);
	return rc;
}

struct known {
	struct vault *v;
	const char *folder;
	struct table *records;
};

/* The records of every lock that was put in, so that the index has what their channels said. */
static int read_lock(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct known *k = ctx;
	struct arena *a = k->v->arena;
	struct lock lock;

	if (!S_ISREG(st->st_mode) || *rel == '.')
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (lock_read(a, path_join(a, k->folder, rel), &lock, e) < 0)
		return -1;
	for (size_t t = 0; t < lock.n_targets; t++)
		for (size_t i = 0; i < lock.targets[t].n_records; i++) {
			struct record *r = lock.targets[t].records[i];

			table_put(k->records,
				arena_strf(a, "%.*s/%.*s", STR_ARG(r->subdir), STR_ARG(r->fn)))
				->ptr = r;
		}
	return 0;
}

static int write_index(struct vault *v, struct err *e)
{
	struct table records = {.arena = v->arena};
	char *folder = path_join(v->arena, v->r->dir, "locks");
	struct known k = {.v = v, .folder = folder, .records = &records};
	struct channel_index_result done;
	CLEANUP_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", folder);
	if (dir_walk(fd, read_lock, &k, e) != 0)
		return -1;
	return channel_index_as(v->r->dir,
		&(struct channel_index_options){.jobs = v->r->jobs, .records = &records}, &done, e);
}

/* Temporaries of killed runs in one folder of the vault. */
static int remove_stale(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct str name = str_of(path_base(rel));

	(void)e;
	if (S_ISREG(st->st_mode) && str_starts(name, STR(".")) && str_ends(name, STR(".tmp")) &&
		time(NULL) - st->st_ctime > STALE_S)
		unlinkat(*(int *)ctx, rel, 0);
	return 0;
}

static void sweep(const char *dir)
{
	CLEANUP_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		dir_walk(fd, remove_stale, &fd, NULL);
}

static int fill(struct vault *v, struct err *e)
{
	if (work_run(v->r->jobs, v->items.n, look_at, v, e) < 0 || fetch_missing(v, e) < 0 ||
		keep_lock(v, e) < 0 || write_index(v, e) < 0)
		return -1;
	return 0;
}

int vault_fill(const struct vault_request *r, struct vault_result *out, struct err *e)
{
	struct arena a = {0};
	struct vault v = {.r = r, .arena = &a, .by_path = {.arena = &a}};
	int rc = dir_make(r->dir, e);

	*out = (struct vault_result){0};
	if (rc == 0) {
		sweep(r->dir);
		rc = list_items(&v, e);
	}
	if (rc == 0) {
		step_begin(&v.step, "vault", v.items.n, 0);
		rc = fill(&v, e);
		out->packages = v.packages;
		out->wheels = v.items.n - v.packages;
		for (size_t i = 0; i < v.items.n; i++) {
			out->added += !v.items.v[i].there;
			out->bytes += v.items.v[i].size;
		}
		if (rc < 0)
			step_fail(&v.step);
		else
			step_end(&v.step, "%zu files, %zu new", v.items.n, out->added);
	}
	arena_release(&a);
	return rc;
}

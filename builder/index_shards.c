#include "builder/index_shards.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/msgpack.h"
#include "base/table.h"
#include "base/work.h"
#include "builder/entry.h"
#include "solver/shard_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ZST_LEVEL = 12, MAX_LIST = 64 << 20, KEEP_S = 7 * 24 * 3600 };
#define LIST_NAME "repodata_shards.msgpack.zst"
#define FOLDER    "shards"
#define ENDING    ".msgpack.zst"

/* The files of one name, and the sum of their shard once it is made. */
struct group {
	struct str name;
	const struct shard_file *files;
	size_t n;
	uint8_t sha256[SHA256_LEN];
};

struct writing {
	struct arena arena;
	const struct shards_writing *w;
	struct group *groups;
	size_t n_groups;
	char *folder, *list;
};

bool index_has_shards(const char *dir)
{
	CLEANUP_ARENA a = {0};

	return path_exists(path_join(&a, dir, LIST_NAME));
}

/* --- shards ------------------------------------------------------------------------------- */

static int by_name(const void *va, const void *vb)
{
	const struct shard_file *a = va, *b = vb;
	int c = str_cmp(a->name, b->name);

	return c ? c : str_cmp(a->fn, b->fn);
}

static void group_files(struct writing *m)
{
	struct shard_file *files = m->w->files;
	size_t n = m->w->n_files;

	if (n)
		qsort(files, n, sizeof *files, by_name);
	m->groups = arena_array(&m->arena, struct group, n);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !str_eq(files[i].name, files[i - 1].name))
			m->groups[m->n_groups++] =
				(struct group){.name = files[i].name, .files = &files[i]};
		m->groups[m->n_groups - 1].n++;
	}
}

static void put_files(struct buf *to, const struct group *g, bool conda)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->files[i].conda == conda;
	mp_map(to, n);
	for (size_t i = 0; i < g->n; i++) {
		if (g->files[i].conda != conda)
			continue;
		mp_str(to, g->files[i].fn);
		buf_str(to, g->files[i].record);
	}
}

static char *shard_file_path(struct arena *a, const struct writing *m, const uint8_t *sha256)
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	return arena_printf(a, "%s/%s" ENDING, m->folder, hex);
}

/* Unless it is there as it should be.  Not synced: that is done for all at once. */
static int put_shard(struct writing *m, const uint8_t *sha256, struct str bytes, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};
	CLEANUP_ARENA a = {0};
	char *path = shard_file_path(&a, m, sha256);
	struct str there;

	if (file_read(&a, path, bytes.n, &there, NULL) == 0 && str_eq(there, bytes))
		return 0;
	if (file_begin(&out, path, 0644, e) < 0 || write_full(out.fd, bytes.p, bytes.n, e) < 0)
		return -1;
	return file_commit_unsynced(&out, e);
}

static int write_shard(void *ctx, size_t i, struct err *e)
{
	struct writing *m = ctx;
	struct group *g = &m->groups[i];
	CLEANUP_BUF plain = {0}, packed = {0};

	mp_map(&plain, 3);
	mp_cstr(&plain, "packages");
	put_files(&plain, g, false);
	mp_cstr(&plain, "packages.conda");
	put_files(&plain, g, true);
	mp_cstr(&plain, "removed");
	mp_array(&plain, 0);
	if (zstd_frame(buf_view(&plain), ZST_LEVEL, &packed, e) < 0)
		return -1;
	sha256_of(packed.p, packed.n, g->sha256);
	return put_shard(m, g->sha256, buf_view(&packed), e);
}

/* --- the list ----------------------------------------------------------------------------- */

/* SOURCE_DATE_EPOCH as the CEP writes times; NULL where it is not given or no such time. */
static const char *created_at(char out[32])
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	struct tm tm;
	uint64_t n;
	time_t t;

	if (!given || str_u64(str_of(given), UINT64_C(253402300799), &n) < 0)
		return NULL;
	t = (time_t)n;
	return gmtime_r(&t, &tm) && strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) ? out : NULL;
}

static void put_pair(struct buf *to, const char *key, const char *value)
{
	mp_cstr(to, key);
	mp_cstr(to, value);
}

static void put_list(struct buf *to, const struct writing *m)
{
	char text[32];
	const char *created = created_at(text);

	mp_map(to, 3);
	mp_cstr(to, "info");
	mp_map(to, created ? 4 : 3);
	put_pair(to, "base_url", "./");
	if (created)
		put_pair(to, "created_at", created);
	put_pair(to, "shards_base_url", "./" FOLDER "/");
	mp_cstr(to, "subdir");
	mp_str(to, m->w->subdir);
	mp_cstr(to, "shards");
	mp_map(to, m->n_groups);
	for (size_t i = 0; i < m->n_groups; i++) {
		mp_str(to, m->groups[i].name);
		mp_bin(to, m->groups[i].sha256, SHA256_LEN);
	}
	mp_cstr(to, "version");
	mp_uint(to, 1);
}

static int sync_shards(const struct writing *m, struct err *e)
{
	CLEANUP_FD fd = open(m->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", m->folder);
	return disk_sync(fd, m->folder, e);
}

/* Also where it is as it was: it must not be older than the repodata.json beside it. */
static int write_list(const struct writing *m, struct err *e)
{
	CLEANUP_BUF plain = {0}, packed = {0};

	put_list(&plain, m);
	if (zstd_frame(buf_view(&plain), ZST_LEVEL, &packed, e) < 0 || sync_shards(m, e) < 0)
		return -1;
	return file_write(m->list, buf_view(&packed), 0644, e);
}

/* --- shards of lists before --------------------------------------------------------------- */

static struct str key_of(struct arena *a, const uint8_t *sha256)
{
	return arena_str(a, str_n((const char *)sha256, SHA256_LEN));
}

/* The sums that the list named so far; false where there is none that can be read. */
static bool read_list(struct writing *m, struct table *sums)
{
	struct zstd_reader *z = zstd_reader_new();
	CLEANUP_BUF plain = {0};
	struct shard_list list;
	struct str packed;
	bool ok = file_read(&m->arena, m->list, MAX_LIST, &packed, NULL) == 0 &&
		  zstd_unpack(z, packed, MAX_LIST, m->list, &plain, NULL) == 0 &&
		  shard_list_parse(&m->arena, buf_view(&plain), m->list, &list, NULL) == 0;

	for (size_t i = 0; ok && i < list.n; i++)
		table_put(sums, key_of(&m->arena, list.v[i].sha256))->num = 1;
	zstd_reader_free(z);
	return ok;
}

struct cleaning {
	struct writing *m;
	struct table before, now;
	bool known; /* what the list before named */
	int fd;
};

/* What the list before named is retired now; what was retired a week ago goes. */
static int clean_one(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct cleaning *c = ctx;
	struct str name = str_of(rel), key;
	uint8_t sha256[SHA256_LEN];

	(void)e;
	if (!S_ISREG(st->st_mode) || !str_ends(name, STR(ENDING)) ||
		hex_decode(str_sub(name, 0, name.n - sizeof ENDING + 1), sha256, SHA256_LEN) < 0)
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	key = str_n((const char *)sha256, SHA256_LEN);
	if (table_get(&c->now, key))
		return 0;
	if (!c->known || table_get(&c->before, key))
		utimensat(c->fd, rel, NULL, AT_SYMLINK_NOFOLLOW);
	else if (time(NULL) - st->st_mtime > KEEP_S)
		unlinkat(c->fd, rel, 0);
	return 0;
}

/* What cannot be removed now is left to the next run. */
static void clean(struct cleaning *c)
{
	struct writing *m = c->m;
	CLEANUP_FD fd = open(m->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < m->n_groups; i++)
		table_put(&c->now, key_of(&m->arena, m->groups[i].sha256))->num = 1;
	c->fd = fd;
	if (fd >= 0)
		dir_walk(fd, clean_one, c, NULL);
}

/* --- both --------------------------------------------------------------------------------- */

static int write_all(struct writing *m, struct err *e)
{
	struct cleaning c = {.m = m, .before = {.arena = &m->arena}, .now = {.arena = &m->arena}};

	m->folder = path_join(&m->arena, m->w->dir, FOLDER);
	m->list = path_join(&m->arena, m->w->dir, LIST_NAME);
	c.known = read_list(m, &c.before);
	group_files(m);
	if (dir_make(m->folder, e) < 0 ||
		work_run(m->w->jobs, m->n_groups, write_shard, m, e) < 0 || write_list(m, e) < 0)
		return -1;
	clean(&c);
	return 0;
}

int index_shards_write(struct shards_writing *w, size_t *n_shards, struct err *e)
{
	struct writing m = {.w = w};
	int rc = write_all(&m, e);

	*n_shards = m.n_groups;
	arena_release(&m.arena);
	return rc;
}

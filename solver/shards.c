/* Groups of builds out of shards: read from the cache, or fetched many at a time. */
#include "solver/shards.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "solver/index_groups.h"
#include "solver/shard_read.h"
#include "solver/shards_cache.h"

#include <stdlib.h>

/* What a shard and a list may take, packed and unpacked; far above what real ones do. */
enum { MAX_PACKED = 32 << 20, MAX_SHARD = 128 << 20, MAX_LIST = 64 << 20 };
/* Packed bytes of shards in memory at once. */
static const uint64_t max_waiting = 256 << 20;
/* Transfers at once: they are small, and over HTTP/2 share a connection. */
enum { JOBS = 64, TRIES = 2 };

struct shards {
	struct arena arena;
	struct shards_options o;
	const struct channel *channel;
	struct str subdir, base_url;
	char *shards_url;
	const char *local; /* of a channel in a folder: path in front of HEX.msgpack.zst; or NULL */
	struct str mapped, bytes; /* the list's file, and the list in it or in `unpacked` */
	struct buf unpacked;
	struct shard_list list;
	bool *is_read; /* of each name of the list: its shard is in the groups */
	struct groups *groups;
	struct zstd_reader *zstd;
	struct buf text; /* scratch: a shard unpacked */
};

/* --- the list ----------------------------------------------------------------------------- */

static bool is_packed(struct str s)
{
	return str_starts(s, STR("\x28\xb5\x2f\xfd"));
}

static int unpack_list(struct shards *s, struct str bytes, const char *url, struct err *e)
{
	s->bytes = bytes;
	if (!is_packed(bytes))
		return 0;
	if (zstd_unpack(s->zstd, bytes, MAX_LIST, url, &s->unpacked, e) < 0)
		return -1;
	s->bytes = buf_view(&s->unpacked);
	return 0;
}

static bool is_http(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Both URLs of the list, which are absolute or relative to it (CEP 16). */
static int take_urls(struct shards *s, const char *url, struct err *e)
{
	struct arena *a = &s->arena;

	s->base_url = str_of(url_resolve(a, url, s->list.base_url.n ? s->list.base_url : STR(".")));
	while (str_ends(s->base_url, STR("/")))
		s->base_url.n--;
	/* As the CEP has it, the sum follows at once: the slash between is the list's to write. */
	s->shards_url =
		url_resolve(a, url, s->list.shards_base_url.n ? s->list.shards_base_url : STR("."));
	s->local = path_of_url(a, s->shards_url);
	if (is_http(s->shards_url) || (s->local && !is_http(url)))
		return 0;
	return err_set(e, ERR_INTEGRITY, "'%s' has its shards where none may be: '%s'", url,
		http_redact(a, s->shards_url));
}

static int open_list(struct shards *s, struct str bytes, const char *url, struct err *e)
{
	int rc;

	if (unpack_list(s, bytes, url, e) < 0)
		return -1;
	rc = shard_list_parse(&s->arena, s->bytes, url, &s->list, e);
	if (rc != 0)
		return rc;
	s->is_read = arena_array(&s->arena, bool, s->list.n);
	return take_urls(s, url, e);
}

static struct shards *shards_new(
	const struct shards_options *options, const struct index_request *request)
{
	struct shards *s = xcalloc(1, sizeof *s);

	s->o = *options;
	s->channel = request->channel;
	s->subdir = arena_str(&s->arena, request->subdir);
	s->groups = groups_new();
	s->zstd = zstd_reader_new();
	return s;
}

/* What comes of opening it: s where that is 0. */
static int hand_out(struct shards *s, int rc, struct shards **out)
{
	if (rc == 0)
		*out = s;
	else
		shards_free(s);
	return rc;
}

int shards_open_file(const struct shards_options *options, const struct index_request *request,
	const char *url, const char *path, struct shards **out, struct err *e)
{
	struct shards *s = shards_new(options, request);
	int rc = file_map(path, &s->mapped, e);

	if (rc == 0)
		rc = open_list(s, s->mapped, url, e);
	return hand_out(s, rc, out);
}

int shards_open_packed(const struct shards_options *options, const struct index_request *request,
	const char *url, struct str packed, struct shards **out, struct err *e)
{
	struct shards *s = shards_new(options, request);
	int rc;

	if (is_packed(packed))
		rc = open_list(s, packed, url, e);
	else
		rc = err_set(e, ERR_INTEGRITY, "no zstd file: '%s'", url);
	return hand_out(s, rc, out);
}

void shards_free(struct shards *s)
{
	if (!s)
		return;
	file_unmap(s->mapped);
	buf_release(&s->unpacked);
	buf_release(&s->text);
	zstd_reader_free(s->zstd);
	groups_free(s->groups);
	arena_release(&s->arena);
	free(s);
}

struct str shards_list_bytes(const struct shards *s)
{
	return s->bytes;
}

struct str shards_packages_url(const struct shards *s)
{
	return s->base_url;
}

size_t shards_names(const struct shards *s)
{
	return s->list.n;
}

struct str shards_name_at(const struct shards *s, size_t i)
{
	return s->list.v[i].name;
}

size_t shards_records(const struct shards *s)
{
	return groups_records(s->groups);
}

struct str shards_spec(const struct shards *s, uint32_t number)
{
	return groups_spec(s->groups, number);
}

/* --- one shard ---------------------------------------------------------------------------- */

static int wrap(const struct shards *s, struct str name, struct err *e)
{
	return err_wrap(e, "shard of '%.*s', channel '%.*s', %.*s", STR_ARG(name),
		STR_ARG(s->channel->name), STR_ARG(s->subdir));
}

/* The group of name number i, of the shard's packed bytes. */
static int take_shard(struct shards *s, size_t i, struct str packed, struct err *e)
{
	const struct str name = s->list.v[i].name;
	CLEANUP_ARENA scratch = {0};
	struct group_record *v;
	size_t n;

	buf_clear(&s->text);
	if (zstd_unpack(s->zstd, packed, MAX_SHARD, "it", &s->text, e) < 0 ||
		shard_parse(&scratch, buf_view(&s->text), name, "it", &v, &n, e) < 0 ||
		(n && groups_add(s->groups, &scratch, name, v, n, e) < 0))
		return wrap(s, name, e);
	s->is_read[i] = true;
	return 0;
}

/* --- many shards -------------------------------------------------------------------------- */

/* A shard on its way. */
struct job {
	struct batch *batch;
	struct shards *s;
	size_t at; /* in the list */
	struct buf bytes;
	unsigned tries;
	bool ended;
};

struct batch {
	struct arena arena;
	struct {
		struct job *v;
		size_t n, cap;
	} jobs;
	uint64_t waiting;  /* bytes in them */
	struct err broken; /* a shard is what its sum says, and no shard */
};

static int write_job(void *ctx, const void *p, size_t n, struct err *e)
{
	struct job *j = ctx;

	j->batch->waiting += n;
	if (j->batch->waiting > max_waiting)
		return err_set(e, ERR_INTEGRITY, "over %d MiB of shards at once",
			(int)(max_waiting >> 20));
	buf_add(&j->bytes, p, n);
	return 0;
}

static int restart_job(void *ctx, struct err *e)
{
	struct job *j = ctx;

	(void)e;
	j->batch->waiting -= j->bytes.n;
	buf_clear(&j->bytes);
	return 0;
}

/* That the next run will fetch it again is no reason to fail. */
static void keep_shard(struct job *j)
{
	struct shards *s = j->s;
	struct err why = {0};

	if (shard_write_file(s->o.cache_dir, s->list.v[j->at].sha256, buf_view(&j->bytes), &why) <
		0)
		log_debug("a shard is not kept: %s", why.text);
	err_release(&why);
}

static int end_job(void *ctx, struct err *e)
{
	struct job *j = ctx;
	uint8_t sha256[SHA256_LEN];
	struct err why = {0};

	sha256_of(j->bytes.p, j->bytes.n, sha256);
	if (memcmp(sha256, j->s->list.v[j->at].sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "its sha256 is not the one that the index names");
	j->ended = true;
	keep_shard(j);
	if (take_shard(j->s, j->at, buf_view(&j->bytes), &why) < 0 && !j->batch->broken.code)
		err_move(&j->batch->broken, &why);
	err_release(&why);
	j->batch->waiting -= j->bytes.n;
	buf_release(&j->bytes);
	return 0;
}

static struct http_request request_of(struct batch *b, struct job *j)
{
	const struct shards *s = j->s;
	char hex[SHA256_HEX + 1];

	hex_encode(s->list.v[j->at].sha256, SHA256_LEN, hex);
	return (struct http_request){
		.url = arena_printf(&b->arena, "%s%s.msgpack.zst", s->shards_url, hex),
		.write = write_job,
		.restart = restart_job,
		.done = end_job,
		.ctx = j,
		.max_bytes = MAX_PACKED,
	};
}

/* Has failed: 1 where it is worth another try. */
static int judge(struct job *j, struct err *e)
{
	if (e->code == ERR_INTEGRITY && ++j->tries < TRIES) {
		log_debug("%s: asking again", e->text);
		err_release(e);
		return 1;
	}
	wrap(j->s, j->s->list.v[j->at].name, e);
	return err_advise(e, "the channel's index names this file; if the channel is just being "
			     "updated, running again helps");
}

/* Asks for all that have not ended; 1: one was damaged and may be asked for again. */
static int run_batch(struct batch *b, struct err *e)
{
	struct http_request *v = arena_array(&b->arena, struct http_request, b->jobs.n);
	struct http *http = b->jobs.v[0].s->o.http;
	unsigned before = http_set_jobs(http, JOBS);
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < b->jobs.n; i++)
		if (!b->jobs.v[i].ended)
			v[n++] = request_of(b, &b->jobs.v[i]);
	rc = http_fetch(http, v, n, e);
	http_set_jobs(http, before);
	for (size_t i = 0; rc != 0 && i < n; i++)
		restart_job(v[i].ctx, NULL);
	for (size_t i = 0; rc != 0 && i < n; i++)
		if (v[i].failed)
			return judge(v[i].ctx, e);
	return rc;
}

static int run_batches(struct batch *b, struct err *e)
{
	struct err why = {0};
	int rc = b->jobs.n ? 1 : 0;

	while (rc > 0)
		rc = run_batch(b, &why);
	if (rc == 0 && b->broken.code)
		rc = err_move(&why, &b->broken);
	if (rc < 0)
		err_move(e, &why);
	return rc;
}

static void release_batch(struct batch *b)
{
	for (size_t i = 0; i < b->jobs.n; i++)
		buf_release(&b->jobs.v[i].bytes);
	err_release(&b->broken);
	arena_release(&b->arena);
}

/* 1: it was where it is kept, and is read now; 0: it is to be fetched. */
static int read_kept(struct shards *s, size_t i, struct err *e)
{
	const uint8_t *sha256 = s->list.v[i].sha256;
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF packed = {0};
	char hex[SHA256_HEX + 1];
	char *path;

	hex_encode(sha256, SHA256_LEN, hex);
	path = s->local ? arena_printf(&a, "%s%s.msgpack.zst", s->local, hex)
			: shard_path(&a, s->o.cache_dir, sha256);
	if (shard_read_file(path, sha256, MAX_PACKED, &packed) < 0)
		return 0;
	return take_shard(s, i, buf_view(&packed), e) < 0 ? -1 : 1;
}

/* No shard in the folder of a channel: nothing that could be asked for. */
static int local_lacks(const struct shards *s, size_t i, struct err *e)
{
	char hex[SHA256_HEX + 1];

	hex_encode(s->list.v[i].sha256, SHA256_LEN, hex);
	err_set(e, ERR_INTEGRITY, "'%s%s.msgpack.zst' is missing or damaged", s->local, hex);
	wrap(s, s->list.v[i].name, e);
	return err_advise(e, "`envbuild channel index --shards` makes the channel's index anew");
}

/* Reads it, or puts it on the list of what is to be fetched. */
static int want(struct batch *b, struct shards *s, struct str name, struct err *e)
{
	const struct shard_name *found = shard_list_find(&s->list, name);
	size_t i = found ? (size_t)(found - s->list.v) : 0;
	int rc;

	if (!found || s->is_read[i])
		return 0;
	rc = read_kept(s, i, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (s->local)
		return local_lacks(s, i, e);
	if (!s->o.offline)
		*VEC_PUSH(&b->arena, &b->jobs) = (struct job){.s = s, .at = i};
	return 0;
}

int shards_fetch(
	struct shards *const *v, size_t n, const struct str *names, size_t n_names, struct err *e)
{
	struct batch b = {0};
	int rc = 0;

	for (size_t k = 0; k < n_names && rc == 0; k++)
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = want(&b, v[i], names[k], e);
	for (size_t i = 0; i < b.jobs.n; i++)
		b.jobs.v[i].batch = &b;
	if (rc == 0)
		rc = run_batches(&b, e);
	release_batch(&b);
	return rc;
}

/* --- asking ------------------------------------------------------------------------------- */

bool shards_lack(const struct shards *s, struct str name)
{
	const struct shard_name *found = shard_list_find(&s->list, name);

	return found && !s->is_read[found - s->list.v];
}

static int fail_offline(const struct shards *s, struct str name, struct err *e)
{
	err_set(e, ERR_NETWORK, "the cache does not have it: --offline");
	wrap(s, name, e);
	return err_advise(e, "run it once without --offline");
}

int shards_group(struct shards *s, struct str name, struct index_group *out, struct err *e)
{
	const struct shard_name *found = shard_list_find(&s->list, name);
	const bool *is_read = found ? &s->is_read[found - s->list.v] : NULL;

	if (!found)
		return 0;
	if (!*is_read && shards_fetch(&s, 1, &name, 1, e) < 0)
		return -1;
	return *is_read ? groups_find(s->groups, name, out, e) : fail_offline(s, name, e);
}

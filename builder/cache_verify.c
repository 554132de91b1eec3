/* Comparing the cache with what is known of it, byte for byte. */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/work.h"
#include "builder/binaries.h"
#include "builder/bytecode_cache.h"
#include "builder/entry.h"
#include "builder/facts.h"
#include "builder/prefix_cache.h"
#include "builder/segment_cache.h"
#include "builder/take.h"
#include "solver/channel_cache.h"
#include "solver/shards_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

struct verifier {
	const struct cache *cache;
	struct cache_survey survey;
	struct arena *arena; /* this and what follows: under the lock */
	pthread_mutex_t lock;
	struct cache_verdict *out;
	struct step step;
};

static int check_sum(
	const char *path, struct str name, const uint8_t sha256[SHA256_LEN], struct err *e)
{
	uint8_t is[SHA256_LEN];

	if (file_hash(path, is, NULL, e) < 0)
		return -1;
	if (memcmp(is, sha256, SHA256_LEN) == 0)
		return 0;
	return err_set(e, ERR_INTEGRITY, "'%.*s': its sha256 is another", STR_ARG(name));
}

/* --- one entry of each kind --------------------------------------------------------------- */

static int verify_file(
	struct arena *a, const struct package *p, const struct package_file *f, struct err *e)
{
	char *path = path_join(a, p->dir, arena_cstr(a, f->path));
	char link[4096];

	if (f->type == PATH_FILE)
		return check_sum(path, f->path, f->sha256, e);
	if (f->type == PATH_SOFTLINK) {
		ssize_t n = readlink(path, link, sizeof link);

		if (n < 0 || !str_eq(str_n(link, (size_t)n), f->link))
			return err_set(e, ERR_INTEGRITY, "'%.*s': the link leads elsewhere",
				STR_ARG(f->path));
	}
	return 0;
}

static void report(
	struct verifier *v, const struct cache_item *item, bool removed, const struct err *e)
{
	pthread_mutex_lock(&v->lock);
	*VEC_PUSH(v->arena, &v->out->damaged) =
		(struct cache_damage){*item, arena_strdup(v->arena, e->text), removed};
	pthread_mutex_unlock(&v->lock);
}

/* Only what is damaged goes: the rest of the entry is as good as it was, and it is made anew from that. */
static int verify_binaries(
	struct arena *a, struct verifier *v, const struct cache_item *item, struct err *e)
{
	const char *dir = path_join(a, v->cache->dir, item->rel);
	bool said = false;

	for (size_t i = 0; i < BINARIES_FILES; i++) {
		const char *name = BINARIES_NAMES[i];
		struct err why = {0};

		if (binaries_check(dir, name, item->key, &why) == 0)
			continue;
		if (!entry_is_damaged(&why))
			return err_move(e, &why);
		err_wrap(&why, "'%s'", name);
		bool removed = unlink(path_join(a, dir, name)) == 0;
		if (!said)
			report(v, item, removed, &why);
		said = true;
		err_release(&why);
	}
	return 0;
}

static int verify_package(
	struct arena *a, struct verifier *v, const struct cache_item *item, struct err *e)
{
	struct package p = {0};

	if (facts_load(a, path_join(a, v->cache->dir, item->rel), true, &p, e) < 0)
		return -1;
	if (memcmp(p.sha256, item->key, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "its facts are another package's");
	if (entry_check_files(&p, e) < 0)
		return -1;
	for (size_t i = 0; i < p.n_files; i++)
		if (verify_file(a, &p, &p.files[i], e) < 0)
			return -1;
	pthread_mutex_lock(&v->lock);
	v->out->files += p.n_files;
	pthread_mutex_unlock(&v->lock);
	return verify_binaries(a, v, item, e);
}

static int verify_wheel(
	struct arena *a, struct verifier *v, const struct cache_item *item, struct err *e)
{
	char *dir = path_join(a, v->cache->dir, item->rel);

	if (item->name.n == 0)
		return err_set(e, ERR_INTEGRITY, "it is empty");
	if (check_sum(path_join(a, dir, arena_cstr(a, item->name)), item->name, item->key, e) < 0)
		return -1;
	pthread_mutex_lock(&v->lock);
	v->out->files++;
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* An index, a list of shards, or neither: a channel that has no such subdir. */
static int verify_index(
	struct arena *a, struct verifier *v, const struct cache_item *item, struct err *e)
{
	const char *dir = path_join(a, v->cache->dir, item->rel);

	return index_entry_verify(dir, e) < 0 ? -1 : list_entry_verify(dir, e);
}

static int verify_item(
	struct arena *a, struct verifier *v, const struct cache_item *item, struct err *e)
{
	switch (item->kind) {
	case CACHE_PACKAGE:
		return verify_package(a, v, item, e);
	case CACHE_WHEEL:
		return verify_wheel(a, v, item, e);
	case CACHE_INDEX:
		return verify_index(a, v, item, e);
	case CACHE_SHARD:
		return check_sum(path_join(a, v->cache->dir, item->rel),
			str_of(path_base(item->rel)), item->key, e);
	case CACHE_SEGMENT:
		return segment_file_verify(path_join(a, v->cache->dir, item->rel), e);
	case CACHE_AUDIT:
		return prefix_cache_verify(path_join(a, v->cache->dir, item->rel), e);
	case CACHE_BYTECODE:
		return bytecode_entry_verify(path_join(a, v->cache->dir, item->rel), e);
	case CACHE_GIT: /* git sums all it has by itself */
	case CACHE_KINDS:
		break;
	}
	return 0;
}

/* --- all of them -------------------------------------------------------------------------- */

static bool is_gone(const struct verifier *v, const struct cache_item *item)
{
	struct arena a = {0};
	bool gone = !path_exists(path_join(&a, v->cache->dir, item->rel));

	arena_release(&a);
	return gone;
}

static int verify_one(void *ctx, size_t i, struct err *e)
{
	struct verifier *v = ctx;
	const struct cache_item *item = &v->survey.items.v[i];
	struct arena a = {0};
	struct err why = {0};

	int rc = interrupt_check(e);

	/* Somebody else may clean meanwhile. */
	if (rc == 0 && verify_item(&a, v, item, &why) < 0 && !is_gone(v, item)) {
		if (entry_is_damaged(&why)) {
			report(v, item, cache_take(v->cache, item->rel, INT64_MAX) == TAKEN, &why);
		} else {
			err_wrap(&why, "'%s'", item->rel);
			rc = err_move(e, &why);
		}
	}
	err_release(&why);
	arena_release(&a);
	step_tick(&v->step, 1, item->bytes);
	return rc;
}

static int verify_md5(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct verifier *v = ctx;
	struct str text;
	uint8_t key[SHA256_LEN];
	char *path = arena_printf(v->arena, "%s/md5/%s", v->cache->dir, rel);

	(void)e;
	if (!S_ISREG(st->st_mode))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (*rel == '.' || (file_read(v->arena, path, 128, &text, NULL) == 0 &&
				   hex_decode(str_trim(text), key, SHA256_LEN) == 0))
		return 0;
	*VEC_PUSH(v->arena, &v->out->damaged) = (struct cache_damage){
		.item = {.kind = CACHE_PACKAGE, .rel = arena_printf(v->arena, "md5/%s", rel)},
		.text = arena_strdup(v->arena, "it names no sha256")};
	unlink(path);
	return 0;
}

static int verify_notes(struct verifier *v, struct err *e)
{
	char *md5 = path_join(v->arena, v->cache->dir, "md5");
	CLEANUP_FD fd = open(md5, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot open '%s'", md5);
	return dir_walk(fd, verify_md5, v, e) != 0 ? -1 : 0;
}

int cache_verify(struct arena *a, const struct cache *c, unsigned jobs, struct cache_verdict *out,
	struct err *e)
{
	struct verifier v = {.cache = c, .arena = a, .lock = PTHREAD_MUTEX_INITIALIZER, .out = out};

	*out = (struct cache_verdict){0};
	if (cache_survey(a, c, &v.survey, e) < 0)
		return -1;
	out->n = v.survey.items.n;
	for (size_t i = 0; i < out->n; i++)
		out->bytes += v.survey.items.v[i].bytes;
	step_begin(&v.step, "verify", out->n, out->bytes);
	int rc = work_run(jobs, out->n, verify_one, &v, e);
	if (rc == 0)
		rc = verify_notes(&v, e);
	if (rc < 0)
		step_fail(&v.step);
	else
		step_end(&v.step, "%zu entries, %zu damaged", out->n, out->damaged.n);
	pthread_mutex_destroy(&v.lock);
	return rc;
}

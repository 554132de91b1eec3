/* What the cache holds, how large it is, and which known locks need it. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/bytecode_cache.h"
#include "builder/entry.h"
#include "builder/facts.h"
#include "builder/take.h"
#include "solver/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const char *const CACHE_KIND_NAMES[CACHE_KINDS] = {[CACHE_PACKAGE] = "packages",
	[CACHE_WHEEL] = "wheels",
	[CACHE_BYTECODE] = "bytecode",
	[CACHE_GIT] = "git",
	[CACHE_INDEX] = "indexes",
	[CACHE_SHARD] = "shards",
	[CACHE_SEGMENT] = "segments",
	[CACHE_AUDIT] = "audits"};

/* Where they lie, and how many folders down. */
static const struct {
	const char *folder;
	int depth;
} places[CACHE_KINDS] = {[CACHE_PACKAGE] = {"pkgs", 2},
	[CACHE_WHEEL] = {"wheels", 2},
	[CACHE_BYTECODE] = {"bytecode", 2},
	[CACHE_GIT] = {"git", 1},
	[CACHE_INDEX] = {"index", 1},
	[CACHE_SHARD] = {"shards", 2},
	[CACHE_SEGMENT] = {"segments", 2},
	[CACHE_AUDIT] = {"audit", 2}};

enum { MAX_PATH_NOTE = 8192 };

/* --- known locks -------------------------------------------------------------------------- */

void cache_note_lock(const struct cache *c, const char *path)
{
	struct arena a = {0};
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	sha256_of(path, strlen(path), sum);
	hex_encode(sum, SHA256_LEN, hex);
	char *folder = path_join(&a, c->dir, "locks"), *note = path_join(&a, folder, hex);
	if (!path_exists(note) && dir_make(folder, NULL) == 0)
		file_write(note, arena_strf(&a, "%s\n", path), 0644, NULL);
	arena_release(&a);
}

struct notes {
	struct arena *arena;
	struct cache_survey *s;
	const char *folder;
};

static int read_note(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct notes *n = ctx;
	struct str text;

	(void)e;
	if (!S_ISREG(st->st_mode) || *rel == '.' ||
		file_read(n->arena, path_join(n->arena, n->folder, rel), MAX_PATH_NOTE, &text,
			NULL) < 0)
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	char *path = arena_cstr(n->arena, str_trim(text));
	if (*path == '/' && (access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)))
		*VEC_PUSH(n->arena, &n->s->locks) = (struct known_lock){.path = path};
	return 0;
}

static int by_lock_path(const void *a, const void *b)
{
	return strcmp(((const struct known_lock *)a)->path, ((const struct known_lock *)b)->path);
}

static int read_notes(struct arena *a, const struct cache *c, struct cache_survey *s, struct err *e)
{
	char *folder = path_join(a, c->dir, "locks");
	struct notes n = {.arena = a, .s = s, .folder = folder};
	CLEANUP_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot open '%s'", folder);
	if (dir_walk(fd, read_note, &n, e) != 0)
		return -1;
	if (s->locks.n)
		qsort(s->locks.v, s->locks.n, sizeof *s->locks.v, by_lock_path);
	return 0;
}

static struct str hex_of(struct arena *a, const uint8_t key[SHA256_LEN])
{
	char *hex = arena_alloc(a, SHA256_HEX + 1);

	hex_encode(key, SHA256_LEN, hex);
	return str_n(hex, SHA256_HEX);
}

/* Each key once for a lock, however many of its targets have it. */
static void refer(struct arena *a, struct table *refs, const uint8_t key[SHA256_LEN], size_t lock)
{
	union table_value *v = table_put(refs, hex_of(a, key));
	uint64_t count = v->num >> 32;

	/* The lock that was counted last, from 1, in the low half. */
	if ((uint32_t)v->num != lock + 1)
		v->num = (count + 1) << 32 | (lock + 1);
}

static void refer_target(struct arena *a, const struct cache *c, const struct lock_target *t,
	struct table *refs, size_t lock)
{
	uint8_t key[SHA256_LEN];

	for (size_t i = 0; i < t->n_records; i++)
		if (entry_key(c, t->records[i], key))
			refer(a, refs, key, lock);
	for (size_t i = 0; i < t->pypi.n; i++) {
		const struct pypi_package *p = &t->pypi.v[i];

		if (p->has_sha256)
			refer(a, refs, p->sha256, lock);
		if (p->wheel.n)
			refer(a, refs, p->wheel_sha256, lock);
	}
}

static void read_locks(
	struct arena *a, const struct cache *c, struct cache_survey *s, struct table *refs)
{
	for (size_t i = 0; i < s->locks.n; i++) {
		struct arena scratch = {0};
		struct lock lock;
		struct err e = {0};

		if (lock_read(&scratch, s->locks.v[i].path, &lock, &e) == 0) {
			s->locks.v[i].readable = true;
			for (size_t k = 0; k < lock.n_targets; k++)
				refer_target(a, c, &lock.targets[k], refs, i);
		} else {
			log_warn("a known lock cannot be read: %s", e.text);
			err_release(&e);
		}
		arena_release(&scratch);
	}
}

/* --- items -------------------------------------------------------------------------------- */

struct surveyor {
	struct arena *arena;
	struct cache_survey *s;
	enum cache_kind kind;
	struct cache_item *item; /* the one that is being walked */
};

static int depth_of(const char *rel)
{
	int depth = 1;

	for (; *rel; rel++)
		depth += *rel == '/';
	return depth;
}

static struct cache_item *add_item(struct surveyor *v, const char *rel, const struct stat *st)
{
	struct cache_item *item = VEC_PUSH(v->arena, &v->s->items);

	*item = (struct cache_item){.kind = v->kind,
		.rel = arena_printf(v->arena, "%s/%s", places[v->kind].folder, rel),
		.used = st->st_mtime};
	return item;
}

/* Of a kind whose entries are files. */
static int visit_file(struct surveyor *v, const char *rel, const struct stat *st, int depth)
{
	struct cache_item *item;

	if (depth < places[v->kind].depth)
		return 0;
	if (S_ISREG(st->st_mode)) {
		item = add_item(v, rel, st);
		item->bytes = (uint64_t)st->st_size;
		hex_decode(str_of(path_base(rel)), item->key, SHA256_LEN);
	}
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct surveyor *v = ctx;
	int depth = depth_of(rel);

	(void)e;
	if (v->kind == CACHE_SHARD || v->kind == CACHE_SEGMENT || v->kind == CACHE_AUDIT)
		return visit_file(v, rel, st, depth);
	if (depth == places[v->kind].depth) {
		v->item = S_ISDIR(st->st_mode) && path_base(rel)[0] != '.' ? add_item(v, rel, st)
									   : NULL;
		return v->item || !S_ISDIR(st->st_mode) ? 0 : DIR_SKIP;
	}
	if (depth < places[v->kind].depth || !v->item || !S_ISREG(st->st_mode))
		return 0;
	v->item->bytes += (uint64_t)st->st_size;
	if (st->st_nlink > 1)
		v->item->held += (uint64_t)st->st_size;
	/* An index is used by being asked for; git itself writes into its mirrors. */
	if ((v->kind == CACHE_INDEX || v->kind == CACHE_GIT) && st->st_mtime > v->item->used)
		v->item->used = st->st_mtime;
	return 0;
}

static int survey_kind(struct arena *a, const struct cache *c, enum cache_kind kind,
	struct cache_survey *s, struct err *e)
{
	struct surveyor v = {.arena = a, .s = s, .kind = kind};
	char *folder = path_join(a, c->dir, places[kind].folder);
	CLEANUP_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot open '%s'", folder);
	return dir_walk(fd, visit, &v, e) != 0 ? -1 : 0;
}

static struct str json_field(struct arena *a, struct str text, const char *key)
{
	struct json *j = json_open_text(text, "index.json");
	struct str found = {0};
	enum json_type t = json_next(j);

	while (t == JSON_OBJECT && json_next(j) == JSON_KEY && !found.p) {
		bool is = str_is(json_text(j), key);
		enum json_type value = json_next(j);

		if (is && value == JSON_STRING)
			found = arena_str(a, json_text(j));
		else if (json_skip_rest(j, value) < 0)
			break;
	}
	json_close(j);
	return found;
}

/* NAME-VERSION-BUILD by the entry's own index.json. */
static void name_package(struct arena *a, const struct cache *c, struct cache_item *item)
{
	struct arena scratch = {0};
	struct package p = {0};
	struct str text;
	char *facts = path_join(&scratch, path_join(&scratch, c->dir, item->rel), "facts");

	if (file_read(&scratch, facts, MAX_FACTS, &text, NULL) == 0 &&
		facts_decode(&scratch, text, &p, NULL) == 0)
		item->name = arena_strf(a, "%.*s-%.*s-%.*s",
			STR_ARG(json_field(&scratch, p.index_json, "name")),
			STR_ARG(json_field(&scratch, p.index_json, "version")),
			STR_ARG(json_field(&scratch, p.index_json, "build")));
	arena_release(&scratch);
}

struct first_file {
	struct arena *arena;
	struct str name;
};

static int take_first(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct first_file *f = ctx;

	(void)st;
	(void)e;
	f->name = arena_str(f->arena, str_of(rel));
	return 1;
}

static void name_wheel(struct arena *a, const struct cache *c, struct cache_item *item)
{
	struct first_file f = {.arena = a};
	CLEANUP_FD fd = open(path_join(a, c->dir, item->rel), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		dir_walk(fd, take_first, &f, NULL);
	item->name = f.name;
}

/* It is needed by those who need its package. */
static void describe_bytecode(
	struct arena *a, const struct cache *c, struct cache_item *item, const struct table *refs)
{
	struct arena scratch = {0};
	struct bytecode_entry entry = {0};
	union table_value *v = NULL;

	if (bytecode_entry_read(&scratch, path_join(&scratch, c->dir, item->rel), &entry, NULL) ==
		0)
		v = table_get(refs, hex_of(a, entry.package));
	if (v)
		item->locks = v->num >> 32;
	arena_release(&scratch);
}

static void describe(
	struct arena *a, const struct cache *c, struct cache_item *item, const struct table *refs)
{
	const char *hex = path_base(item->rel);
	union table_value *v = table_get(refs, str_of(hex));

	if (item->kind == CACHE_BYTECODE)
		describe_bytecode(a, c, item, refs);
	if (item->kind != CACHE_PACKAGE && item->kind != CACHE_WHEEL)
		return;
	if (hex_decode(str_of(hex), item->key, SHA256_LEN) < 0)
		return; /* a folder of somebody else's: nobody refers to it */
	if (v)
		item->locks = v->num >> 32;
	if (item->kind == CACHE_PACKAGE)
		name_package(a, c, item);
	else
		name_wheel(a, c, item);
}

int cache_survey(struct arena *a, const struct cache *c, struct cache_survey *out, struct err *e)
{
	struct table refs = {.arena = a};

	*out = (struct cache_survey){0};
	/* A cache that may only be read can be looked at, too. */
	if (cache_clock(c, &out->now, NULL) < 0)
		out->now = time(NULL);
	if (read_notes(a, c, out, e) < 0)
		return -1;
	for (int kind = 0; kind < CACHE_KINDS; kind++)
		if (survey_kind(a, c, (enum cache_kind)kind, out, e) < 0)
			return -1;
	read_locks(a, c, out, &refs);
	for (size_t i = 0; i < out->items.n; i++)
		describe(a, c, &out->items.v[i], &refs);
	return 0;
}

/* From the text of a repodata.json to groups: one pass, record after record. */
#include "solver/index_groups.h"

#include "base/ahead.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "solver/record_parse.h"

#include <fcntl.h>
#include <inttypes.h>

enum { FN_MAX = 1024 };
static const uint64_t unpacked_max = (uint64_t)8 << 30;

/* Records of one name, as long as they stand together. */
struct batch {
	struct str name;
	struct {
		struct group_record *v;
		size_t n, cap;
	} records;
};

struct reading {
	struct groups *groups;
	const char *name; /* for messages */
	struct json *json;
	struct buf fn;      /* of the record in work */
	struct arena arena; /* of the batch */
	struct batch batch;
};

static int flush(struct reading *r, struct err *e)
{
	struct batch *b = &r->batch;
	int rc = 0;

	if (b->records.n)
		rc = groups_add(r->groups, &r->arena, b->name, b->records.v, b->records.n, e);
	arena_reset(&r->arena);
	*b = (struct batch){0};
	return rc;
}

/* The file that a key of the list stands for; ending: of v3, "" elsewhere. */
static struct str file_name(struct reading *r, struct str ending)
{
	buf_clear(&r->fn);
	buf_str(&r->fn, json_text(r->json));
	if (ending.n)
		buf_printf(&r->fn, ".%.*s", STR_ARG(ending));
	return buf_view(&r->fn);
}

static int pass_over(struct reading *r, struct str fn, struct err *e)
{
	log_debug("index: passed over '%.*s', which is no package file name",
		(int)(fn.n < 255 ? fn.n : 255), fn.p);
	return json_skip(r->json) < 0 ? json_error(r->json, e) : 0;
}

static int read_record(struct reading *r, struct str ending, struct err *e)
{
	struct str fn = file_name(r, ending), name, version, build;
	struct group_record *to;
	struct err why = {0};

	if (fn.n > FN_MAX || record_split_fn(fn, &name, &version, &build) < 0)
		return pass_over(r, fn, e);
	if (!str_eq(name, r->batch.name)) {
		if (flush(r, e) < 0)
			return -1;
		r->batch.name = arena_str(&r->arena, name);
	}
	to = VEC_PUSH(&r->arena, &r->batch.records);
	*to = (struct group_record){.order = r->batch.records.n};
	fn = arena_str(&r->arena, fn);
	if (record_parse(r->json, &r->arena, fn, &to->record, &why) < 0) {
		to->error = arena_strdup(&r->arena, why.text);
		err_release(&why);
	}
	return 0;
}

/* Members of the object whose value comes next. */
static int read_records(struct reading *r, struct str ending, struct err *e)
{
	enum json_type t;

	if (json_next(r->json) != JSON_OBJECT)
		return json_fail(r->json, e, "the list of records is no object");
	while ((t = json_next(r->json)) == JSON_KEY)
		if (read_record(r, ending, e) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, e);
}

/* CEP 48: {ENDING: {STEM: record}}.  Other kinds of files are nothing that could be installed. */
static int read_v3(struct reading *r, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT)
		return json_fail(r->json, e, "'v3' is no object");
	while ((t = json_next(r->json)) == JSON_KEY) {
		struct str key = json_text(r->json);
		int rc;

		if (str_is(key, "conda"))
			rc = read_records(r, STR("conda"), e);
		else if (str_is(key, "tar.bz2"))
			rc = read_records(r, STR("tar.bz2"), e);
		else
			rc = json_skip(r->json) < 0 ? json_error(r->json, e) : 0;
		if (rc < 0)
			return -1;
	}
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, e);
}

static int read_removed(struct reading *r, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return json_skip_rest(r->json, t) < 0 ? json_error(r->json, e) : 0;
	while ((t = json_next(r->json)) == JSON_STRING)
		groups_remove(r->groups, json_text(r->json));
	return t == JSON_ARRAY_END ? 0
				   : json_fail(r->json, e, "the list 'removed' holds no file name");
}

static int read_info(struct reading *r, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT)
		return json_skip_rest(r->json, t) < 0 ? json_error(r->json, e) : 0;
	while ((t = json_next(r->json)) == JSON_KEY) {
		bool base_url = str_is(json_text(r->json), "base_url");

		t = json_next(r->json);
		if (base_url && t == JSON_STRING)
			groups_set_base_url(r->groups, json_text(r->json));
		else if (json_skip_rest(r->json, t) < 0)
			return json_error(r->json, e);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, e);
}

/* "v4", a later revision than is known here (CEP 48): said, since somebody may miss what it holds. */
static void tell_unknown(const struct reading *r, struct str key)
{
	uint64_t revision;

	if (key.n > 1 && key.p[0] == 'v' &&
		str_u64(str_sub(key, 1, key.n), UINT32_MAX, &revision) == 0)
		log_warn(
			"%s: records of repodata '%.*s' are passed over; a newer envbuild may read "
			"them",
			r->name, STR_ARG(key));
}

static int read_member(struct reading *r, struct err *e)
{
	struct str key = json_text(r->json);

	if (str_is(key, "packages") || str_is(key, "packages.conda"))
		return read_records(r, STR(""), e);
	if (str_is(key, "v3"))
		return read_v3(r, e);
	if (str_is(key, "removed"))
		return read_removed(r, e);
	if (str_is(key, "info"))
		return read_info(r, e);
	tell_unknown(r, key);
	return json_skip(r->json) < 0 ? json_error(r->json, e) : 0;
}

static int read_all(struct reading *r, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT) {
		json_error(r->json, e);
		return err_wrap(e, "not an index");
	}
	while ((t = json_next(r->json)) == JSON_KEY)
		if (read_member(r, e) < 0)
			return -1;
	if (t != JSON_OBJECT_END || json_next(r->json) != JSON_END)
		return json_error(r->json, e);
	return flush(r, e) < 0 ? -1 : groups_finish(r->groups, e);
}

struct groups *groups_read(stream_read *read, void *ctx, const char *name, struct err *e)
{
	struct reading r = {.groups = groups_new(), .name = name};
	int rc;

	r.json = json_open(read, ctx, name);
	rc = read_all(&r, e);
	json_close(r.json);
	arena_release(&r.arena);
	buf_release(&r.fn);
	if (rc == 0)
		return r.groups;
	groups_free(r.groups);
	return NULL;
}

/* --- compressed ---------------------------------------------------------------------------- */

/* No more of what is unpacked than this: a small file can stand for any length. */
struct limited {
	struct unpacker *from;
	const char *name;
	uint64_t left;
};

static ptrdiff_t read_limited(void *ctx, void *p, size_t n, struct err *e)
{
	struct limited *l = ctx;
	ptrdiff_t got = unpacker_read(l->from, p, n, e);

	if (got > 0 && (uint64_t)got > l->left)
		return err_set(e, ERR_INTEGRITY, "%s: index over %" PRIu64 " bytes", l->name,
			unpacked_max);
	l->left -= got > 0 ? (uint64_t)got : 0;
	return got;
}

struct groups *groups_read_packed(stream_read *read, void *ctx, const char *name, struct err *e)
{
	struct limited from = {.name = name, .left = unpacked_max};
	struct ahead *ahead = NULL;
	struct groups *g = NULL;

	from.from = unpacker_open(read, ctx, name, e);
	if (from.from)
		ahead = ahead_open(read_limited, &from, e);
	if (ahead)
		g = groups_read(ahead_read, ahead, name, e);
	ahead_close(ahead);
	unpacker_close(from.from);
	return g;
}

/* --- a file -------------------------------------------------------------------------------- */

struct summed {
	int fd;
	const char *path;
	struct hash *hash;
};

static ptrdiff_t read_summed(void *ctx, void *p, size_t n, struct err *e)
{
	const struct summed *s = ctx;
	ssize_t got = read_full(s->fd, p, n);

	if (got < 0)
		return err_sys(e, "cannot read '%s'", s->path);
	hash_update(s->hash, p, (size_t)got);
	return got;
}

/* What a decompressor has left counts, too. */
static int check_sum(struct summed *s, const uint8_t *want, struct err *e)
{
	uint8_t got[SHA256_LEN];
	char rest[4096];
	ptrdiff_t n;

	while ((n = read_summed(s, rest, sizeof rest, e)) > 0)
		continue;
	if (n < 0)
		return -1;
	hash_final(s->hash, got);
	if (memcmp(got, want, sizeof got) == 0)
		return 0;
	return err_set(e, ERR_INTEGRITY, "'%s' has another sha256 than when it was kept", s->path);
}

struct groups *groups_read_file(
	const char *path, const char *name, const uint8_t *sha256, struct err *e)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	struct summed from = {.fd = fd, .path = path};
	struct groups *g;

	if (fd < 0) {
		err_sys(e, "cannot open '%s'", path);
		return NULL;
	}
	from.hash = hash_new(HASH_SHA256);
	g = groups_read_packed(read_summed, &from, name, e);
	if (g && sha256 && check_sum(&from, sha256, e) < 0) {
		groups_free(g);
		g = NULL;
	}
	hash_free(from.hash);
	return g;
}

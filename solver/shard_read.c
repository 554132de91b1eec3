/* One shard: the records of one name. */
#include "solver/shard_read.h"

#include "base/log.h"
#include "base/msgpack.h"
#include "base/table.h"
#include "solver/shard_record.h"

enum { FN_MAX = 1024, RECORDS_MAX = 1 << 20, RESERVE_MAX = 1 << 14 };

struct shard_reader {
	struct arena *a;
	struct msgpack m;
	struct str name;
	struct table removed;
	struct {
		struct group_record *v;
		size_t n, cap;
	} records;
};

/* The file that a key stands for.  ending: of v3, "" elsewhere. */
static struct str file_name(struct shard_reader *s, struct str key, struct str ending)
{
	return ending.n ? arena_strf(s->a, "%.*s.%.*s", STR_ARG(key), STR_ARG(ending)) : key;
}

static int read_file(struct shard_reader *s, struct str ending, struct err *e)
{
	struct str fn, name, version, build;
	struct msgpack_value key;
	struct group_record *to;

	if (msgpack_next(&s->m, &key) != MSGPACK_STR)
		return msgpack_fail(&s->m, e, "a file name is a text");
	fn = file_name(s, key.text, ending);
	if (fn.n > FN_MAX || record_split_fn(fn, &name, &version, &build) < 0) {
		log_debug("%s: passed over '%.*s', which is no package file name", s->m.name,
			(int)(fn.n < 255 ? fn.n : 255), fn.p);
		return msgpack_skip(&s->m) < 0 ? msgpack_error(&s->m, e) : 0;
	}
	if (!str_eq(name, s->name))
		return msgpack_fail(&s->m, e, "it holds a file of another name");
	if (s->records.n == RECORDS_MAX)
		return msgpack_fail(&s->m, e, "more than 1048576 records");
	to = VEC_PUSH(s->a, &s->records);
	*to = (struct group_record){.order = s->records.n};
	shard_record(&s->m, s->a, fn, s->name, to);
	return s->m.why ? msgpack_error(&s->m, e) : 0;
}

/* Room for n more records, where that is not a lie of the shard's. */
static void reserve(struct shard_reader *s, uint64_t n)
{
	size_t cap = s->records.n + (size_t)(n < RESERVE_MAX ? n : RESERVE_MAX);
	struct group_record *v;

	if (cap <= s->records.cap)
		return;
	v = arena_array(s->a, struct group_record, cap);
	if (s->records.n)
		memcpy(v, s->records.v, s->records.n * sizeof *v);
	s->records.v = v;
	s->records.cap = cap;
}

static int read_files(struct shard_reader *s, struct str ending, struct err *e)
{
	struct msgpack_value v;

	if (msgpack_next(&s->m, &v) != MSGPACK_MAP)
		return msgpack_fail(&s->m, e, "the list of records is no map");
	reserve(s, v.n);
	for (uint64_t i = 0; i < v.n; i++)
		if (read_file(s, ending, e) < 0)
			return -1;
	return 0;
}

/* CEP 48: {ENDING: {STEM: record}}.  Other kinds of files are nothing that could be installed. */
static int read_v3(struct shard_reader *s, struct err *e)
{
	struct msgpack_value map, key;

	if (msgpack_next(&s->m, &map) != MSGPACK_MAP)
		return msgpack_fail(&s->m, e, "'v3' is no map");
	for (uint64_t i = 0; i < map.n; i++) {
		bool text = msgpack_next(&s->m, &key) == MSGPACK_STR;

		if (text && (str_is(key.text, "conda") || str_is(key.text, "tar.bz2"))) {
			if (read_files(s, key.text, e) < 0)
				return -1;
		} else if (msgpack_skip_rest(&s->m, &key) < 0 || msgpack_skip(&s->m) < 0) {
			return msgpack_error(&s->m, e);
		}
	}
	return 0;
}

static int read_removed(struct shard_reader *s, struct err *e)
{
	struct msgpack_value list, v;

	if (msgpack_next(&s->m, &list) != MSGPACK_ARRAY)
		return msgpack_skip_rest(&s->m, &list) < 0 ? msgpack_error(&s->m, e) : 0;
	for (uint64_t i = 0; i < list.n; i++) {
		if (msgpack_next(&s->m, &v) != MSGPACK_STR)
			return msgpack_fail(&s->m, e, "the list 'removed' holds no file name");
		table_put(&s->removed, v.text)->num = 1;
	}
	return 0;
}

/* "v4", a later revision than is known here (CEP 48): said, since somebody may miss what it holds. */
static void tell_unknown(struct str key)
{
	uint64_t revision;

	if (key.n > 1 && key.p[0] == 'v' &&
		str_u64(str_sub(key, 1, key.n), UINT32_MAX, &revision) == 0)
		log_warn("shards with records of repodata '%.*s': these are passed over; a newer "
			 "envbuild may read them",
			STR_ARG(key));
}

static int read_member(struct shard_reader *s, struct err *e)
{
	struct msgpack_value key;

	if (msgpack_next(&s->m, &key) == MSGPACK_STR) {
		if (str_is(key.text, "packages") || str_is(key.text, "packages.conda"))
			return read_files(s, STR(""), e);
		if (str_is(key.text, "v3"))
			return read_v3(s, e);
		if (str_is(key.text, "removed"))
			return read_removed(s, e);
		tell_unknown(key.text);
	}
	if (msgpack_skip_rest(&s->m, &key) < 0 || msgpack_skip(&s->m) < 0)
		return msgpack_error(&s->m, e);
	return 0;
}

static void leave_out_removed(struct shard_reader *s)
{
	size_t kept = 0;

	if (s->removed.n == 0)
		return;
	for (size_t i = 0; i < s->records.n; i++)
		if (!table_get(&s->removed, s->records.v[i].record.fn))
			s->records.v[kept++] = s->records.v[i];
	s->records.n = kept;
}

int shard_parse(struct arena *a, struct str bytes, struct str name, const char *label,
	struct group_record **v, size_t *n, struct err *e)
{
	struct shard_reader s = {.a = a, .name = name, .removed = {.arena = a}};
	struct msgpack_value top;

	msgpack_open(&s.m, bytes, label);
	if (msgpack_next(&s.m, &top) != MSGPACK_MAP)
		return msgpack_fail(&s.m, e, "a shard is a map");
	for (uint64_t i = 0; i < top.n; i++)
		if (read_member(&s, e) < 0)
			return -1;
	if (msgpack_end(&s.m) < 0)
		return msgpack_error(&s.m, e);
	leave_out_removed(&s);
	*v = s.records.v;
	*n = s.records.n;
	return 0;
}

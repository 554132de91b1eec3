/* The index of shards: which names there are, and the sum of each one's shard. */
#include "solver/shard_read.h"

#include "base/hash.h"
#include "base/msgpack.h"

struct list_reader {
	struct arena *a;
	struct msgpack m;
	struct shard_list *out;
};

/* --- the table of names ------------------------------------------------------------------- */

static uint32_t *slot_of(const struct shard_list *list, struct str name)
{
	size_t mask = list->n_slots - 1, at = (size_t)str_hash(name) & mask;

	while (list->slots[at] && !str_eq(list->v[list->slots[at] - 1].name, name))
		at = (at + 1) & mask;
	return &list->slots[at];
}

const struct shard_name *shard_list_find(const struct shard_list *list, struct str name)
{
	uint32_t slot = list->n_slots ? *slot_of(list, name) : 0;

	return slot ? &list->v[slot - 1] : NULL;
}

enum { LEAST_ENTRY = 1 + 2 + SHA256_LEN };

/* For n names, but for no more than can be in the bytes that are left. */
static void make_room(struct list_reader *r, uint64_t n)
{
	uint64_t most = (uint64_t)(r->m.end - r->m.p) / LEAST_ENTRY;
	size_t n_slots = 16;

	n = n < most ? n : most;
	while (n_slots < 2 * n)
		n_slots *= 2;
	r->out->v = arena_array(r->a, struct shard_name, (size_t)n);
	r->out->slots = arena_array(r->a, uint32_t, n_slots);
	r->out->n_slots = n_slots;
}

/* --- reading ------------------------------------------------------------------------------ */

/* The sum's bytes; NULL: neither 32 bytes nor 64 hex digits. */
static const uint8_t *sum_of(struct list_reader *r, const struct msgpack_value *v)
{
	uint8_t *sum;

	if (v->type == MSGPACK_BIN && v->text.n == SHA256_LEN)
		return (const uint8_t *)v->text.p;
	if (v->type != MSGPACK_STR)
		return NULL;
	sum = arena_alloc(r->a, SHA256_LEN);
	return hex_decode(v->text, sum, SHA256_LEN) == 0 ? sum : NULL;
}

static int read_shard(struct list_reader *r, struct err *e)
{
	struct msgpack_value key, value;
	const uint8_t *sum;
	uint32_t *slot;

	if (msgpack_next(&r->m, &key) != MSGPACK_STR)
		return msgpack_fail(&r->m, e, "the name of a shard is no text");
	if (msgpack_next(&r->m, &value) == MSGPACK_NIL)
		return 0; /* a name that is gone */
	sum = sum_of(r, &value);
	if (!sum)
		return msgpack_fail(&r->m, e, "a sha256 expected");
	slot = slot_of(r->out, key.text);
	if (*slot)
		return 0;
	r->out->v[r->out->n] = (struct shard_name){key.text, sum};
	*slot = (uint32_t)++r->out->n;
	return 0;
}

static int read_shards(struct list_reader *r, struct err *e)
{
	struct msgpack_value v;

	if (msgpack_next(&r->m, &v) != MSGPACK_MAP)
		return msgpack_fail(&r->m, e, "'shards' is no map");
	if (r->out->n_slots)
		return msgpack_fail(&r->m, e, "'shards' comes twice");
	make_room(r, v.n);
	for (uint64_t i = 0; i < v.n; i++)
		if (read_shard(r, e) < 0)
			return -1;
	return 0;
}

static int read_info(struct list_reader *r, struct err *e)
{
	struct msgpack_value info, key, v;

	if (msgpack_next(&r->m, &info) != MSGPACK_MAP)
		return msgpack_fail(&r->m, e, "'info' is no map");
	for (uint64_t i = 0; i < info.n; i++) {
		if (msgpack_next(&r->m, &key) == MSGPACK_ERROR ||
			msgpack_skip_rest(&r->m, &key) < 0 ||
			msgpack_next(&r->m, &v) == MSGPACK_ERROR)
			return msgpack_error(&r->m, e);
		if (key.type == MSGPACK_STR && v.type == MSGPACK_STR) {
			if (str_is(key.text, "base_url"))
				r->out->base_url = v.text;
			else if (str_is(key.text, "shards_base_url"))
				r->out->shards_base_url = v.text;
		} else if (msgpack_skip_rest(&r->m, &v) < 0) {
			return msgpack_error(&r->m, e);
		}
	}
	return 0;
}

static int read_version(struct list_reader *r, uint64_t *version, struct err *e)
{
	struct msgpack_value v;

	if (msgpack_next(&r->m, &v) != MSGPACK_UINT)
		return msgpack_fail(&r->m, e, "'version' is no number");
	*version = v.number;
	return 0;
}

/* Another version's may mean anything: it is only passed over. */
static int read_member(struct list_reader *r, uint64_t *version, struct err *e)
{
	struct msgpack_value key;

	if (msgpack_next(&r->m, &key) == MSGPACK_STR) {
		if (str_is(key.text, "version"))
			return read_version(r, version, e);
		if (*version <= 1 && str_is(key.text, "info"))
			return read_info(r, e);
		if (*version <= 1 && str_is(key.text, "shards"))
			return read_shards(r, e);
	}
	if (msgpack_skip_rest(&r->m, &key) < 0 || msgpack_skip(&r->m) < 0)
		return msgpack_error(&r->m, e);
	return 0;
}

int shard_list_parse(
	struct arena *a, struct str bytes, const char *label, struct shard_list *out, struct err *e)
{
	struct list_reader r = {.a = a, .out = out};
	struct msgpack_value top;
	uint64_t version = 0;

	*out = (struct shard_list){0};
	msgpack_open(&r.m, bytes, label);
	if (msgpack_next(&r.m, &top) != MSGPACK_MAP)
		return msgpack_fail(&r.m, e, "an index of shards is a map");
	for (uint64_t i = 0; i < top.n; i++)
		if (read_member(&r, &version, e) < 0)
			return -1;
	if (msgpack_end(&r.m) < 0)
		return msgpack_error(&r.m, e);
	if (version > 1)
		return 1;
	if (version == 1 && out->n_slots)
		return 0;
	return err_set(e, ERR_INTEGRITY, "%s: no %s", label, version ? "shards" : "version");
}

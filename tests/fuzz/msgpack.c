/*
 * MessagePack: any bytes are read to their end or to an error, inside their bounds; what was read,
 * written and read again is the same; and skipping ends where reading does.
 */
#include "base/msgpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct buf *to, const struct msgpack_value *v)
{
	switch (v->type) {
	case MSGPACK_ERROR:
		abort();
	case MSGPACK_NIL:
		mp_nil(to);
		break;
	case MSGPACK_FALSE:
	case MSGPACK_TRUE:
		mp_bool(to, v->type == MSGPACK_TRUE);
		break;
	case MSGPACK_UINT:
		mp_uint(to, v->number);
		break;
	case MSGPACK_INT:
		mp_int(to, (int64_t)v->number);
		break;
	case MSGPACK_FLOAT:
		mp_double(to, v->real);
		break;
	case MSGPACK_STR:
		mp_str(to, v->text);
		break;
	case MSGPACK_BIN:
		mp_bin(to, v->text.p, v->text.n);
		break;
	case MSGPACK_EXT:
		mp_ext(to, v->ext, v->text);
		break;
	case MSGPACK_ARRAY:
		mp_array(to, (size_t)v->n);
		break;
	case MSGPACK_MAP:
		mp_map(to, (size_t)v->n);
		break;
	}
}

/* Reads one value and all in it, and writes it again; true where it was whole. */
static bool copy(struct msgpack *m, struct buf *to)
{
	struct msgpack_value v;

	/* The number of values still to come; each takes a byte, so it cannot overflow. */
	for (uint64_t left = 1; left; left--) {
		if (msgpack_next(m, &v) == MSGPACK_ERROR)
			return false;
		if (v.type == MSGPACK_ARRAY || v.type == MSGPACK_MAP)
			left += v.type == MSGPACK_MAP ? 2 * v.n : v.n;
		write_value(to, &v);
	}
	return true;
}

static void check_error(const struct msgpack *m)
{
	struct err e = {0};

	if (msgpack_error(m, &e) != -1 || e.code != ERR_INTEGRITY || !m->why)
		abort();
	err_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_n((const char *)data, size);
	CLEANUP_BUF one = {0}, two = {0};
	struct msgpack m, skipped;
	bool whole;

	msgpack_open(&m, bytes, "fuzz");
	msgpack_open(&skipped, bytes, "fuzz");
	whole = copy(&m, &one);
	if (!whole)
		check_error(&m);
	/* Skipping has a limit of depth besides. */
	if (msgpack_skip(&skipped) == 0) {
		if (!whole || skipped.p != m.p)
			abort();
	} else {
		check_error(&skipped);
	}
	if (!whole)
		return 0;
	msgpack_open(&m, buf_view(&one), "fuzz");
	if (!copy(&m, &two) || msgpack_end(&m) < 0 || !str_eq(buf_view(&one), buf_view(&two)))
		abort();
	return 0;
}

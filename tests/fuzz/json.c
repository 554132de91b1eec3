/*
 * JSON: any text, read whole and piece by piece, gives the same tokens, stays in bounds and, where
 * it is valid, survives being written and read again.
 */
#include "base/json.h"
#include "tests/memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_text(enum json_type t)
{
	return t == JSON_KEY || t == JSON_STRING || t == JSON_NUMBER;
}

/* One token of both readers; true while there are more. */
static bool same_token(struct json *a, struct json *b, enum json_type *type)
{
	struct err one = {0}, two = {0};
	bool more;

	*type = json_next(a);
	if (json_next(b) != *type || (has_text(*type) && !str_eq(json_text(a), json_text(b))))
		abort();
	more = *type != JSON_END && *type != JSON_ERROR;
	if (*type == JSON_ERROR) {
		json_error(a, &one);
		json_error(b, &two);
		if (strcmp(one.text, two.text) != 0)
			abort();
		err_release(&one);
		err_release(&two);
	} else if (json_offset(a) != json_offset(b)) {
		abort();
	}
	return more;
}

/* Reads all of it in both ways; passes over every skip-th object or array. */
static void compare(struct str text, size_t piece, unsigned skip)
{
	struct memory s = {.rest = text, .step = piece};
	struct json *a = json_open_text(text, "fuzz"), *b = json_open(read_memory, &s, "fuzz");
	enum json_type type;
	unsigned n = 0;

	while (same_token(a, b, &type))
		if (skip && (type == JSON_OBJECT || type == JSON_ARRAY) && ++n % skip == 0)
			if (json_skip(a) != json_skip(b))
				abort();
	json_close(a);
	json_close(b);
}

static void write_token(struct json_out *w, enum json_type type, struct str text)
{
	switch (type) {
	case JSON_OBJECT:
		jw_object(w);
		break;
	case JSON_OBJECT_END:
		jw_object_end(w);
		break;
	case JSON_ARRAY:
		jw_array(w);
		break;
	case JSON_ARRAY_END:
		jw_array_end(w);
		break;
	case JSON_KEY:
		jw_key_str(w, text);
		break;
	case JSON_STRING:
	case JSON_NUMBER:
		jw_str(w, text);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jw_bool(w, type == JSON_TRUE);
		break;
	case JSON_NULL:
		jw_null(w);
		break;
	case JSON_ERROR:
	case JSON_END:
		break;
	}
}

/* Writes what it reads; false where the text is not JSON. */
static bool rewrite(struct str text, int indent, struct buf *to)
{
	struct json *j = json_open_text(text, "fuzz");
	struct json_out w = {.to = to, .indent = indent};
	enum json_type type;

	while ((type = json_next(j)) != JSON_END && type != JSON_ERROR)
		write_token(&w, type, json_text(j));
	json_close(j);
	return type == JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	CLEANUP_BUF once = {0}, twice = {0};
	static const size_t pieces[] = {1, 7, 63, 65536};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
		for (unsigned skip = 0; skip < 3; skip++)
			compare(text, pieces[i], skip);
	if (rewrite(text, 2, &once) && (!rewrite(buf_view(&once), 2, &twice) ||
					       !str_eq(buf_view(&once), buf_view(&twice))))
		abort();
	return 0;
}

#include "builder/index_json.h"

#include "base/archive.h"
#include "base/hash.h"
#include "base/msgpack.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_INDEX_JSON = 16 << 20 };

/* --- out of the package -------------------------------------------------------------------- */

/* 1: *text is info/index.json; 0: the tar has none. */
static int find_in_tar(struct arena *a, struct tar_reader *tar, struct str *text, struct err *e)
{
	struct member m;
	int rc;

	while ((rc = tar_next(tar, &m, e)) > 0)
		if (str_is(m.path, "info/index.json") && m.type == MEMBER_FILE)
			return tar_read_all(tar, a, MAX_INDEX_JSON, text, e) < 0 ? -1 : 1;
	return rc;
}

static int find_in_zip(
	struct arena *a, struct tar_reader *zip, const char *path, struct str *text, struct err *e)
{
	struct tar_reader *tar;
	struct member m;
	int rc;

	while ((rc = tar_next(zip, &m, e)) > 0) {
		if (!str_starts(m.path, STR("info-")) || !str_ends(m.path, STR(".tar.zst")))
			continue;
		tar = tar_open(tar_read, zip, path, e);
		rc = tar ? find_in_tar(a, tar, text, e) : -1;
		tar_close(tar);
		return rc;
	}
	return rc;
}

static int read_text(struct arena *a, const char *path, struct str *text, struct err *e)
{
	struct tar_reader *outer;
	int rc;

	if (str_ends(str_of(path), STR(".conda"))) {
		outer = zip_open_path(path, e);
		rc = outer ? find_in_zip(a, outer, path, text, e) : -1;
	} else {
		outer = tar_open_path(path, e);
		rc = outer ? find_in_tar(a, outer, text, e) : -1;
	}
	tar_close(outer);
	if (rc == 0)
		return err_set(e, ERR_INTEGRITY, "no info/index.json in '%s'", path);
	return rc < 0 ? -1 : 0;
}

/* --- JSON ---------------------------------------------------------------------------------- */

/* Sorted, as they are written. */
static const char *const field_names[INDEX_FIELDS] = {"app_entry", "app_type", "arch", "build",
	"build_number", "constrains", "date", "depends", "features", "icon", "license",
	"license_family", "md5", "name", "namespace", "noarch", "platform", "preferred_env",
	"python_site_packages_path", "schema_version", "sha256", "size", "subdir", "summary",
	"timestamp", "track_features", "type", "version"};

static int field_of(struct str key)
{
	for (int i = 0; i < INDEX_FIELDS; i++)
		if (str_is(key, field_names[i]))
			return i;
	return -1;
}

static void take_scalar(
	struct arena *a, const struct json *j, enum json_type t, struct index_value *v)
{
	*v = (struct index_value){.type = t};
	if (t == JSON_STRING || t == JSON_NUMBER)
		v->text = arena_str(a, json_text(j));
}

static bool is_scalar(enum json_type t)
{
	return t == JSON_STRING || t == JSON_NUMBER || t == JSON_TRUE || t == JSON_FALSE ||
	       t == JSON_NULL;
}

static int read_value(struct arena *a, struct json *j, struct index_value *v)
{
	struct {
		struct index_value *v;
		size_t n, cap;
	} items = {0};
	enum json_type t = json_next(j);

	if (is_scalar(t)) {
		take_scalar(a, j, t, v);
		return 0;
	}
	if (t != JSON_ARRAY)
		return -1;
	while (is_scalar(t = json_next(j)))
		take_scalar(a, j, t, VEC_PUSH(a, &items));
	*v = (struct index_value){.type = JSON_ARRAY, .items = items.v, .n = items.n};
	return t == JSON_ARRAY_END ? 0 : -1;
}

static int parse(struct json *j, struct index_json *out, struct err *e)
{
	enum json_type t;
	int field;

	if (json_next(j) != JSON_OBJECT)
		return json_fail(j, e, "no JSON object");
	while ((t = json_next(j)) == JSON_KEY) {
		field = field_of(json_text(j));
		if (field < 0) {
			if (json_skip(j) < 0)
				return json_error(j, e);
		} else if (read_value(out->arena, j, &out->fields[field]) < 0) {
			return json_fail(j, e, "unexpected value of '%s'", field_names[field]);
		}
	}
	if (t != JSON_OBJECT_END || json_next(j) != JSON_END)
		return json_error(j, e);
	return 0;
}

int index_json_read(struct arena *a, const char *path, struct index_json *out, struct err *e)
{
	static const char *const needed[] = {"name", "version", "build"};
	struct str text;
	struct json *j;
	int rc;

	*out = (struct index_json){.arena = a};
	for (size_t i = 0; i < INDEX_FIELDS; i++)
		out->fields[i].type = JSON_END;
	if (read_text(a, path, &text, e) < 0)
		return -1;
	j = json_open_text(text, arena_printf(a, "%s: info/index.json", path));
	rc = parse(j, out, e);
	json_close(j);
	for (size_t i = 0; rc == 0 && i < sizeof needed / sizeof *needed; i++)
		if (index_json_text(out, needed[i]).n == 0)
			rc = err_set(e, ERR_INTEGRITY, "no %s in info/index.json of '%s'",
				needed[i], path);
	return rc;
}

struct str index_json_text(const struct index_json *index, const char *key)
{
	const struct index_value *v = &index->fields[field_of(str_of(key))];

	return v->type == JSON_STRING ? v->text : STR("");
}

struct str *index_json_list(const struct index_json *index, const char *key, size_t *n)
{
	const struct index_value *v = &index->fields[field_of(str_of(key))];
	struct str *texts = arena_array(index->arena, struct str, v->n);

	*n = 0;
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].type == JSON_STRING)
			texts[(*n)++] = v->items[i].text;
	return texts;
}

void index_json_set_text(struct index_json *index, const char *key, struct str text)
{
	index->fields[field_of(str_of(key))] =
		(struct index_value){.type = JSON_STRING, .text = arena_str(index->arena, text)};
}

void index_json_set_int(struct index_json *index, const char *key, int64_t v)
{
	index->fields[field_of(str_of(key))] = (struct index_value){
		.type = JSON_NUMBER, .text = arena_strf(index->arena, "%lld", (long long)v)};
}

void index_json_set_list(
	struct index_json *index, const char *key, const struct str *texts, size_t n)
{
	struct index_value *v = &index->fields[field_of(str_of(key))];

	*v = (struct index_value){.type = JSON_ARRAY, .n = n, .cap = n};
	v->items = arena_array(index->arena, struct index_value, n);
	for (size_t i = 0; i < n; i++)
		v->items[i] = (struct index_value){
			.type = JSON_STRING, .text = arena_str(index->arena, texts[i])};
}

/* Is it a whole number of 64 bits?  Others are written as fractions. */
static bool is_whole(struct str text, int64_t *whole, double *fraction)
{
	char copy[64] = "";
	char *end;

	memcpy(copy, text.p, text.n < sizeof copy ? text.n : sizeof copy - 1);
	errno = 0;
	*whole = strtoll(copy, &end, 10);
	if (*end == '\0' && errno == 0)
		return true;
	*fraction = strtod(copy, NULL);
	return false;
}

static void write_number(struct json_out *w, struct str text)
{
	double fraction;
	int64_t whole;

	if (is_whole(text, &whole, &fraction))
		jw_int(w, whole);
	else
		jw_double(w, fraction);
}

static void write_scalar(struct json_out *w, const struct index_value *v)
{
	if (v->type == JSON_STRING)
		jw_str(w, v->text);
	else if (v->type == JSON_NUMBER)
		write_number(w, v->text);
	else if (v->type == JSON_NULL)
		jw_null(w);
	else
		jw_bool(w, v->type == JSON_TRUE);
}

void index_json_write(const struct index_json *index, struct json_out *w)
{
	jw_object(w);
	for (size_t i = 0; i < INDEX_FIELDS; i++) {
		const struct index_value *v = &index->fields[i];

		if (v->type == JSON_END)
			continue;
		jw_key(w, field_names[i]);
		if (v->type != JSON_ARRAY) {
			write_scalar(w, v);
			continue;
		}
		jw_array(w);
		for (size_t k = 0; k < v->n; k++)
			write_scalar(w, &v->items[k]);
		jw_array_end(w);
	}
	jw_object_end(w);
}

static void pack_number(struct buf *to, struct str text)
{
	double fraction;
	int64_t whole;

	if (is_whole(text, &whole, &fraction))
		mp_int(to, whole);
	else
		mp_double(to, fraction);
}

static void pack_scalar(struct buf *to, const struct index_value *v)
{
	if (v->type == JSON_STRING)
		mp_str(to, v->text);
	else if (v->type == JSON_NUMBER)
		pack_number(to, v->text);
	else if (v->type == JSON_NULL)
		mp_nil(to);
	else
		mp_bool(to, v->type == JSON_TRUE);
}

static bool pack_sum(struct buf *to, const char *field, struct str hex)
{
	size_t n = strcmp(field, "sha256") == 0 ? SHA256_LEN
		   : strcmp(field, "md5") == 0  ? MD5_LEN
						: 0;
	uint8_t sum[SHA256_LEN];

	if (n == 0 || hex_decode(hex, sum, n) < 0)
		return false;
	mp_bin(to, sum, n);
	return true;
}

static void pack_field(struct buf *to, const char *field, const struct index_value *v)
{
	mp_cstr(to, field);
	if (v->type == JSON_STRING && pack_sum(to, field, v->text))
		return;
	if (v->type != JSON_ARRAY) {
		pack_scalar(to, v);
		return;
	}
	mp_array(to, v->n);
	for (size_t i = 0; i < v->n; i++)
		pack_scalar(to, &v->items[i]);
}

void index_json_pack(const struct index_json *index, struct buf *to)
{
	size_t n = 0;

	for (size_t i = 0; i < INDEX_FIELDS; i++)
		n += index->fields[i].type != JSON_END;
	mp_map(to, n);
	for (size_t i = 0; i < INDEX_FIELDS; i++)
		if (index->fields[i].type != JSON_END)
			pack_field(to, field_names[i], &index->fields[i]);
}

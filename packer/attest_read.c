#include "packer/attest.h"

enum { STATEMENTS_MAX = 64, SUBJECTS_MAX = 4096 };

struct subjects {
	struct attest_file *v;
	size_t n, cap;
};

static int read_digest(struct json *j, struct attest_file *out, bool *found, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return json_unexpected(j, t, "a map of digests", e);
	while ((t = json_next(j)) == JSON_KEY) {
		bool sha256 = str_is(json_text(j), "sha256");

		t = json_next(j);
		if (sha256 &&
			(t != JSON_STRING || hex_decode(json_text(j), out->sha256, SHA256_LEN) < 0))
			return json_unexpected(j, t, "a sha256", e);
		*found |= sha256;
		if (json_skip_rest(j, t) < 0)
			return json_error(j, e);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(j, e);
}

static int read_subject(struct arena *a, struct json *j, struct attest_file *out, struct err *e)
{
	bool found = false;
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		int rc = 0;

		if (str_is(json_text(j), "name"))
			rc = json_read_text(j, a, &out->name, e);
		else if (str_is(json_text(j), "digest"))
			rc = read_digest(j, out, &found, e);
		else if (json_skip(j) < 0)
			rc = json_error(j, e);
		if (rc < 0)
			return -1;
	}
	if (t != JSON_OBJECT_END)
		return json_error(j, e);
	return found ? 0 : json_fail(j, e, "a subject has no sha256");
}

static int read_subjects(
	struct arena *a, struct json *j, struct attest_statement *out, struct err *e)
{
	struct subjects list = {0};
	enum json_type t = json_next(j);

	if (t != JSON_ARRAY)
		return json_unexpected(j, t, "a list of subjects", e);
	while ((t = json_next(j)) == JSON_OBJECT && list.n < SUBJECTS_MAX) {
		struct attest_file *file = VEC_PUSH(a, &list);

		*file = (struct attest_file){0};
		if (read_subject(a, j, file, e) < 0)
			return -1;
	}
	out->subjects = list.v;
	out->n_subjects = list.n;
	return t == JSON_ARRAY_END ? 0 : json_unexpected(j, t, "a subject", e);
}

static int read_predicate(
	struct arena *a, struct json *j, struct attest_statement *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return json_unexpected(j, t, "a predicate", e);
	while ((t = json_next(j)) == JSON_KEY) {
		bool result = str_is(json_text(j), "result");

		t = json_next(j);
		if (result && t == JSON_STRING)
			out->result = arena_str(a, json_text(j));
		if (json_skip_rest(j, t) < 0)
			return json_error(j, e);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(j, e);
}

static int read_key(struct arena *a, struct json *j, struct str *type, struct attest_statement *out,
	struct err *e)
{
	struct str key = json_text(j);

	if (str_is(key, "_type"))
		return json_read_text(j, a, type, e);
	if (str_is(key, "predicateType"))
		return json_read_text(j, a, &out->predicate_type, e);
	if (str_is(key, "subject"))
		return read_subjects(a, j, out, e);
	if (str_is(key, "predicate"))
		return read_predicate(a, j, out, e);
	return json_skip(j) < 0 ? json_error(j, e) : 0;
}

static int read_statement(struct arena *a, struct str line, const char *where,
	struct attest_statement *out, struct err *e)
{
	struct json *j = json_open_text(line, where);
	enum json_type t = json_next(j);
	struct str type = {0};
	int rc = 0;

	*out = (struct attest_statement){0};
	if (t != JSON_OBJECT)
		rc = json_unexpected(j, t, "a statement", e);
	while (rc == 0 && (t = json_next(j)) == JSON_KEY)
		rc = read_key(a, j, &type, out, e);
	if (rc == 0 && (t != JSON_OBJECT_END || json_next(j) != JSON_END))
		rc = json_error(j, e);
	if (rc == 0 && (!str_is(type, ATTEST_STATEMENT) || !out->predicate_type.n))
		rc = err_set(e, ERR_INTEGRITY, "%s: no in-toto statement of version 1", where);
	json_close(j);
	return rc;
}

int attest_parse(struct arena *a, struct str text, const char *where, struct attest_statement **out,
	size_t *n, struct err *e)
{
	struct {
		struct attest_statement *v;
		size_t n, cap;
	} list = {0};

	while (text.n) {
		struct str line = str_cut(&text, '\n');

		if (list.n == STATEMENTS_MAX)
			return err_set(e, ERR_INTEGRITY, "%s: more than %d statements", where,
				STATEMENTS_MAX);
		if (line.n && read_statement(a, line, where, VEC_PUSH(a, &list), e) < 0)
			return -1;
	}
	*out = list.v;
	*n = list.n;
	return list.n ? 0 : err_set(e, ERR_INTEGRITY, "%s: no statement", where);
}

#include "packer/making.h"

#include "base/archive.h"

enum { PATTERNS_MAX = 10000 };

struct str making_compressor(enum pack_format format, bool zstd)
{
	switch (format) {
	case PACK_TAR_GZ:
		return str_of(gzip_version());
	case PACK_TAR_ZST:
		return str_of(zstd_version());
	case PACK_SQUASHFS:
		return zstd ? STR("libsquashfs " SQUASHFS_VERSION " zstd")
			    : STR("libsquashfs " SQUASHFS_VERSION " gzip");
	case PACK_TAR:
	case PACK_DIR:
		break;
	}
	return (struct str){0};
}

void making_settle(struct pack_making *m, const struct pack_request *r, int level)
{
	if (m->as_told)
		return;
	m->format = str_of(pack_format_name(r->format));
	m->level = level;
	m->epoch = r->epoch;
	m->compressor = making_compressor(r->format, r->zstd);
	if (!m->compressor.n)
		m->level = 0;
}

static void key_bool(struct json_out *w, const char *key, bool value)
{
	jw_key(w, key);
	jw_bool(w, value);
}

/* Most have none. */
static void write_ignores(const struct pack_making *m, struct json_out *w)
{
	if (!m->n_ignores)
		return;
	jw_key(w, "audit_ignore");
	jw_array(w);
	for (size_t i = 0; i < m->n_ignores; i++) {
		jw_object(w);
		jw_pair(w, "rule", str_of(audit_ignore_rule(&m->ignores[i])));
		jw_pair(w, "pattern", m->ignores[i].pattern);
		jw_pair(w, "reason", m->ignores[i].reason);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void making_write(const struct pack_making *m, struct json_out *w)
{
	jw_key(w, "making");
	jw_object(w);
	jw_key(w, "format");
	jw_str(w, m->format);
	if (m->compressor.n) {
		jw_key(w, "compressor");
		jw_str(w, m->compressor);
		jw_key(w, "level");
		jw_int(w, m->level);
	}
	jw_key(w, "epoch");
	jw_int(w, m->epoch);
	key_bool(w, "no_compile", m->no_compile);
	key_bool(w, "frozen", m->frozen);
	key_bool(w, "externally_managed", m->externally_managed);
	jw_key(w, "allow_clobber");
	jw_array(w);
	for (size_t i = 0; i < m->n_allow_clobber; i++)
		jw_cstr(w, m->allow_clobber[i]);
	jw_array_end(w);
	if (m->symbols)
		key_bool(w, "audit_symbols", true);
	write_ignores(m, w);
	jw_object_end(w);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_int(struct json *j, int64_t *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_NUMBER || json_int(j, out) < 0)
		return json_unexpected(j, t, "a whole number", e);
	return 0;
}

static int read_bool(struct json *j, bool *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_TRUE && t != JSON_FALSE)
		return json_unexpected(j, t, "true or false", e);
	*out = t == JSON_TRUE;
	return 0;
}

static int read_patterns(struct arena *a, struct json *j, struct pack_making *out, struct err *e)
{
	struct {
		const char **v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(j);

	if (t != JSON_ARRAY)
		return json_unexpected(j, t, "a list", e);
	while ((t = json_next(j)) == JSON_STRING && list.n < PATTERNS_MAX)
		*VEC_PUSH(a, &list) = arena_cstr(a, json_text(j));
	out->allow_clobber = list.v;
	out->n_allow_clobber = list.n;
	return t == JSON_ARRAY_END ? 0 : json_unexpected(j, t, "a list of patterns", e);
}

static int read_ignore(struct arena *a, struct json *j, struct audit_ignore *out, struct err *e)
{
	struct str texts[3] = {{0}};
	struct err fault = {0};
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);
		int i = str_is(key, "rule")      ? 0
			: str_is(key, "pattern") ? 1
			: str_is(key, "reason")  ? 2
						 : -1;

		if (i < 0 ? json_skip(j) < 0 : json_read_text(j, a, &texts[i], e) < 0)
			return i < 0 ? json_error(j, e) : -1;
	}
	if (t != JSON_OBJECT_END)
		return json_error(j, e);
	out->place = "manifest.json";
	if (audit_ignore_of(texts[0], texts[1], texts[2], out, &fault) == 0)
		return 0;
	err_release(&fault);
	return json_fail(j, e, "what the audit ignores is not a rule, a pattern and a reason");
}

static int read_ignores(struct arena *a, struct json *j, struct pack_making *out, struct err *e)
{
	struct {
		struct audit_ignore *v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(j);

	if (t != JSON_ARRAY)
		return json_unexpected(j, t, "a list", e);
	while ((t = json_next(j)) == JSON_OBJECT && list.n < PATTERNS_MAX)
		if (read_ignore(a, j, VEC_PUSH(a, &list), e) < 0)
			return -1;
	out->ignores = list.v;
	out->n_ignores = list.n;
	return t == JSON_ARRAY_END ? 0 : json_unexpected(j, t, "a list of maps", e);
}

static int read_key(
	struct arena *a, struct json *j, struct str key, struct pack_making *out, struct err *e)
{
	if (str_is(key, "format"))
		return json_read_text(j, a, &out->format, e);
	if (str_is(key, "compressor"))
		return json_read_text(j, a, &out->compressor, e);
	if (str_is(key, "level"))
		return read_int(j, &out->level, e);
	if (str_is(key, "epoch"))
		return read_int(j, &out->epoch, e);
	if (str_is(key, "no_compile"))
		return read_bool(j, &out->no_compile, e);
	if (str_is(key, "frozen"))
		return read_bool(j, &out->frozen, e);
	if (str_is(key, "externally_managed"))
		return read_bool(j, &out->externally_managed, e);
	if (str_is(key, "allow_clobber"))
		return read_patterns(a, j, out, e);
	if (str_is(key, "audit_symbols"))
		return read_bool(j, &out->symbols, e);
	if (str_is(key, "audit_ignore"))
		return read_ignores(a, j, out, e);
	return json_skip(j) < 0 ? json_error(j, e) : 0;
}

int making_read(struct arena *a, struct json *j, struct pack_making *out, struct err *e)
{
	enum json_type t = json_next(j);

	*out = (struct pack_making){0};
	if (t != JSON_OBJECT)
		return json_unexpected(j, t, "a map", e);
	while ((t = json_next(j)) == JSON_KEY)
		if (read_key(a, j, json_text(j), out, e) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_error(j, e);
}

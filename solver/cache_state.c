#include "solver/cache_state.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <unistd.h>

enum { STATE_VERSION = 2, MAX_STATE = 64 << 10 };

static char *state_path(struct arena *a, const char *dir)
{
	return path_join(a, dir, "state.json");
}

/* --- reading ------------------------------------------------------------------------------ */

static void take_text(struct arena *a, struct str key, struct str text, struct cache_state *s)
{
	if (str_is(key, "url"))
		s->url = arena_str(a, text);
	else if (str_is(key, "ending"))
		s->ending = arena_str(a, text);
	else if (str_is(key, "etag"))
		s->etag = arena_str(a, text);
	else if (str_is(key, "last_modified"))
		s->last_modified = arena_str(a, text);
	else if (str_is(key, "sha256"))
		s->has_sha256 = hex_decode(text, s->sha256, SHA256_LEN) == 0;
}

static void take_number(struct str key, int64_t v, struct cache_state *s, int64_t *version)
{
	if (str_is(key, "version"))
		*version = v;
	else if (str_is(key, "missing"))
		s->missing = v == 1;
	else if (str_is(key, "asked"))
		s->asked = v;
	else if (str_is(key, "size"))
		s->size = v;
}

/* Unknown keys are passed over. */
static enum json_type read_members(
	struct arena *a, struct json *j, struct cache_state *s, int64_t *version)
{
	enum json_type t;
	int64_t v;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));

		t = json_next(j);
		if (t == JSON_STRING)
			take_text(a, key, json_text(j), s);
		else if (t == JSON_NUMBER && json_int(j, &v) == 0)
			take_number(key, v, s, version);
		else if (json_skip_rest(j, t) < 0)
			break;
	}
	return t == JSON_OBJECT_END ? json_next(j) : JSON_ERROR;
}

int cache_state_read(struct arena *a, const char *dir, struct cache_state *out)
{
	int64_t version = 0;
	struct json *j;
	struct str text;
	bool whole;

	*out = (struct cache_state){0};
	if (file_read(a, state_path(a, dir), MAX_STATE, &text, NULL) < 0)
		return -1;
	j = json_open_text(text, "state.json");
	whole = json_next(j) == JSON_OBJECT && read_members(a, j, out, &version) == JSON_END;
	json_close(j);
	return whole && version == STATE_VERSION ? 0 : -1;
}

int cache_state_find(struct arena *a, const char *cache_dir, const char *url, char **dir,
	struct cache_state *out, struct err *e)
{
	uint8_t key[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	sha256_of(url, strlen(url), key);
	hex_encode(key, SHA256_LEN, hex);
	*dir = path_join(a, path_join(a, cache_dir, "index"), hex);
	if (dir_make(*dir, e) < 0)
		return -1;
	return cache_state_read(a, *dir, out) == 0 && str_is(out->url, url);
}

/* --- writing ------------------------------------------------------------------------------ */

static void put_number(struct json_out *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_int(w, v);
}

static void put_text(struct json_out *w, const char *key, struct str text)
{
	jw_key(w, key);
	jw_str(w, text);
}

static void put_state(struct json_out *w, const struct cache_state *s)
{
	char hex[SHA256_HEX + 1];

	jw_object(w);
	put_number(w, "version", STATE_VERSION);
	put_text(w, "url", s->url);
	put_number(w, "missing", s->missing);
	if (s->missing)
		put_number(w, "asked", s->asked);
	if (s->has_sha256) {
		hex_encode(s->sha256, SHA256_LEN, hex);
		put_text(w, "sha256", str_of(hex));
		put_number(w, "size", s->size);
		put_text(w, "ending", s->ending);
		put_text(w, "etag", s->etag);
		put_text(w, "last_modified", s->last_modified);
	}
	jw_object_end(w);
}

int cache_state_write(const char *dir, const struct cache_state *s, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF text = {0};
	CLEANUP_FILE_OUT out = {.fd = -1};
	struct json_out w = {.to = &text, .indent = 2};

	put_state(&w, s);
	buf_putc(&text, '\n');
	if (file_begin(&out, state_path(&scratch, dir), 0644, e) < 0 ||
		write_full(out.fd, text.p, text.n, e) < 0)
		return -1;
	return file_commit_unsynced(&out, e);
}

void cache_state_forget(const char *dir)
{
	CLEANUP_ARENA scratch = {0};

	unlink(state_path(&scratch, dir));
}

int cache_state_verify(const char *dir, const char *file, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *path = path_join(&a, dir, file);
	uint8_t sha256[SHA256_LEN];
	struct cache_state s;

	if (!path_exists(path))
		return 0;
	if (cache_state_read(&a, dir, &s) < 0 || !s.has_sha256)
		return err_set(e, ERR_INTEGRITY, "its state.json cannot be read");
	if (file_hash(path, sha256, NULL, e) < 0)
		return -1;
	if (memcmp(sha256, s.sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "its sha256 is another");
	return 0;
}

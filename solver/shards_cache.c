#include "solver/shards_cache.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { STATE_VERSION = 1, MAX_STATE = 64 << 10 };
/* A channel that had no shards is asked again after a week. */
enum { A_DAY = 24 * 3600, MISSING_S = 7 * A_DAY };

/*
 * Write-temp and rename, the temporary in the folder tmp (NULL: beside it).  Not synced: all that is
 * written here has a sum by which a crash of the machine would show.
 */
static int write_unsynced(const char *path, const char *tmp, struct str bytes, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};

	if (file_begin_in(&out, path, tmp, 0644, e) < 0 ||
		write_full(out.fd, bytes.p, bytes.n, e) < 0)
		return -1;
	return file_commit_unsynced(&out, e);
}

/* --- the state of a list ------------------------------------------------------------------ */

struct state {
	struct str url, etag, last_modified;
	int64_t version, missing, asked;
	uint8_t sha256[SHA256_LEN];
	bool has_sha256;
};

static char *state_path(struct arena *a, const char *dir)
{
	return path_join(a, dir, "state.json");
}

static char *body_path(struct arena *a, const char *dir)
{
	return path_join(a, dir, "repodata_shards.msgpack");
}

static void take_text(struct arena *a, struct str key, struct str text, struct state *s)
{
	if (str_is(key, "url"))
		s->url = arena_str(a, text);
	else if (str_is(key, "etag"))
		s->etag = arena_str(a, text);
	else if (str_is(key, "last_modified"))
		s->last_modified = arena_str(a, text);
	else if (str_is(key, "sha256"))
		s->has_sha256 = hex_decode(text, s->sha256, SHA256_LEN) == 0;
}

static void take_number(struct str key, int64_t v, struct state *s)
{
	if (str_is(key, "version"))
		s->version = v;
	else if (str_is(key, "missing"))
		s->missing = v;
	else if (str_is(key, "asked"))
		s->asked = v;
}

/* -1 where there is no state of ours. */
static int state_read(struct arena *a, const char *dir, struct state *s)
{
	enum json_type t;
	struct json *j;
	struct str text;
	int64_t v;

	if (file_read(a, state_path(a, dir), MAX_STATE, &text, NULL) < 0)
		return -1;
	j = json_open_text(text, "state.json");
	t = json_next(j);
	while (t == JSON_OBJECT && (t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));

		t = json_next(j);
		if (t == JSON_STRING)
			take_text(a, key, json_text(j), s);
		else if (t == JSON_NUMBER && json_int(j, &v) == 0)
			take_number(key, v, s);
		else if (json_skip_rest(j, t) < 0)
			break;
		t = JSON_OBJECT;
	}
	t = t == JSON_OBJECT_END ? json_next(j) : JSON_ERROR;
	json_close(j);
	return t == JSON_END && s->version == STATE_VERSION ? 0 : -1;
}

static void write_number(struct json_out *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_int(w, v);
}

static void write_text(struct json_out *w, const char *key, struct str text)
{
	jw_key(w, key);
	jw_str(w, text);
}

static int state_write(const char *dir, const struct state *s, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text, .indent = 2};
	char hex[SHA256_HEX + 1];

	jw_object(&w);
	write_number(&w, "version", STATE_VERSION);
	write_text(&w, "url", s->url);
	write_number(&w, "missing", s->missing);
	if (s->missing)
		write_number(&w, "asked", s->asked);
	if (s->has_sha256) {
		hex_encode(s->sha256, SHA256_LEN, hex);
		write_text(&w, "sha256", str_of(hex));
		write_text(&w, "etag", s->etag);
		write_text(&w, "last_modified", s->last_modified);
	}
	jw_object_end(&w);
	buf_putc(&text, '\n');
	return write_unsynced(state_path(&scratch, dir), NULL, buf_view(&text), e);
}

/* --- lists -------------------------------------------------------------------------------- */

static bool body_fits(const char *path, const struct state *s)
{
	uint8_t sha256[SHA256_LEN];

	return s->has_sha256 && file_hash(path, sha256, NULL, NULL) == 0 &&
	       memcmp(sha256, s->sha256, SHA256_LEN) == 0;
}

static bool is_recent(int64_t asked)
{
	int64_t now = (int64_t)time(NULL);

	return asked <= now && now - asked < MISSING_S;
}

int list_entry_load(struct arena *a, const char *cache_dir, const char *url, struct list_entry *out,
	struct err *e)
{
	uint8_t key[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	struct state s = {0};

	sha256_of(url, strlen(url), key);
	hex_encode(key, SHA256_LEN, hex);
	*out = (struct list_entry){.url = arena_strdup(a, url)};
	out->dir = path_join(a, path_join(a, cache_dir, "index"), hex);
	out->path = body_path(a, out->dir);
	if (dir_make(out->dir, e) < 0)
		return -1;
	if (state_read(a, out->dir, &s) < 0 || !str_is(s.url, url))
		return 0;
	out->missing = s.missing == 1 && is_recent(s.asked);
	out->whole = s.missing != 1 && body_fits(out->path, &s);
	out->etag = s.etag;
	out->last_modified = s.last_modified;
	return 0;
}

int list_entry_store(struct list_entry *entry, struct str body, const char *etag,
	const char *last_modified, struct err *e)
{
	struct state s = {.url = str_of(entry->url),
		.etag = str_of(etag),
		.last_modified = str_of(last_modified),
		.has_sha256 = true};

	sha256_of(body.p, body.n, s.sha256);
	if (write_unsynced(entry->path, NULL, body, e) < 0 || state_write(entry->dir, &s, e) < 0)
		return -1;
	entry->whole = true;
	entry->missing = false;
	return 0;
}

int list_entry_store_missing(struct list_entry *entry, struct err *e)
{
	struct state s = {.url = str_of(entry->url), .missing = 1, .asked = (int64_t)time(NULL)};

	entry->whole = false;
	entry->missing = true;
	return state_write(entry->dir, &s, e);
}

int list_entry_verify(const char *dir, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *path = body_path(&a, dir);
	uint8_t sha256[SHA256_LEN];
	struct state s = {0};

	if (!path_exists(path))
		return 0;
	if (state_read(&a, dir, &s) < 0 || !s.has_sha256)
		return err_set(e, ERR_INTEGRITY, "its state.json is no list of shards'");
	if (file_hash(path, sha256, NULL, e) < 0)
		return -1;
	if (memcmp(sha256, s.sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "its sha256 is another");
	return 0;
}

/* --- shards ------------------------------------------------------------------------------- */

char *shard_path(struct arena *a, const char *cache_dir, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	return arena_printf(a, "%s/shards/%.2s/%s", cache_dir, hex, hex);
}

int shard_read_file(const char *path, const uint8_t sha256[SHA256_LEN], size_t max, struct buf *to)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t is[SHA256_LEN];
	struct stat st;
	size_t n;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return -1;
	n = (size_t)st.st_size;
	p = buf_room(to, n);
	if (!p || read_full(fd, p, n) != (ssize_t)n)
		return -1;
	sha256_of(p, n, is);
	if (memcmp(is, sha256, SHA256_LEN) != 0)
		return -1;
	/* So that cleaning by age knows what is used. */
	if (st.st_mtime < time(NULL) - A_DAY)
		futimens(fd, NULL);
	to->n += n;
	return 0;
}

int shard_write_file(
	const char *cache_dir, const uint8_t sha256[SHA256_LEN], struct str bytes, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *path = shard_path(&a, cache_dir, sha256), *tmp = path_join(&a, cache_dir, "tmp");

	(void)mkdir(path_dir(&a, path), 0777); /* mostly all that may lack */
	if (write_unsynced(path, tmp, bytes, NULL) == 0)
		return 0;
	if (dir_make(path_dir(&a, path), e) < 0 || dir_make(tmp, e) < 0)
		return -1;
	return write_unsynced(path, tmp, bytes, e);
}

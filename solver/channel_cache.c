#include "solver/channel_cache.h"

#include "base/archive.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { STATE_VERSION = 1, MAX_STATE = 64 << 10, PIECE = 256 << 10, A_DAY = 24 * 3600 };
static const uint64_t max_body = (uint64_t)8 << 30;

/* state.json: one flat object; unknown keys are passed over. */
struct state {
	struct str url;
	int64_t version, missing;
	uint8_t sha256[SHA256_LEN];
	bool has_sha256;
	int64_t size, mtime_ns; /* of the body */
	struct index_origin origin;
};

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static char *state_path(struct arena *a, const struct index_entry *entry)
{
	return path_join(a, entry->dir, "state.json");
}

static void read_text_field(struct arena *a, struct str key, struct str text, struct state *s)
{
	if (str_is(key, "url"))
		s->url = arena_str(a, text);
	else if (str_is(key, "ending"))
		s->origin.ending = arena_str(a, text);
	else if (str_is(key, "etag"))
		s->origin.etag = arena_str(a, text);
	else if (str_is(key, "last_modified"))
		s->origin.last_modified = arena_str(a, text);
	else if (str_is(key, "sha256"))
		s->has_sha256 = hex_decode(text, s->sha256, SHA256_LEN) == 0;
}

static void read_number_field(struct str key, int64_t v, struct state *s)
{
	if (str_is(key, "version"))
		s->version = v;
	else if (str_is(key, "missing"))
		s->missing = v;
	else if (str_is(key, "size"))
		s->size = v;
	else if (str_is(key, "mtime_ns"))
		s->mtime_ns = v;
	else if (str_is(key, "origin_size"))
		s->origin.size = (uint64_t)v;
	else if (str_is(key, "origin_mtime_ns"))
		s->origin.mtime_ns = v;
}

/* -1 where it is no state of ours. */
static int state_parse(struct arena *a, struct str text, struct state *s)
{
	struct json *j = json_open_text(text, "state.json");
	struct str key = {0};
	enum json_type t = json_next(j);
	int64_t v;

	if (t == JSON_OBJECT)
		while ((t = json_next(j)) == JSON_KEY) {
			key = arena_str(a, json_text(j));
			t = json_next(j);
			if (t == JSON_STRING)
				read_text_field(a, key, json_text(j), s);
			else if (t == JSON_NUMBER && json_int(j, &v) == 0)
				read_number_field(key, v, s);
			else if (json_skip_rest(j, t) < 0)
				break;
		}
	t = t == JSON_OBJECT_END ? json_next(j) : JSON_ERROR;
	json_close(j);
	return t == JSON_END && s->version == STATE_VERSION ? 0 : -1;
}

static int state_write(struct index_entry *entry, const struct state *s, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text, .indent = 2};
	char hex[SHA256_HEX + 1];

	jw_object(&w);
	jw_key(&w, "version");
	jw_int(&w, STATE_VERSION);
	jw_key(&w, "url");
	jw_cstr(&w, entry->url);
	jw_key(&w, "missing");
	jw_int(&w, s->missing);
	if (s->has_sha256) {
		hex_encode(s->sha256, SHA256_LEN, hex);
		jw_key(&w, "sha256");
		jw_cstr(&w, hex);
		jw_key(&w, "size");
		jw_int(&w, s->size);
		jw_key(&w, "mtime_ns");
		jw_int(&w, s->mtime_ns);
		jw_key(&w, "ending");
		jw_str(&w, s->origin.ending);
		jw_key(&w, "etag");
		jw_str(&w, s->origin.etag);
		jw_key(&w, "last_modified");
		jw_str(&w, s->origin.last_modified);
		jw_key(&w, "origin_size");
		jw_int(&w, (int64_t)s->origin.size);
		jw_key(&w, "origin_mtime_ns");
		jw_int(&w, s->origin.mtime_ns);
	}
	jw_object_end(&w);
	buf_putc(&text, '\n');
	return file_write(state_path(&scratch, entry), buf_view(&text), 0644, e);
}

/* Is the body what the state tells?  Its bytes are read only where its time is another. */
static bool body_fits(struct index_entry *entry, struct state *s)
{
	uint8_t sha256[SHA256_LEN];
	struct stat st;

	if (!s->has_sha256 || stat(entry->path, &st) < 0 || !S_ISREG(st.st_mode) ||
		st.st_size != s->size)
		return false;
	if (mtime_ns(&st) == s->mtime_ns)
		return true;
	if (file_hash(entry->path, sha256, NULL, NULL) < 0 ||
		memcmp(sha256, s->sha256, SHA256_LEN) != 0)
		return false;
	s->mtime_ns = mtime_ns(&st);
	(void)state_write(entry, s, NULL); /* only saves the reading next time */
	return true;
}

int index_entry_load(struct arena *a, const char *cache_dir, const char *url,
	struct index_entry *out, struct err *e)
{
	uint8_t key[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	struct state s = {0};
	struct str text;

	sha256_of(url, strlen(url), key);
	hex_encode(key, SHA256_LEN, hex);
	*out = (struct index_entry){.url = arena_strdup(a, url)};
	out->dir = path_join(a, path_join(a, cache_dir, "index"), hex);
	out->path = path_join(a, out->dir, "repodata.json");
	out->image = path_join(a, out->dir, "index");
	if (dir_make(out->dir, e) < 0)
		return -1;
	if (file_read(a, state_path(a, out), MAX_STATE, &text, NULL) < 0 ||
		state_parse(a, text, &s) < 0 || !str_is(s.url, url))
		return 0;
	out->missing = s.missing == 1;
	out->whole = !out->missing && body_fits(out, &s);
	out->origin = s.origin;
	memcpy(out->sha256, s.sha256, SHA256_LEN);
	return 0;
}

/* What killed runs have left. */
static int drop_old_temporary(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const int *dirfd = ctx;
	struct str name = str_of(rel);

	(void)e;
	if (S_ISDIR(st->st_mode))
		return DIR_SKIP;
	if (name.p[0] == '.' && str_ends(name, STR(".tmp")) && st->st_mtime < time(NULL) - A_DAY)
		unlinkat(*dirfd, rel, 0);
	return 0;
}

int index_entry_download(struct index_entry *entry, struct file_out *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_FD dir = open(entry->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		dir_walk(dir, drop_old_temporary, &dir, NULL);
	return file_begin(out, path_join(&scratch, entry->dir, "download"), 0644, e);
}

/* One pass: decompress, hash, write. */
static int unpack_body(const char *file, const char *name, int to, struct state *s, struct err *e)
{
	CLEANUP_FD from = open(file, O_RDONLY | O_CLOEXEC);
	struct unpacker *u = from < 0 ? NULL : unpacker_open_fd(from, name, e);
	struct hash *h = hash_new(HASH_SHA256);
	CLEANUP_ARENA scratch = {0};
	char *piece = arena_alloc(&scratch, PIECE);
	ptrdiff_t n = -1;
	int rc = u ? 0 : -1;

	if (from < 0)
		err_sys(e, "cannot open '%s'", file);
	while (rc == 0 && (n = unpacker_read(u, piece, PIECE, e)) > 0) {
		s->size += n;
		if ((uint64_t)s->size > max_body)
			rc = err_set(e, ERR_INTEGRITY, "index over %" PRIu64 " bytes", max_body);
		else
			rc = write_full(to, piece, (size_t)n, e);
		hash_update(h, piece, (size_t)n);
	}
	hash_final(h, s->sha256);
	s->has_sha256 = true;
	hash_free(h);
	unpacker_close(u);
	return rc < 0 || n < 0 ? -1 : 0;
}

/* A portal's HTML page or half a file must not replace a good index. */
static int check_json(const char *path, const char *name, struct err *e)
{
	struct str text;
	struct json *j;
	int rc = -1;

	if (file_map(path, &text, e) < 0)
		return -1;
	j = json_open_text(text, name);
	if (json_next(j) != JSON_OBJECT)
		json_fail(j, e, "not an index: no JSON object");
	else if (json_skip_rest(j, JSON_OBJECT) < 0 || json_next(j) != JSON_END)
		json_error(j, e);
	else
		rc = 0;
	json_close(j);
	file_unmap(text);
	return rc;
}

int index_entry_store(struct index_entry *entry, const char *file,
	const struct index_origin *origin, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	const char *name =
		arena_printf(&scratch, "%s/repodata.json%.*s", entry->url, STR_ARG(origin->ending));
	CLEANUP_FILE_OUT out = {.fd = -1};
	struct state s = {.origin = *origin};
	struct stat st;

	if (file_begin(&out, entry->path, 0644, e) < 0)
		return -1;
	if (unpack_body(file, name, out.fd, &s, e) < 0 || check_json(out.temp, name, e) < 0)
		return -1;
	if (fstat(out.fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", out.temp);
	s.mtime_ns = mtime_ns(&st);
	if (file_commit(&out, e) < 0 || state_write(entry, &s, e) < 0)
		return -1;
	memcpy(entry->sha256, s.sha256, SHA256_LEN);
	entry->whole = true;
	entry->missing = false;
	return 0;
}

int index_entry_store_missing(struct index_entry *entry, struct err *e)
{
	struct state s = {.missing = 1};

	entry->whole = false;
	entry->missing = true;
	return state_write(entry, &s, e);
}

#include "solver/channel_cache.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { STATE_VERSION = 2, MAX_STATE = 64 << 10, A_DAY = 24 * 3600 };

/* state.json: one flat object; unknown keys are passed over. */
struct state {
	struct str url;
	int64_t version, missing;
	uint8_t sha256[SHA256_LEN];
	bool has_sha256;
	int64_t size; /* of the body */
	struct index_origin origin;
};

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
	CLEANUP_FILE_OUT out = {.fd = -1};
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
		jw_key(&w, "ending");
		jw_str(&w, s->origin.ending);
		jw_key(&w, "etag");
		jw_str(&w, s->origin.etag);
		jw_key(&w, "last_modified");
		jw_str(&w, s->origin.last_modified);
	}
	jw_object_end(&w);
	buf_putc(&text, '\n');
	if (file_begin(&out, state_path(&scratch, entry), 0644, e) < 0 ||
		write_full(out.fd, text.p, text.n, e) < 0)
		return -1;
	return file_commit_unsynced(&out, e);
}

/* Can the body be what the state tells?  Its bytes are compared by who reads them. */
static bool body_fits(const struct index_entry *entry, const struct state *s)
{
	struct stat st;

	return s->has_sha256 && stat(entry->path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == s->size;
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
	out->path = path_join(a, out->dir, "body");
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
	CLEANUP_FD dir = open(entry->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		dir_walk(dir, drop_old_temporary, &dir, NULL);
	return file_begin(out, entry->path, 0644, e);
}

int index_entry_store(struct index_entry *entry, struct file_out *download, const uint8_t *sha256,
	uint64_t size, const struct index_origin *origin, struct err *e)
{
	struct state s = {.origin = *origin, .size = (int64_t)size, .has_sha256 = true};

	memcpy(s.sha256, sha256, SHA256_LEN);
	if (file_commit_unsynced(download, e) < 0 || state_write(entry, &s, e) < 0)
		return -1;
	memcpy(entry->sha256, sha256, SHA256_LEN);
	entry->whole = true;
	entry->missing = false;
	return 0;
}

void index_entry_forget(struct index_entry *entry)
{
	CLEANUP_ARENA scratch = {0};

	unlink(state_path(&scratch, entry));
	entry->whole = entry->missing = false;
}

int index_entry_store_missing(struct index_entry *entry, struct err *e)
{
	struct state s = {.missing = 1};

	entry->whole = false;
	entry->missing = true;
	return state_write(entry, &s, e);
}

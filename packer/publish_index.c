#include "packer/publish_index.h"

#include "base/date.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "packer/publish_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { RELEASE_MAX = 4 << 20, ENTRIES_MAX = 10000 };

/* --- reading ------------------------------------------------------------------------------------ */

struct reading {
	struct arena *arena;
	struct json *json;
	struct err *err;
};

static int fail(struct reading *r, enum json_type t, const char *why)
{
	return t == JSON_ERROR ? json_error(r->json, r->err)
			       : json_fail(r->json, r->err, "%s", why);
}

static int read_sum(struct reading *r, struct str *out)
{
	uint8_t sha256[SHA256_LEN];

	if (json_read_text(r->json, r->arena, out, r->err) < 0)
		return -1;
	return hex_decode(*out, sha256, SHA256_LEN) == 0 ? 0 : fail(r, JSON_STRING, "no sha256");
}

/* One component that is no hidden file. */
static int read_name(struct reading *r, struct str *out)
{
	if (json_read_text(r->json, r->arena, out, r->err) < 0)
		return -1;
	if (path_is_safe(*out) && str_chr(*out, '/') < 0 && out->p[0] != '.')
		return 0;
	return fail(r, JSON_STRING, "no name of a file");
}

static int read_size(struct reading *r, int64_t *out)
{
	enum json_type t = json_next(r->json);

	if (t == JSON_NUMBER && json_int(r->json, out) == 0 && *out >= 0)
		return 0;
	return fail(r, t, "a size was expected");
}

static int read_flag(struct reading *r, bool *out)
{
	enum json_type t = json_next(r->json);

	*out = t == JSON_TRUE;
	return t == JSON_TRUE || t == JSON_FALSE ? 0 : fail(r, t, "true or false was expected");
}

static int read_time(struct reading *r, uint64_t *out)
{
	struct str text;

	if (json_read_text(r->json, r->arena, &text, r->err) < 0)
		return -1;
	return date_parse(text, out) == 0 ? 0 : fail(r, JSON_STRING, "no time");
}

static int pass_over(struct reading *r)
{
	return json_skip(r->json) < 0 ? json_error(r->json, r->err) : 0;
}

static int file_key(struct reading *r, struct str key, void *ctx)
{
	struct dir_file *f = ctx;

	if (str_is(key, "name"))
		return read_name(r, &f->name);
	if (str_is(key, "sha256"))
		return read_sum(r, &f->sha256);
	return str_is(key, "size") ? read_size(r, &f->size) : pass_over(r);
}

static int archive_key(struct reading *r, struct str key, void *ctx)
{
	struct dir_archive *x = ctx;

	if (str_is(key, "name"))
		return read_name(r, &x->name);
	if (str_is(key, "environment"))
		return json_read_text(r->json, r->arena, &x->environment, r->err);
	if (str_is(key, "version"))
		return json_read_text(r->json, r->arena, &x->version, r->err);
	if (str_is(key, "target"))
		return json_read_text(r->json, r->arena, &x->target, r->err);
	if (str_is(key, "archive"))
		return read_name(r, &x->archive);
	if (str_is(key, "sha256"))
		return read_sum(r, &x->sha256);
	if (str_is(key, "tested"))
		return read_flag(r, &x->tested);
	return str_is(key, "size") ? read_size(r, &x->size) : pass_over(r);
}

static int read_object(struct reading *r, enum json_type t,
	int (*read_key)(struct reading *, struct str, void *), void *ctx)
{
	if (t != JSON_OBJECT)
		return fail(r, t, "a map was expected");
	while ((t = json_next(r->json)) == JSON_KEY)
		if (read_key(r, arena_str(r->arena, json_text(r->json)), ctx) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, r->err);
}

static int read_files(struct reading *r, struct dir_release *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return fail(r, t, "a list was expected");
	while ((t = json_next(r->json)) != JSON_ARRAY_END) {
		struct dir_file *f;

		if (out->files.n == ENTRIES_MAX)
			return fail(r, t, "too many files");
		f = VEC_PUSH(r->arena, &out->files);
		*f = (struct dir_file){.size = -1};
		if (read_object(r, t, file_key, f) < 0)
			return -1;
		if (!f->name.n || !f->sha256.n || f->size < 0)
			return fail(r, JSON_OBJECT, "a file without name, sha256 or size");
	}
	return 0;
}

static int read_archives(struct reading *r, struct dir_release *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return fail(r, t, "a list was expected");
	while ((t = json_next(r->json)) != JSON_ARRAY_END) {
		struct dir_archive *x;

		if (out->archives.n == ENTRIES_MAX)
			return fail(r, t, "too many archives");
		x = VEC_PUSH(r->arena, &out->archives);
		*x = (struct dir_archive){0};
		if (read_object(r, t, archive_key, x) < 0)
			return -1;
		if (!x->name.n || !x->archive.n || !x->sha256.n)
			return fail(r, JSON_OBJECT, "an archive without name or sha256");
	}
	return 0;
}

static int release_key(struct reading *r, struct str key, void *ctx)
{
	struct dir_release *out = ctx;

	if (str_is(key, "tag"))
		return json_read_text(r->json, r->arena, &out->tag, r->err);
	if (str_is(key, "published"))
		return read_time(r, &out->published);
	if (str_is(key, "updated"))
		return read_time(r, &out->updated);
	if (str_is(key, "prerelease"))
		return read_flag(r, &out->prerelease);
	if (str_is(key, "archives"))
		return read_archives(r, out);
	return str_is(key, "files") ? read_files(r, out) : pass_over(r);
}

int dir_release_parse(
	struct arena *a, struct str text, const char *where, struct dir_release *out, struct err *e)
{
	struct reading r = {.arena = a, .json = json_open_text(text, where), .err = e};
	int rc;

	*out = (struct dir_release){0};
	rc = read_object(&r, json_next(r.json), release_key, out);
	if (rc == 0 && json_next(r.json) != JSON_END)
		rc = json_error(r.json, e);
	if (rc == 0 && (!out->tag.n || !out->published))
		rc = json_fail(r.json, e, "a release without tag or time");
	json_close(r.json);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void key_str(struct json_out *w, const char *key, struct str value)
{
	jw_key(w, key);
	if (value.n)
		jw_str(w, value);
	else
		jw_str(w, STR(""));
}

static void key_time(struct json_out *w, const char *key, uint64_t ms)
{
	char text[DATE_TIME];

	date_time(ms, text);
	jw_key(w, key);
	jw_cstr(w, text);
}

static void write_archive(const struct dir_archive *x, struct json_out *w)
{
	jw_object(w);
	key_str(w, "name", x->name);
	key_str(w, "environment", x->environment);
	key_str(w, "version", x->version);
	key_str(w, "target", x->target);
	key_str(w, "archive", x->archive);
	jw_key(w, "tested");
	jw_bool(w, x->tested);
	jw_key(w, "size");
	jw_int(w, x->size);
	key_str(w, "sha256", x->sha256);
	jw_object_end(w);
}

static void write_release(const struct dir_release *r, struct json_out *w)
{
	jw_object(w);
	key_str(w, "tag", r->tag);
	key_time(w, "published", r->published);
	key_time(w, "updated", r->updated);
	jw_key(w, "prerelease");
	jw_bool(w, r->prerelease);
	jw_key(w, "archives");
	jw_array(w);
	for (size_t i = 0; i < r->archives.n; i++)
		write_archive(&r->archives.v[i], w);
	jw_array_end(w);
	jw_key(w, "files");
	jw_array(w);
	for (size_t i = 0; i < r->files.n; i++) {
		jw_object(w);
		key_str(w, "name", r->files.v[i].name);
		jw_key(w, "size");
		jw_int(w, r->files.v[i].size);
		key_str(w, "sha256", r->files.v[i].sha256);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
}

void dir_release_write(const struct dir_release *r, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	write_release(r, &w);
	buf_putc(to, '\n');
}

void dir_index_write(const struct dir_index *index, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	jw_object(&w);
	jw_key(&w, "index_version");
	jw_int(&w, 1);
	jw_key(&w, "latest");
	if (index->latest)
		jw_str(&w, index->latest->tag);
	else
		jw_null(&w);
	jw_key(&w, "releases");
	jw_array(&w);
	for (size_t i = 0; i < index->releases.n; i++)
		write_release(&index->releases.v[i], &w);
	jw_array_end(&w);
	jw_object_end(&w);
	buf_putc(to, '\n');
}

/* --- the folder --------------------------------------------------------------------------------- */

static int cmp_newest(const void *va, const void *vb)
{
	const struct dir_release *a = va, *b = vb;

	if (a->published != b->published)
		return a->published < b->published ? 1 : -1;
	return str_cmp(b->tag, a->tag);
}

void dir_index_sort(struct dir_index *index)
{
	if (index->releases.n)
		qsort(index->releases.v, index->releases.n, sizeof *index->releases.v, cmp_newest);
	index->latest = NULL;
	for (size_t i = index->releases.n; i > 0; i--)
		if (!index->releases.v[i - 1].prerelease)
			index->latest = &index->releases.v[i - 1];
}

/* What cannot be read is nobody's release: it is neither listed nor removed. */
static void read_one(struct arena *a, int dirfd, const char *tag, struct dir_index *out)
{
	char *path = arena_printf(a, "%s/release.json", tag);
	struct dir_release r;
	struct stat st;
	struct str text;
	struct err why = {0};

	if (!publish_tag_is_good(tag) || fstatat(dirfd, tag, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISDIR(st.st_mode) || fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISREG(st.st_mode))
		return;
	if (file_read_at(a, dirfd, path, RELEASE_MAX, &text, &why) == 0 &&
		dir_release_parse(a, text, path, &r, &why) == 0) {
		if (str_is(r.tag, tag))
			*VEC_PUSH(a, &out->releases) = r;
		else
			log_warn("'%s' is of another tag", path);
	} else {
		log_warn("%s", why.text);
	}
	err_release(&why);
}

int dir_index_read(struct arena *a, const char *dir, struct dir_index *out, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	*out = (struct dir_index){0};
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "cannot read '%s'", dir);
	while ((entry = readdir(d)))
		read_one(a, dirfd(d), entry->d_name, out);
	closedir(d);
	dir_index_sort(out);
	return 0;
}

struct dir_release *dir_index_find(const struct dir_index *index, struct str tag)
{
	for (size_t i = 0; i < index->releases.n; i++)
		if (str_eq(index->releases.v[i].tag, tag))
			return &index->releases.v[i];
	return NULL;
}

const struct dir_file *dir_release_find(const struct dir_release *r, struct str name)
{
	for (size_t i = 0; i < r->files.n; i++)
		if (str_eq(r->files.v[i].name, name))
			return &r->files.v[i];
	return NULL;
}

#include "builder/installed.h"

#include "base/file.h"
#include "base/json.h"
#include "builder/python.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MAX_RECORD = 256 << 20, /* bytes of one file */
	MAX_RECORDS = 100000,
	MAX_PATHS = 2000000, /* of one record */
	MAX_SPECS = 10000,
	MAX_FROZEN = 1 << 20,
};

bool installed_is_mark(struct str path)
{
	return str_is(path, UNFINISHED_MARK) || str_is(path, BUSY_MARK) ||
	       str_starts(path, STR(BUSY_MARK ".")) || str_is(path, TRANSACTION_DIR) ||
	       str_starts(path, STR(TRANSACTION_DIR "/"));
}

/* --- one record --------------------------------------------------------------------------- */

struct str_list {
	struct str *v;
	size_t n, cap;
};

struct path_list {
	struct installed_path *v;
	size_t n, cap;
};

struct reader {
	struct arena *a;
	struct json *json;
	struct installed_record *out;
	struct path_list paths; /* of paths_data */
	struct str_list files;
};

/* A text; a number is taken as it is written, anything else passed over. */
static int take_text(struct reader *r, struct str *to)
{
	enum json_type t = json_next(r->json);

	if (t == JSON_STRING || t == JSON_NUMBER) {
		*to = arena_str(r->a, json_text(r->json));
		return 0;
	}
	return json_skip_rest(r->json, t);
}

static int take_number(struct reader *r, uint64_t *to)
{
	enum json_type t = json_next(r->json);
	int64_t v;

	if (t == JSON_NUMBER) {
		if (json_int(r->json, &v) == 0 && v >= 0)
			*to = (uint64_t)v;
		return 0;
	}
	return json_skip_rest(r->json, t);
}

static int take_sum(struct reader *r, uint8_t *sum, size_t n, bool *has)
{
	struct str text = {0};

	if (take_text(r, &text) < 0)
		return -1;
	*has = hex_decode(text, sum, n) == 0;
	return 0;
}

static int take_texts(struct reader *r, struct str_list *to, size_t max, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return json_skip_rest(r->json, t) < 0 ? json_error(r->json, e) : 0;
	while ((t = json_next(r->json)) == JSON_STRING) {
		if (to->n == max)
			return json_fail(r->json, e, "more than %zu entries", max);
		*VEC_PUSH(r->a, to) = arena_str(r->a, json_text(r->json));
	}
	return t == JSON_ARRAY_END ? 0 : json_fail(r->json, e, "expected a list of texts");
}

/* "python", "generic", in old records true. */
static int take_noarch(struct reader *r)
{
	struct str text = {0};

	if (take_text(r, &text) < 0)
		return -1;
	if (str_is(text, "python"))
		r->out->record.noarch = NOARCH_PYTHON;
	else if (str_is(text, "generic"))
		r->out->record.noarch = NOARCH_GENERIC;
	return 0;
}

static int check_path(struct reader *r, struct str path, struct err *e)
{
	if (path_is_safe(path))
		return 0;
	return json_fail(r->json, e, "the path '%.*s' leaves the prefix", STR_ARG(path));
}

static void set_type(struct installed_path *p, struct str type)
{
	p->entry_point = str_is(type, "unix_python_entry_point");
	if (str_is(type, "softlink"))
		p->type = INSTALLED_SOFTLINK;
	else if (str_is(type, "directory"))
		p->type = INSTALLED_DIRECTORY;
	else if (str_is(type, "pyc_file"))
		p->type = INSTALLED_BYTECODE;
}

static int take_path_key(struct reader *r, struct str key, struct installed_path *p)
{
	struct str text = {0};

	if (str_is(key, "sha256"))
		return take_sum(r, p->sha256, SHA256_LEN, &p->has_sha256);
	if (str_is(key, "sha256_in_prefix"))
		return take_sum(r, p->sha256_in_prefix, SHA256_LEN, &p->has_sha256_in_prefix);
	if (str_is(key, "_path"))
		return take_text(r, &p->path);
	if (str_is(key, "prefix_placeholder"))
		return take_text(r, &p->placeholder);
	if (str_is(key, "size_in_bytes"))
		return take_number(r, &p->size);
	if (!str_is(key, "path_type") && !str_is(key, "file_mode"))
		return json_skip(r->json);
	bool mode = str_is(key, "file_mode");
	if (take_text(r, &text) < 0)
		return -1;
	if (mode)
		p->binary = str_is(text, "binary");
	else
		set_type(p, text);
	return 0;
}

static int take_path(struct reader *r, struct err *e)
{
	struct installed_path p = {0};
	enum json_type t;

	while ((t = json_next(r->json)) == JSON_KEY) {
		struct str key = arena_str(r->a, json_text(r->json));
		if (take_path_key(r, key, &p) < 0)
			return json_error(r->json, e);
	}
	if (t != JSON_OBJECT_END)
		return json_error(r->json, e);
	if (check_path(r, p.path, e) < 0)
		return -1;
	if (r->paths.n == MAX_PATHS)
		return json_fail(r->json, e, "more than %d paths", (int)MAX_PATHS);
	*VEC_PUSH(r->a, &r->paths) = p;
	return 0;
}

static int take_paths_data(struct reader *r, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT)
		return json_skip_rest(r->json, t) < 0 ? json_error(r->json, e) : 0;
	while ((t = json_next(r->json)) == JSON_KEY) {
		bool it = str_is(json_text(r->json), "paths");
		t = json_next(r->json);
		if (!it || t != JSON_ARRAY) {
			if (json_skip_rest(r->json, t) < 0)
				return json_error(r->json, e);
			continue;
		}
		while ((t = json_next(r->json)) == JSON_OBJECT)
			if (take_path(r, e) < 0)
				return -1;
		if (t != JSON_ARRAY_END)
			return json_fail(r->json, e, "expected a list of paths");
	}
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, e);
}

static int take_requested(struct reader *r, struct err *e)
{
	struct str_list list = {0};

	if (take_texts(r, &list, MAX_SPECS, e) < 0)
		return -1;
	r->out->requested_specs = list.v;
	r->out->n_requested_specs = list.n;
	return 0;
}

static int take_depends(struct reader *r, struct err *e)
{
	struct str_list list = {0};

	if (take_texts(r, &list, MAX_SPECS, e) < 0)
		return -1;
	r->out->record.depends = list.v;
	r->out->record.n_depends = list.n;
	return 0;
}

static struct str *text_field(struct record *r, struct str key)
{
	const struct {
		const char *key;
		struct str *to;
	} fields[] = {
		{"name", &r->name},
		{"version", &r->version},
		{"build", &r->build},
		{"build_string", &r->build},
		{"subdir", &r->subdir},
		{"channel", &r->channel},
		{"fn", &r->fn},
		{"url", &r->url},
		{"license", &r->license},
		{"python_site_packages_path", &r->python_site_packages_path},
	};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (str_is(key, fields[i].key))
			return fields[i].to;
	return NULL;
}

static int take_key(struct reader *r, struct str key, struct err *e)
{
	struct record *k = &r->out->record;
	struct str *text = text_field(k, key);
	int rc;

	if (str_is(key, "paths_data"))
		return take_paths_data(r, e);
	if (str_is(key, "files"))
		return take_texts(r, &r->files, MAX_PATHS, e);
	if (str_is(key, "requested_specs"))
		return take_requested(r, e);
	if (str_is(key, "depends"))
		return take_depends(r, e);
	if (text)
		rc = take_text(r, text);
	else if (str_is(key, "build_number"))
		rc = take_number(r, &k->build_number);
	else if (str_is(key, "timestamp"))
		rc = take_number(r, &k->timestamp);
	else if (str_is(key, "size"))
		rc = take_number(r, &k->size);
	else if (str_is(key, "sha256"))
		rc = take_sum(r, k->sha256, SHA256_LEN, &k->has_sha256);
	else if (str_is(key, "md5"))
		rc = take_sum(r, k->md5, MD5_LEN, &k->has_md5);
	else if (str_is(key, "noarch"))
		rc = take_noarch(r);
	else
		rc = json_skip(r->json);
	return rc < 0 ? json_error(r->json, e) : 0;
}

/* Old records list the files only. */
static int settle_paths(struct reader *r, struct err *e)
{
	for (size_t i = 0; i < r->files.n && r->paths.n == 0; i++)
		if (check_path(r, r->files.v[i], e) < 0)
			return -1;
	if (r->paths.n == 0)
		for (size_t i = 0; i < r->files.n; i++)
			*VEC_PUSH(r->a, &r->paths) = (struct installed_path){
				.path = r->files.v[i], .type = INSTALLED_UNKNOWN};
	r->out->paths = r->paths.v;
	r->out->n_paths = r->paths.n;
	return 0;
}

static int parse_record(struct reader *r, struct err *e)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? json_error(r->json, e)
				       : json_fail(r->json, e, "expected an object");
	while ((t = json_next(r->json)) == JSON_KEY) {
		struct str key = arena_str(r->a, json_text(r->json));
		if (take_key(r, key, e) < 0)
			return -1;
	}
	if (t != JSON_OBJECT_END || json_next(r->json) != JSON_END)
		return json_error(r->json, e);
	const struct record *k = &r->out->record;
	if (k->name.n == 0 || k->version.n == 0)
		return json_fail(r->json, e, "no name or no version in it");
	return settle_paths(r, e);
}

int installed_parse(struct arena *a, const char *file, struct str text,
	struct installed_record *out, struct err *e)
{
	struct reader r = {.a = a, .out = out, .json = json_open_text(text, file)};
	int rc;

	*out = (struct installed_record){.file = str_of(file), .text = text};
	rc = parse_record(&r, e);
	json_close(r.json);
	return rc;
}

static int read_record(struct arena *a, int fd, struct installed_record *out, struct err *e)
{
	const char *file = out->file.p;
	struct str text;

	if (file_read_at(a, fd, file, MAX_RECORD, &text, e) < 0)
		return -1;
	return installed_parse(a, file, text, out, e);
}

/* --- the folder --------------------------------------------------------------------------- */

struct scan {
	struct arena *a;
	struct installed *out;
};

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct scan *s = ctx;
	struct str name = str_of(rel);

	if (S_ISDIR(st->st_mode)) {
		s->out->transaction |= str_is(name, ".envbuild-transaction");
		s->out->from_archive |= str_is(name, "envbuild");
		return DIR_SKIP;
	}
	s->out->has_history |= str_is(name, "history");
	if (!S_ISREG(st->st_mode) || !str_ends(name, STR(".json")) || name.p[0] == '.')
		return 0;
	if (s->out->n == MAX_RECORDS)
		return err_set(
			e, ERR_INTEGRITY, "more than %d records in conda-meta", (int)MAX_RECORDS);
	*VEC_PUSH(s->a, s->out) = (struct installed_record){
		.file = arena_strf(s->a, "conda-meta/%.*s", STR_ARG(name))};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct installed_record *x = a, *y = b;

	return record_cmp_name(&x->record, &y->record);
}

int installed_sort(struct installed *in, struct err *e)
{
	if (in->n)
		qsort(in->v, in->n, sizeof *in->v, by_name);
	for (size_t i = 1; i < in->n; i++)
		if (str_eq(in->v[i].record.name, in->v[i - 1].record.name))
			return err_set(e, ERR_INTEGRITY, "'%s' and '%s' are records of one package",
				in->v[i - 1].file.p, in->v[i].file.p);
	return 0;
}

/* CEP 22: an empty file, or an object with a message. */
static int read_frozen(struct arena *a, int fd, struct installed *out, struct err *e)
{
	struct str text;
	struct stat st;

	if (fstatat(fd, "conda-meta/frozen", &st, 0) < 0)
		return 0;
	out->frozen = arena_new(a, struct str);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (file_read_at(a, fd, "conda-meta/frozen", MAX_FROZEN, &text, e) < 0)
		return -1;
	struct json *j = json_open_text(text, "conda-meta/frozen");
	if (text.n && json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			bool it = str_is(json_text(j), "message");
			enum json_type t = json_next(j);
			if (it && t == JSON_STRING)
				*out->frozen = arena_str(a, json_text(j));
			if (json_skip_rest(j, t) < 0)
				break;
		}
	json_close(j);
	return 0;
}

int installed_read(struct arena *a, int fd, struct installed *out, struct err *e)
{
	struct scan s = {a, out};
	struct stat st;

	*out = (struct installed){0};
	out->unfinished = fstatat(fd, UNFINISHED_MARK, &st, AT_SYMLINK_NOFOLLOW) == 0;
	out->base = fstatat(fd, "condabin", &st, AT_SYMLINK_NOFOLLOW) == 0;
	CLEANUP_FD meta = openat(fd, "conda-meta", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (meta < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot open 'conda-meta'");
	if (dir_walk(meta, visit, &s, e) != 0)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		if (read_record(a, fd, &out->v[i], e) < 0)
			return -1;
	return installed_sort(out, e) < 0 ? -1 : read_frozen(a, fd, out, e);
}

const struct installed_record *installed_find(const struct installed *in, struct str name)
{
	size_t from = 0, to = in->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int c = str_cmp(in->v[mid].record.name, name);
		if (c == 0)
			return &in->v[mid];
		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

bool installed_is(const struct installed_record *have, const struct record *wanted)
{
	const struct record *h = &have->record;

	if (!str_eq(h->name, wanted->name) || !str_eq(h->version, wanted->version) ||
		!str_eq(h->build, wanted->build) ||
		(h->subdir.n && !str_eq(h->subdir, wanted->subdir)))
		return false;
	if (h->has_sha256 && wanted->has_sha256)
		return memcmp(h->sha256, wanted->sha256, SHA256_LEN) == 0;
	if (h->has_md5 && wanted->has_md5)
		return memcmp(h->md5, wanted->md5, MD5_LEN) == 0;
	return str_eq(h->url, wanted->url);
}

int installed_python(struct arena *a, const struct installed *in, struct python *out)
{
	const struct installed_record *r = installed_find(in, STR("python"));
	struct package package = {0};

	*out = (struct python){0};
	if (!r)
		return 0;
	package.record = &r->record;
	package.index_json = r->text;
	return python_find(a, &package, 1, out, NULL) < 0 || !out->major ? 0 : 1;
}

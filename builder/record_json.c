/*
 * conda-meta/NAME-VERSION-BUILD.json (CEP 32): the record of an installed package.
 *
 * What the package says of itself (info/index.json) with what the channel says put over it, keys
 * sorted, as conda writes it.
 */
#include "builder/prefix.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "builder/origin.h"
#include "solver/matchspec.h"

#include <stdlib.h>

struct writer {
	struct json_out out;
	struct prefix *p;
	size_t package;
	const struct record *record;
	const struct linked *const *files;
	size_t n_files;
	struct arena arena;
};

static void write_hex(struct json_out *w, const uint8_t *p, size_t n)
{
	char hex[SHA256_HEX + 1];

	hex_encode(p, n, hex);
	jw_cstr(w, hex);
}

/* --- one function per key ----------------------------------------------------------------- */

static void put_build(struct writer *w)
{
	jw_str(&w->out, w->record->build);
}

static void put_build_number(struct writer *w)
{
	jw_int(&w->out, (int64_t)w->record->build_number);
}

static void put_channel(struct writer *w)
{
	jw_str(&w->out, origin_channel(&w->arena, w->record, w->p->request->for_pack));
}

static void put_constrains(struct writer *w)
{
	jw_strs(&w->out, w->record->constrains, w->record->n_constrains);
}

static void put_depends(struct writer *w)
{
	jw_strs(&w->out, w->record->depends, w->record->n_depends);
}

static void put_dir(struct writer *w)
{
	bool pack = w->p->request->for_pack;

	jw_cstr(&w->out, pack ? "" : w->p->packages[w->package].dir);
}

static void put_files(struct writer *w)
{
	jw_array(&w->out);
	for (size_t i = 0; i < w->n_files; i++)
		jw_str(&w->out, w->files[i]->path);
	jw_array_end(&w->out);
}

static void put_fn(struct writer *w)
{
	jw_str(&w->out, w->record->fn);
}

/* An archive does not depend on what the builder's file system could do. */
static void put_link(struct writer *w)
{
	enum link_how how = w->p->request->for_pack ? HOW_HARDLINK : HOW_COPY;

	for (size_t i = 0; i < w->n_files && how == HOW_COPY; i++)
		if (w->files[i]->how == HOW_HARDLINK)
			how = HOW_HARDLINK;
	jw_object(&w->out);
	jw_key(&w->out, "source");
	put_dir(w);
	jw_key(&w->out, "type");
	jw_int(&w->out, how);
	jw_object_end(&w->out);
}

static void put_md5(struct writer *w)
{
	write_hex(&w->out, w->record->md5, MD5_LEN);
}

static void put_name(struct writer *w)
{
	jw_str(&w->out, w->record->name);
}

static void put_tarball(struct writer *w)
{
	jw_cstr(&w->out, "");
}

static const char *path_type(const struct linked *l)
{
	switch (l->kind) {
	case LINKED_ENTRY_POINT:
		return "unix_python_entry_point";
	case LINKED_BYTECODE:
		return "pyc_file";
	case LINKED_PACKAGE_FILE:
		break;
	}
	return l->file->type == PATH_SOFTLINK ? "softlink" : "hardlink";
}

static bool is_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	while (n > 0)
		any |= p[--n];
	return any == 0;
}

static void put_package_path(struct json_out *o, const struct package_file *f)
{
	if (f->placeholder.n) {
		jw_key(o, "prefix_placeholder");
		jw_str(o, f->placeholder);
	}
	if (!is_zero(f->sha256, SHA256_LEN)) {
		jw_key(o, "sha256");
		write_hex(o, f->sha256, SHA256_LEN);
	}
}

static bool is_file(const struct linked *l)
{
	return l->kind != LINKED_PACKAGE_FILE || l->file->type == PATH_FILE;
}

/* Do the bytes in the prefix depend on where it lies? */
static bool holds_prefix(const struct linked *l)
{
	return l->kind == LINKED_ENTRY_POINT ||
	       (l->kind == LINKED_PACKAGE_FILE && l->file->placeholder.n);
}

/*
 * An archive moves: it does not say what a file was like at the path it was built at.  `there` is
 * what lies at the path: another package's file where that one won (--allow-clobber).  conda lists
 * the path in both records; we say in both what the file in the prefix is like (CEP 32), so that
 * who compares does not find a file of the loser changed.
 */
static void put_path(
	struct json_out *o, const struct linked *l, const struct linked *there, bool pack)
{
	bool package_file = l->kind == LINKED_PACKAGE_FILE;

	jw_object(o);
	jw_key(o, "_path");
	jw_str(o, l->path);
	if (package_file && l->file->placeholder.n) {
		jw_key(o, "file_mode");
		jw_cstr(o, l->file->binary ? "binary" : "text");
	}
	if (package_file && l->file->no_link) {
		jw_key(o, "no_link");
		jw_bool(o, true);
	}
	jw_key(o, "path_type");
	jw_cstr(o, path_type(l));
	if (package_file)
		put_package_path(o, l->file);
	if (is_file(l)) {
		if (is_file(there) && (!pack || !holds_prefix(there))) {
			jw_key(o, "sha256_in_prefix");
			write_hex(o, there->sha256, SHA256_LEN);
		}
		jw_key(o, "size_in_bytes");
		jw_int(o, (int64_t)(package_file ? l->file->size : there->size));
	}
	jw_object_end(o);
}

static void put_paths_data(struct writer *w)
{
	jw_object(&w->out);
	jw_key(&w->out, "paths");
	jw_array(&w->out);
	for (size_t i = 0; i < w->n_files; i++) {
		const struct linked *there = prefix_find(w->p, w->files[i]->path);
		put_path(&w->out, w->files[i], there, w->p->request->for_pack);
	}
	jw_array_end(&w->out);
	jw_key(&w->out, "paths_version");
	jw_int(&w->out, 1);
	jw_object_end(&w->out);
}

bool spec_asks_for(struct arena *a, const struct spec_line *line, struct str name)
{
	struct matchspec spec;

	return matchspec_parse(a, line->text, &spec, NULL) == 0 && spec.exact_name &&
	       str_eq(spec.name, name);
}

static void put_requested_spec(struct writer *w)
{
	const struct install_request *r = w->p->request;

	for (size_t i = 0; i < r->n_requested; i++)
		if (spec_asks_for(&w->arena, &r->requested[i], w->record->name)) {
			jw_str(&w->out, r->requested[i].text);
			return;
		}
	jw_cstr(&w->out, "None");
}

static void put_requested_specs(struct writer *w)
{
	const struct install_request *r = w->p->request;

	jw_array(&w->out);
	for (size_t i = 0; i < r->n_requested; i++)
		if (spec_asks_for(&w->arena, &r->requested[i], w->record->name))
			jw_str(&w->out, r->requested[i].text);
	jw_array_end(&w->out);
}

static void put_sha256(struct writer *w)
{
	write_hex(&w->out, w->p->packages[w->package].sha256, SHA256_LEN);
}

static void put_size(struct writer *w)
{
	jw_int(&w->out, (int64_t)w->record->size);
}

static void put_subdir(struct writer *w)
{
	jw_str(&w->out, w->record->subdir);
}

static void put_timestamp(struct writer *w)
{
	jw_int(&w->out, (int64_t)w->record->timestamp);
}

static void put_url(struct writer *w)
{
	jw_str(&w->out, origin_url(&w->arena, w->record, w->p->request->for_pack));
}

static void put_version(struct writer *w)
{
	jw_str(&w->out, w->record->version);
}

static const struct field {
	const char *key;
	void (*put)(struct writer *w);
} FIELDS[] = {
	{"build", put_build},
	{"build_number", put_build_number},
	{"channel", put_channel},
	{"constrains", put_constrains},
	{"depends", put_depends},
	{"extracted_package_dir", put_dir},
	{"files", put_files},
	{"fn", put_fn},
	{"link", put_link},
	{"md5", put_md5},
	{"name", put_name},
	{"package_tarball_full_path", put_tarball},
	{"paths_data", put_paths_data},
	{"requested_spec", put_requested_spec},
	{"requested_specs", put_requested_specs},
	{"sha256", put_sha256},
	{"size", put_size},
	{"subdir", put_subdir},
	{"timestamp", put_timestamp},
	{"url", put_url},
	{"version", put_version},
};
enum { N_FIELDS = sizeof FIELDS / sizeof *FIELDS };

/* --- the package's own keys --------------------------------------------------------------- */

static const struct field *find_field(const struct writer *w, struct str key)
{
	if ((str_is(key, "md5") && !w->record->has_md5) ||
		(str_is(key, "size") && !w->record->size) ||
		(str_is(key, "build_number") && w->record->depends_unknown) ||
		(str_is(key, "depends") && w->record->depends_unknown) ||
		(str_is(key, "constrains") && w->record->constrains_unknown) ||
		(str_is(key, "timestamp") && !w->record->timestamp))
		return NULL;
	for (size_t i = 0; i < N_FIELDS; i++)
		if (str_is(key, FIELDS[i].key))
			return &FIELDS[i];
	return NULL;
}

/* Writes the value whose first token was t; -1 where it is not JSON. */
static int copy_value(struct json *j, enum json_type t, struct json_out *out)
{
	int64_t number;
	int depth = 0;

	for (;; t = json_next(j)) {
		switch (t) {
		case JSON_ERROR:
		case JSON_END:
			return -1;
		case JSON_OBJECT:
			jw_object(out);
			depth++;
			continue;
		case JSON_ARRAY:
			jw_array(out);
			depth++;
			continue;
		case JSON_OBJECT_END:
			jw_object_end(out);
			depth--;
			break;
		case JSON_ARRAY_END:
			jw_array_end(out);
			depth--;
			break;
		case JSON_KEY:
			jw_key_str(out, json_text(j));
			continue;
		case JSON_STRING:
			jw_str(out, json_text(j));
			break;
		case JSON_NUMBER:
			if (json_int(j, &number) == 0)
				jw_int(out, number);
			else
				jw_double(out, strtod(json_text(j).p, NULL));
			break;
		case JSON_TRUE:
		case JSON_FALSE:
			jw_bool(out, t == JSON_TRUE);
			break;
		case JSON_NULL:
			jw_null(out);
			break;
		}
		if (depth == 0)
			return 0;
	}
}

/* Finds a top-level key of index.json and copies its value. */
static int copy_own(struct writer *w, struct str key)
{
	struct json *j = json_open_text(w->p->packages[w->package].index_json, "info/index.json");
	int rc = -1;

	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			bool it = str_eq(json_text(j), key);
			enum json_type t = json_next(j);
			if (it) {
				jw_key_str(&w->out, key);
				rc = copy_value(j, t, &w->out);
				break;
			}
			if (json_skip_rest(j, t) < 0)
				break;
		}
	json_close(j);
	return rc;
}

/* Keys of index.json and ours, sorted, each once. */
static size_t collect_keys(struct writer *w, struct str **keys)
{
	struct json *j = json_open_text(w->p->packages[w->package].index_json, "info/index.json");
	struct table seen = {.arena = &w->arena};

	for (size_t i = 0; i < N_FIELDS; i++)
		if (find_field(w, str_of(FIELDS[i].key)))
			table_put(&seen, str_of(FIELDS[i].key));
	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			table_put(&seen, arena_str(&w->arena, json_text(j)));
			if (json_skip(j) < 0)
				break;
		}
	json_close(j);
	*keys = arena_array(&w->arena, struct str, seen.n);
	for (size_t i = 0; i < seen.n; i++)
		(*keys)[i] = seen.entries[i].key;
	qsort(*keys, seen.n, sizeof **keys, str_cmp_qsort);
	return seen.n;
}

static int write_record(struct writer *w, struct err *e)
{
	struct str *keys;
	size_t n = collect_keys(w, &keys);

	jw_object(&w->out);
	for (size_t i = 0; i < n; i++) {
		const struct field *f = find_field(w, keys[i]);
		if (f) {
			jw_key_str(&w->out, keys[i]);
			f->put(w);
		} else if (copy_own(w, keys[i]) < 0) {
			return err_set(e, ERR_INTEGRITY, "bad info/index.json in package '%.*s'",
				STR_ARG(w->record->fn));
		}
	}
	jw_object_end(&w->out);
	buf_putc(w->out.to, '\n');
	struct str dist = record_dist(&w->arena, w->record);
	return prefix_put(w->p, arena_printf(&w->arena, "conda-meta/%.*s.json", STR_ARG(dist)),
		buf_view(w->out.to), 0644, e);
}

/* --- all of them -------------------------------------------------------------------------- */

static bool is_recorded(const struct linked *l)
{
	if (l->absent)
		return false;
	return l->kind != LINKED_PACKAGE_FILE || l->file->type != PATH_DIRECTORY;
}

/* What lies in the prefix, then what lost its path to another package. */
static const struct linked *nth(const struct prefix *p, size_t i)
{
	return i < p->n ? &p->v[i] : &p->lost[i - p->n];
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(
		(*(const struct linked *const *)a)->path, (*(const struct linked *const *)b)->path);
}

/* The paths of each package behind each other, in their order; start[i] is where those of i begin. */
static const struct linked **sort_by_package(struct arena *a, const struct prefix *p, size_t *start)
{
	size_t n = p->n + p->n_lost;
	const struct linked **files = arena_array(a, const struct linked *, n + 1);

	for (size_t i = 0; i < n; i++)
		start[nth(p, i)->package + 2] += is_recorded(nth(p, i));
	for (size_t i = 2; i < p->n_packages + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < n; i++)
		if (is_recorded(nth(p, i)))
			files[start[nth(p, i)->package + 1]++] = nth(p, i);
	for (size_t i = 0; i < p->n_packages && p->n_lost; i++)
		if (start[i + 1] > start[i])
			qsort(files + start[i], start[i + 1] - start[i], sizeof *files, by_path);
	return files;
}

int prefix_write_records(struct prefix *p, struct err *e)
{
	struct arena a = {0};
	size_t *start = arena_array(&a, size_t, p->n_packages + 2);
	const struct linked **files = sort_by_package(&a, p, start);
	int rc = 0;

	for (size_t i = 0; i < p->n_packages && rc == 0; i++) {
		CLEANUP_BUF text = {0};
		struct writer w = {.out = {.to = &text, .indent = 2},
			.p = p,
			.package = i,
			.record = p->packages[i].record,
			.files = files + start[i],
			.n_files = start[i + 1] - start[i]};
		rc = write_record(&w, e);
		arena_release(&w.arena);
	}
	arena_release(&a);
	return rc;
}

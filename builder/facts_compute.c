#include "builder/facts.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/listing.h"
#include "builder/scan.h"

#include <stdlib.h>

static int by_path(const void *a, const void *b)
{
	return str_cmp(
		((const struct package_file *)a)->path, ((const struct package_file *)b)->path);
}

static int hash_mismatch(const struct listed *l, const struct extracted *f, struct err *e)
{
	char said[SHA256_HEX + 1], is[SHA256_HEX + 1];

	hex_encode(l->sha256, SHA256_LEN, said);
	hex_encode(f->sha256, SHA256_LEN, is);
	return err_set(e, ERR_INTEGRITY,
		"file '%.*s' is not what info/paths.json lists: sha256 %s, "
		"listed %s",
		STR_ARG(f->path), is, said);
}

static const char *type_name(enum path_type type)
{
	switch (type) {
	case PATH_FILE:
		return "a file";
	case PATH_SOFTLINK:
		return "a symlink";
	case PATH_DIRECTORY:
		return "a folder";
	}
	return "?";
}

/* Type and size as listed, and room for the placeholder that is said to be in it. */
static int check_shape(const struct listed *l, const struct extracted *f, struct err *e)
{
	if (l->has_type && l->type != f->type)
		return err_set(e, ERR_INTEGRITY, "path '%.*s' is %s, info/paths.json lists %s",
			STR_ARG(f->path), type_name(f->type), type_name(l->type));
	if (f->type != PATH_FILE)
		return 0;
	if (l->placeholder.n > f->size)
		return err_set(e, ERR_INTEGRITY,
			"file '%.*s' is said to hold a prefix placeholder of %zu bytes and has "
			"%llu",
			STR_ARG(f->path), l->placeholder.n, (unsigned long long)f->size);
	if (l->has_size && l->placeholder.n == 0 && l->size != f->size)
		return err_set(e, ERR_INTEGRITY,
			"file '%.*s' has %llu bytes, info/paths.json lists %llu", STR_ARG(f->path),
			(unsigned long long)f->size, (unsigned long long)l->size);
	return 0;
}

/* One listed path as it lies in the package. */
static int take_listed(
	const struct listed *l, const struct extracted *f, struct package_file *out, struct err *e)
{
	*out = (struct package_file){.path = f->path,
		.type = f->type,
		.mode = f->mode,
		.size = f->size,
		.mtime = f->mtime,
		.link = f->link,
		.no_link = l->no_link};
	if (check_shape(l, f, e) < 0)
		return -1;
	if (f->type == PATH_SOFTLINK)
		memcpy(out->sha256, l->sha256, SHA256_LEN);
	if (f->type != PATH_FILE)
		return 0;
	memcpy(out->sha256, f->sha256, SHA256_LEN);
	out->placeholder = l->placeholder;
	out->binary = l->placeholder.n > 0 && l->binary;
	if (l->has_sha256 && l->placeholder.n == 0 && memcmp(l->sha256, f->sha256, SHA256_LEN) != 0)
		return hash_mismatch(l, f, e);
	return 0;
}

/*
 * Finds the prefixes in a file's bytes; *places counts those of the package, which are limited.
 */
static int scan_data(struct arena *a, struct str data, struct package_file *f, bool suspect,
	size_t *places, struct err *e)
{
	struct places found;

	if (scan_prefix(a, data, f->placeholder, f->binary, SCAN_PLACES_MAX - *places, &found, e) <
		0)
		return err_wrap(e, "file '%.*s'", STR_ARG(f->path));
	*places += found.n;
	f->offsets = found.offsets;
	f->forms = found.forms;
	f->n_offsets = found.n;
	f->undeclared = false;
	if (suspect) {
		f->undeclared_prefix = scan_undeclared(a, data, &found, f->placeholder.n);
		f->undeclared = f->undeclared_prefix.n > 0;
	}
	return 0;
}

static int scan_file(struct arena *a, const char *dir, struct package_file *f, bool suspect,
	size_t *places, struct err *e)
{
	struct arena scratch = {0};
	struct str data;
	int rc = -1;

	if (f->type != PATH_FILE || (f->placeholder.n == 0 && !suspect))
		return 0;
	if (file_map(path_join(&scratch, dir, arena_cstr(&scratch, f->path)), &data, e) == 0) {
		rc = scan_data(a, data, f, suspect, places, e);
		file_unmap(data);
	}
	arena_release(&scratch);
	return rc;
}

int facts_renew_file(
	struct arena *a, const char *dir, struct package_file *f, size_t *places, struct err *e)
{
	struct arena scratch = {0};
	uint8_t sha256[SHA256_LEN];
	struct str data;
	int rc = -1;

	if (f->type != PATH_FILE)
		return 0;
	if (file_map(path_join(&scratch, dir, arena_cstr(&scratch, f->path)), &data, e) == 0) {
		sha256_of(data.p, data.n, sha256);
		if (data.n != f->size || memcmp(sha256, f->sha256, SHA256_LEN) != 0)
			rc = err_set(e, ERR_INTEGRITY, "file '%.*s' was changed in the cache",
				STR_ARG(f->path));
		else
			rc = scan_data(a, data, f, scan_suspect(data), places, e);
		file_unmap(data);
	}
	arena_release(&scratch);
	return rc;
}

int facts_load(struct arena *a, const char *dir, bool ours, struct package *out, struct err *e)
{
	enum { MAX_FACTS = 1 << 30 };
	char *path = path_join(a, dir, "facts");
	CLEANUP_BUF renewed = {0};
	struct str text;

	if (file_read(a, path, MAX_FACTS, &text, e) < 0)
		return -1;
	out->dir = path_join(a, dir, "files");
	if (!facts_is_old(text))
		return facts_decode(a, text, out, e);
	log_debug("'%s' is of an earlier version: it is made anew", path);
	if (facts_renew(a, text, out->dir, out, e) < 0)
		return -1;
	/* Where this cannot be written the next run does the same again. */
	facts_encode(out, &renewed);
	if (ours)
		file_write(path, buf_view(&renewed), 0644, NULL);
	return 0;
}

static int missing(const struct listed *l, size_t *passed_over, struct err *e)
{
	if (!str_ends(l->path, STR(".pyc")))
		return err_set(e, ERR_INTEGRITY, "file '%.*s' is listed and not in the package",
			STR_ARG(l->path));
	++*passed_over;
	return 0;
}

static int take_files(struct arena *a, const struct extraction *x, const char *dir,
	const struct listing *listing, struct package *out, struct err *e)
{
	size_t passed_over = 0, places = 0;

	out->files = arena_array(a, struct package_file, listing->n);
	for (size_t i = 0; i < listing->n; i++) {
		const struct listed *l = &listing->v[i];
		struct package_file *f = &out->files[out->n_files];
		struct str rest = l->path;
		if (str_is(str_cut(&rest, '/'), "info"))
			continue;
		union table_value *v = table_get(&x->by_path, l->path);
		if (!v) {
			if (l->type != PATH_DIRECTORY && missing(l, &passed_over, e) < 0)
				return -1;
			continue;
		}
		const struct extracted *from = &x->v[v->num];
		if (take_listed(l, from, f, e) < 0 ||
			scan_file(a, dir, f, from->suspect, &places, e) < 0)
			return -1;
		out->n_files++;
	}
	if (passed_over)
		log_debug("%zu listed .pyc files are not in the package", passed_over);
	qsort(out->files, out->n_files, sizeof *out->files, by_path);
	return 0;
}

/*
 * Links and folders get the time of the package's newest file: conda, when it extracts, does not keep
 * their own, and archives must not depend on where a package was taken from.
 */
static void set_other_times(struct package *p)
{
	int64_t newest = 0;

	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].type == PATH_FILE && p->files[i].mtime > newest)
			newest = p->files[i].mtime;
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].type != PATH_FILE)
			p->files[i].mtime = newest;
}

static struct str find_script(
	struct arena *a, const struct package *p, struct str name, const char *when)
{
	struct package_file key = {.path = arena_strf(a, "bin/.%.*s-%s.sh", STR_ARG(name), when)};

	if (p->n_files && bsearch(&key, p->files, p->n_files, sizeof *p->files, by_path))
		return key.path;
	return (struct str){0};
}

int facts_compute(struct arena *a, const struct extraction *x, const char *dir, int files,
	const struct record *r, struct package *out, struct err *e)
{
	struct listing listing;

	*out = (struct package){.record = r, .dir = arena_strdup(a, dir)};
	memcpy(out->sha256, x->sums.sha256, SHA256_LEN);
	if (package_info_read(a, files, r, out, e) < 0 || listing_read(a, files, &listing, e) < 0 ||
		take_files(a, x, dir, &listing, out, e) < 0)
		return err_wrap(e, "package '%.*s'", STR_ARG(r->fn));
	set_other_times(out);
	out->pre_link = find_script(a, out, r->name, "pre-link");
	out->post_link = find_script(a, out, r->name, "post-link");
	out->pre_unlink = find_script(a, out, r->name, "pre-unlink");
	return 0;
}

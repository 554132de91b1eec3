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

/* Finds the prefixes in one file's bytes. */
static int scan_file(
	struct arena *a, const char *dir, struct package_file *f, bool suspect, struct err *e)
{
	struct arena scratch = {0};
	struct str data;
	int rc = -1;

	if (f->type != PATH_FILE || (f->placeholder.n == 0 && !suspect))
		return 0;
	if (file_map(path_join(&scratch, dir, arena_cstr(&scratch, f->path)), &data, e) == 0) {
		f->n_offsets = scan_offsets(a, data, f->placeholder, f->binary, &f->offsets);
		if (suspect) {
			struct str left =
				scan_undeclared(data, f->offsets, f->n_offsets, f->placeholder.n);
			f->undeclared = left.n > 0;
			f->undeclared_prefix = arena_str(a, left);
		}
		file_unmap(data);
		rc = 0;
	}
	arena_release(&scratch);
	return rc;
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
	size_t passed_over = 0;

	out->files = arena_array(a, struct package_file, listing->n);
	for (size_t i = 0; i < listing->n; i++) {
		const struct listed *l = &listing->v[i];
		struct package_file *f = &out->files[out->n_files];
		struct str rest = l->path;
		if (str_is(str_cut(&rest, '/'), "info"))
			continue;
		union table_value *v = table_get(&x->by_path, l->path);
		if (!v) {
			if (!l->directory && missing(l, &passed_over, e) < 0)
				return -1;
			continue;
		}
		const struct extracted *from = &x->v[v->num];
		if (take_listed(l, from, f, e) < 0 || scan_file(a, dir, f, from->suspect, e) < 0)
			return -1;
		out->n_files++;
	}
	if (passed_over)
		log_debug("%zu listed .pyc files are not in the package", passed_over);
	qsort(out->files, out->n_files, sizeof *out->files, by_path);
	return 0;
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

	*out = (struct package){.record = r};
	memcpy(out->sha256, x->sha256, SHA256_LEN);
	if (package_info_read(a, files, r, out, e) < 0 || listing_read(a, files, &listing, e) < 0 ||
		take_files(a, x, dir, &listing, out, e) < 0)
		return err_wrap(e, "package '%.*s'", STR_ARG(r->fn));
	out->pre_link = find_script(a, out, r->name, "pre-link");
	out->post_link = find_script(a, out, r->name, "post-link");
	out->pre_unlink = find_script(a, out, r->name, "pre-unlink");
	return 0;
}

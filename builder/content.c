/*
 * Describing a built prefix (content.h): package files that nobody touched are the cache's copies
 * with the offsets of their placeholders; everything else is looked at.
 */
#include "builder/prefix.h"

#include "base/file.h"
#include "base/hash.h"
#include "builder/fold.h"
#include "builder/scan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct describer {
	struct prefix *p;
	struct content *out;
	struct {
		struct content_entry *v;
		size_t n, cap;
	} list;
	struct {
		struct str *v;
		size_t n, cap;
	} folders;
	struct table linked; /* path -> index into p->v */
	struct table filled; /* folders that hold something we list */
	size_t *rank;        /* of packages: by order of the request -> by name */
	size_t *changed;     /* per package: files that pip or scripts changed */
};

static char *in_prefix(const struct describer *d, struct str path)
{
	return arena_printf(d->p->arena, "%s/%.*s", d->p->request->prefix, STR_ARG(path));
}

static void mark_filled(struct describer *d, struct str path)
{
	ptrdiff_t slash;

	while ((slash = str_rchr(path, '/')) > 0) {
		path = str_sub(path, 0, (size_t)slash);
		union table_value *v = table_put(&d->filled, path);
		if (v->num)
			return;
		v->num = 1;
	}
}

static struct content_entry *add(struct describer *d, struct str path, enum path_type type)
{
	struct content_entry *c = VEC_PUSH(d->p->arena, &d->list);

	*c = (struct content_entry){.path = path, .type = type, .package = -1};
	mark_filled(d, path);
	return c;
}

/* --- generated files ---------------------------------------------------------------------- */

/* Text or binary is told by a NUL byte, unless the file begins as text of UTF-16 or UTF-32. */
static bool is_binary(struct str data)
{
	static const struct str MARKS[] = {
		STR_INIT("\xff\xfe"), STR_INIT("\xfe\xff"), STR_INIT("\0\0\xfe\xff")};

	for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++)
		if (str_starts(data, MARKS[i]))
			return false;
	return data.n && memchr(data.p, '\0', data.n);
}

/* conda-meta/NAME.json says which placeholder each file had. */
static bool is_record(struct str path)
{
	return str_starts(path, STR("conda-meta/")) && str_ends(path, STR(".json"));
}

static const uint8_t *sum_of(struct arena *a, struct str data)
{
	uint8_t *sum = arena_alloc(a, SHA256_LEN);

	sha256_of(data.p, data.n, sum);
	return sum;
}

/* A prefix that nothing can replace, such as in a string without an end, is named as left over. */
static int scan_generated(struct describer *d, struct content_entry *c, struct err *e)
{
	struct str inside = str_of(d->p->request->prefix_inside), data;
	struct places found;
	bool binary;
	int rc;

	if (file_map(c->source, &data, e) < 0)
		return -1;
	c->sha256 = sum_of(d->p->arena, data);
	binary = is_binary(data);
	rc = scan_prefix(d->p->arena, data, inside, binary, SCAN_PLACES_MAX, &found, e);
	if (rc < 0)
		err_wrap(e, "file '%.*s' of the prefix", STR_ARG(c->path));
	if (rc == 0 && found.n) {
		c->binary = binary;
		c->prefix = inside;
		c->offsets = found.offsets;
		c->forms = found.forms;
		c->n_offsets = found.n;
	}
	if (rc == 0 && scan_suspect(data) && !is_record(c->path))
		c->undeclared = scan_undeclared(d->p->arena, data, &found, inside.n);
	if (rc == 0 && c->undeclared.n == 0 && binary && scan_left(data, inside, &found))
		c->undeclared = inside;
	file_unmap(data);
	return rc;
}

static int read_link(struct describer *d, struct content_entry *c, struct err *e)
{
	char target[4096];
	ssize_t n = readlink(c->source, target, sizeof target);

	if (n < 0 || (size_t)n == sizeof target)
		return err_sys(e, "cannot read the link '%s'", c->source);
	c->link = arena_str(d->p->arena, str_n(target, (size_t)n));
	return 0;
}

static int add_generated(struct describer *d, struct str path, const struct stat *st,
	ptrdiff_t package, struct err *e)
{
	bool link = S_ISLNK(st->st_mode);
	struct content_entry *c = add(d, path, link ? PATH_SOFTLINK : PATH_FILE);

	c->generated = true;
	c->package = package;
	c->source = in_prefix(d, path);
	if (link) {
		c->mode = 0777;
		return read_link(d, c, e);
	}
	c->mode = (st->st_mode & 0755) | 0600;
	c->size = (uint64_t)st->st_size;
	return scan_generated(d, c, e);
}

/* --- package files ------------------------------------------------------------------------ */

static void add_package_file(struct describer *d, const struct linked *l)
{
	const struct package_file *f = l->file;
	const struct package *k = &d->p->packages[l->package];
	struct content_entry *c = add(d, l->path, f->type);

	c->package = (ptrdiff_t)d->rank[l->package];
	c->mode = f->mode;
	c->mtime = f->mtime;
	c->size = f->size;
	c->link = f->link;
	c->source = arena_printf(d->p->arena, "%s/%.*s", k->dir, STR_ARG(f->path));
	if (f->type == PATH_FILE)
		c->sha256 = f->sha256;
	if (f->n_offsets) {
		c->prefix = f->placeholder;
		c->binary = f->binary;
		c->offsets = f->offsets;
		c->forms = f->forms;
		c->n_offsets = f->n_offsets;
	}
	if (f->undeclared)
		c->undeclared = f->undeclared_prefix;
}

/* Is the file as link left it?  Its bytes decide where its stamp says otherwise. 1, 0, -1. */
static int is_unchanged(
	struct describer *d, const struct linked *l, const struct stat *st, struct err *e)
{
	struct stamp now = {st->st_ino, st->st_size, st->st_mode, st->st_mtim, st->st_ctim};
	struct arena a = {0};
	uint8_t sha256[SHA256_LEN];
	int rc = 0;

	if (!d->p->ran_code || stamp_same(&now, &l->stamp))
		return 1;
	if (S_ISLNK(st->st_mode) != S_ISLNK(l->stamp.mode) || S_ISLNK(st->st_mode) ||
		((st->st_mode ^ l->stamp.mode) & 0755) || (uint64_t)st->st_size != l->size)
		return 0;
	if (file_hash(path_join(&a, d->p->request->prefix, arena_cstr(&a, l->path)), sha256, NULL,
		    e) < 0)
		rc = -1;
	else
		rc = memcmp(sha256, l->sha256, SHA256_LEN) == 0;
	arena_release(&a);
	return rc;
}

static int visit_linked(
	struct describer *d, const struct linked *l, const struct stat *st, struct err *e)
{
	bool package_file = l->kind == LINKED_PACKAGE_FILE;
	int same = is_unchanged(d, l, st, e);

	if (same < 0)
		return -1;
	if (package_file && same) {
		add_package_file(d, l);
		return 0;
	}
	if (!same)
		d->changed[l->package]++;
	return add_generated(d, l->path, st, same ? (ptrdiff_t)d->rank[l->package] : -1, e);
}

/* --- the walk ----------------------------------------------------------------------------- */

/* Bytecode that Python left behind while something ran.  A wheel may bring some without source. */
static bool is_stray_bytecode(const struct describer *d, struct str path)
{
	struct arena a = {0};
	struct stat st;
	bool stray = false;

	if (!str_ends(path, STR(".pyc")) && !str_ends(path, STR(".pyo")))
		return false;
	if (!d->p->bytecode || !table_get(d->p->bytecode, path))
		stray = str_find(path, STR("__pycache__/")) >= 0 ||
			fstatat(d->p->fd, arena_cstr(&a, str_sub(path, 0, path.n - 1)), &st,
				AT_SYMLINK_NOFOLLOW) == 0;
	arena_release(&a);
	return stray;
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct describer *d = ctx;
	struct str path = arena_str(d->p->arena, str_of(rel));
	union table_value *v = table_get(&d->linked, path);

	/* Marks of a run that is still at work. */
	if (str_starts(path, STR(".envbuild-")))
		return 0;
	if (S_ISDIR(st->st_mode)) {
		*VEC_PUSH(d->p->arena, &d->folders) = path;
		return 0;
	}
	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode)) {
		log_warn("'%s' is neither file, folder nor link: it is left out", rel);
		return 0;
	}
	if (v && !d->p->v[v->num].absent)
		return visit_linked(d, &d->p->v[v->num], st, e);
	if (is_stray_bytecode(d, path))
		return 0;
	return add_generated(d, path, st, -1, e);
}

/* Folders that stayed empty: those of packages, and those that scripts made. */
static void add_empty_folders(struct describer *d)
{
	for (size_t i = 0; i < d->folders.n; i++) {
		struct str path = d->folders.v[i];
		union table_value *v = table_get(&d->linked, path);
		struct content_entry *c;

		if (table_get(&d->filled, path) || str_ends(path, STR("/__pycache__")) ||
			str_is(path, "__pycache__"))
			continue;
		c = add(d, path, PATH_DIRECTORY);
		c->mode = 0755;
		c->generated = !v;
		if (v)
			c->package = (ptrdiff_t)d->rank[d->p->v[v->num].package];
	}
}

static int by_name(const void *a, const void *b)
{
	return record_cmp_name(
		((const struct package *)a)->record, ((const struct package *)b)->record);
}

static void sort_packages(struct describer *d)
{
	struct prefix *p = d->p;
	struct package *sorted = arena_array(p->arena, struct package, p->n_packages);

	d->rank = arena_array(p->arena, size_t, p->n_packages);
	d->changed = arena_array(p->arena, size_t, p->n_packages);
	if (p->n_packages) {
		memcpy(sorted, p->packages, p->n_packages * sizeof *sorted);
		qsort(sorted, p->n_packages, sizeof *sorted, by_name);
	}
	for (size_t i = 0; i < p->n_packages; i++)
		for (size_t k = 0; k < p->n_packages; k++)
			if (sorted[k].record == p->packages[i].record)
				d->rank[i] = k;
	d->out->packages = sorted;
	d->out->n_packages = p->n_packages;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(
		((const struct content_entry *)a)->path, ((const struct content_entry *)b)->path);
}

static void limit_prefix(struct content *out, const struct content_entry *c)
{
	if (!c->binary || c->n_offsets == 0 || c->prefix.n >= out->longest_prefix)
		return;
	out->longest_prefix = c->prefix.n;
	out->longest_prefix_path = c->path;
}

struct folding {
	const struct content *content;
	bool said;
};

/* What packages bring was looked at before it was linked (traps.c). */
static void warn_case(void *ctx, size_t a, size_t b)
{
	struct folding *f = ctx;
	const struct content_entry *x = &f->content->entries[a], *y = &f->content->entries[b];

	if (f->said || (!x->generated && !y->generated))
		return;
	f->said = true;
	log_warn("'%.*s' and '%.*s' differ only by case, and pip or link scripts made one: a file "
		 "system that folds case, as of macOS or Windows, cannot hold both",
		STR_ARG(x->path), STR_ARG(y->path));
}

static void check_case(const struct describer *d)
{
	CLEANUP_ARENA a = {0};
	struct folding f = {.content = d->out};
	struct str *paths;

	if (!d->p->ran_code)
		return;
	paths = arena_array(&a, struct str, d->out->n_entries + 1);
	for (size_t i = 0; i < d->out->n_entries; i++)
		paths[i] = d->out->entries[i].path;
	fold_pairs(paths, d->out->n_entries, warn_case, &f);
}

void content_limit(struct content *c)
{
	c->longest_prefix = SIZE_MAX;
	c->longest_prefix_path = (struct str){0};
	for (size_t i = 0; i < c->n_entries; i++)
		limit_prefix(c, &c->entries[i]);
}

/* What was linked and is not there any more, or not as it was.  All are sorted. */
static void find_changes(const struct describer *d)
{
	const struct prefix *p = d->p;
	struct content *out = d->out;
	size_t k = 0;

	if (!p->ran_code)
		return;
	out->removed = arena_array(p->arena, struct str, p->n + 1);
	out->changed = arena_array(p->arena, struct str, p->n + 1);
	for (size_t i = 0; i < p->n; i++) {
		struct str path = p->v[i].path;

		if (p->v[i].absent || p->v[i].how == HOW_DIRECTORY)
			continue;
		while (k < out->n_entries && str_cmp(out->entries[k].path, path) < 0)
			k++;
		if (k == out->n_entries || !str_eq(out->entries[k].path, path))
			out->removed[out->n_removed++] = path;
		else if (out->entries[k].package < 0)
			out->changed[out->n_changed++] = path;
	}
}

static void warn_changed(const struct describer *d)
{
	const char *who = d->p->request->pre_pack ? "pip, link scripts or the pre-pack script"
						  : "pip or link scripts";

	for (size_t i = 0; i < d->p->n_packages; i++)
		if (d->changed[i])
			log_warn("%s changed %zu files of package '%.*s'", who, d->changed[i],
				STR_ARG(d->p->packages[i].record->fn));
}

int prefix_content(struct prefix *p, struct content *out, struct err *e)
{
	struct describer d = {
		.p = p, .out = out, .linked.arena = p->arena, .filled.arena = p->arena};

	*out = (struct content){
		.build_prefix = arena_str(p->arena, str_of(p->request->prefix_inside)),
		.longest_prefix = SIZE_MAX};
	sort_packages(&d);
	for (size_t i = 0; i < p->n; i++)
		table_put(&d.linked, p->v[i].path)->num = i;
	if (dir_walk(p->fd, visit, &d, e) != 0)
		return -1;
	add_empty_folders(&d);
	if (d.list.n)
		qsort(d.list.v, d.list.n, sizeof *d.list.v, by_path);
	out->entries = d.list.v;
	out->n_entries = d.list.n;
	content_limit(out);
	find_changes(&d);
	warn_changed(&d);
	check_case(&d);
	return 0;
}

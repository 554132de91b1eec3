/*
 * A content (builder/content.h) made from a folder, for tests of the packer alone.
 *
 * DIR/NAME/... are the files of package NAME, except DIR/+/..., which are generated.  Every
 * occurrence of the placeholder counts, and where it stands in UTF-16 or UTF-32 too, those that
 * scan_prefix() finds; a file with a NUL byte is binary, unless its name ends in ".text".  Generated files hold the
 * build prefix instead.
 */
#ifndef TESTS_TOOLS_TREE_CONTENT_H
#define TESTS_TOOLS_TREE_CONTENT_H

#include "base/file.h"
#include "base/hash.h"
#include "builder/scan.h"
#include "packer/pack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct tree_content {
	struct arena *arena;
	struct content *content;
	struct str placeholder;
	const char *dir;
	ptrdiff_t package;
	struct {
		struct content_entry *v;
		size_t n, cap;
	} entries;
	struct {
		struct package *v;
		size_t n, cap;
	} packages;
};

static void tree_scan(struct tree_content *t, struct content_entry *entry, struct str data)
{
	struct str prefix = entry->generated ? t->content->build_prefix : t->placeholder;
	bool binary = data.n && memchr(data.p, 0, data.n);
	struct {
		uint64_t *v;
		size_t n, cap;
	} found = {0};
	struct places places;
	ptrdiff_t at;

	/* A name that ends so is text, whatever is in it. */
	if (str_ends(entry->path, STR(".text")))
		binary = false;
	if (scan_prefix(t->arena, data, prefix, binary, SCAN_PLACES_MAX, &places, NULL) == 0 &&
		places.forms) {
		entry->prefix = prefix;
		entry->binary = binary;
		entry->offsets = places.offsets;
		entry->forms = places.forms;
		entry->n_offsets = places.n;
		return;
	}
	for (size_t from = 0; (at = str_find(str_sub(data, from, data.n), prefix)) >= 0;) {
		*VEC_PUSH(t->arena, &found) = from + (size_t)at;
		from += (size_t)at + prefix.n;
	}
	if (found.n == 0)
		return;
	entry->prefix = prefix;
	entry->binary = binary;
	entry->offsets = found.v;
	entry->n_offsets = found.n;
	if (entry->binary && prefix.n < t->content->longest_prefix) {
		t->content->longest_prefix = prefix.n;
		t->content->longest_prefix_path = entry->path;
	}
}

static int tree_visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct tree_content *t = ctx;
	struct content_entry entry = {
		.path = str_of(arena_strdup(t->arena, rel)),
		.mode = st->st_mode & 07777,
		.package = t->package,
		.generated = t->package < 0,
		.mtime = t->package < 0 ? 0 : st->st_mtime,
		.source = path_join(t->arena, t->dir, rel),
	};
	struct str data;
	char link[4096];
	ssize_t n;

	if (S_ISDIR(st->st_mode)) {
		entry.type = PATH_DIRECTORY;
	} else if (S_ISLNK(st->st_mode)) {
		entry.type = PATH_SOFTLINK;
		n = readlink(entry.source, link, sizeof link);
		if (n < 0)
			return err_sys(e, "cannot read '%s'", rel);
		entry.link = arena_str(t->arena, str_n(link, (size_t)n));
	} else {
		entry.size = (uint64_t)st->st_size;
		if (file_map(entry.source, &data, e) < 0)
			return -1;
		tree_scan(t, &entry, data);
		file_unmap(data);
	}
	*VEC_PUSH(t->arena, &t->entries) = entry;
	return 0;
}

static int tree_add(struct tree_content *t, const char *dir, const char *name, struct err *e)
{
	int fd, rc;

	t->dir = path_join(t->arena, dir, name);
	t->package = -1;
	if (strcmp(name, "+") != 0) {
		struct package *p = VEC_PUSH(t->arena, &t->packages);
		struct record *r = arena_new(t->arena, struct record);

		*r = (struct record){.name = str_of(arena_strdup(t->arena, name)),
			.version = STR("1.0"),
			.build = STR("0"),
			.subdir = STR("linux-64"),
			.fn = arena_strf(t->arena, "%s-1.0-0.conda", name)};
		*p = (struct package){.record = r};
		sha256_of(name, strlen(name), p->sha256);
		t->package = (ptrdiff_t)t->packages.n - 1;
	}
	fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", t->dir);
	rc = dir_walk(fd, tree_visit, t, e);
	close(fd);
	return rc;
}

struct tree_names {
	struct arena *arena;
	const char **v;
	size_t n, cap;
};

static int tree_name(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct tree_names *names = ctx;

	(void)e;
	if (S_ISDIR(st->st_mode))
		*VEC_PUSH(names->arena, names) = arena_strdup(names->arena, rel);
	return DIR_SKIP;
}

static int tree_entry_order(const void *a, const void *b)
{
	const struct content_entry *x = a, *y = b;
	int order = str_cmp(x->path, y->path);

	/* Of one folder in several packages one is enough, and anything else goes before it. */
	if (order == 0 && x->type != y->type)
		return (x->type == PATH_DIRECTORY) - (y->type == PATH_DIRECTORY);
	return order ? order : (x->package > y->package) - (x->package < y->package);
}

static int tree_content_make(struct arena *a, const char *dir, const char *placeholder,
	const char *build_prefix, struct content *out, struct err *e)
{
	struct tree_content t = {
		.arena = a, .content = out, .placeholder = str_of(arena_strdup(a, placeholder))};
	struct tree_names names = {.arena = a};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	size_t n = 0;

	*out = (struct content){
		.build_prefix = str_of(arena_strdup(a, build_prefix)), .longest_prefix = SIZE_MAX};
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", dir);
	rc = dir_walk(fd, tree_name, &names, e);
	close(fd);
	for (size_t i = 0; rc == 0 && i < names.n; i++)
		rc = tree_add(&t, dir, names.v[i], e);
	if (rc < 0)
		return -1;
	qsort(t.entries.v, t.entries.n, sizeof *t.entries.v, tree_entry_order);
	for (size_t i = 0; i < t.entries.n; i++)
		if (n == 0 || !str_eq(t.entries.v[n - 1].path, t.entries.v[i].path))
			t.entries.v[n++] = t.entries.v[i];
	out->entries = t.entries.v;
	out->n_entries = n;
	out->packages = t.packages.v;
	out->n_packages = t.packages.n;
	return 0;
}

#endif

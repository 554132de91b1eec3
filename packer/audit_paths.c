/* Paths of a tree. */
#include "packer/audit_inside.h"

#include <limits.h>

enum { MAX_LINKS = 40 };

/* The number of the first file that is not before the path; n_files: none. */
static size_t place(const struct audit_tree *t, struct str path)
{
	size_t low = 0, high = t->n_files;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (str_cmp(t->files[mid].path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct audit_file *audit_tree_at(const struct audit_tree *t, struct str path)
{
	size_t at = place(t, path);

	return at < t->n_files && str_eq(t->files[at].path, path) ? &t->files[at] : NULL;
}

bool audit_tree_has_below(const struct audit_tree *t, struct str path)
{
	char buffer[PATH_MAX];
	struct str inside = str_n(buffer, path.n + 1);
	size_t at;

	if (inside.n >= sizeof buffer)
		return false;
	if (path.n)
		memcpy(buffer, path.p, path.n);
	buffer[path.n] = '/';
	at = place(t, inside);
	return at < t->n_files && str_starts(t->files[at].path, inside);
}

bool audit_inside(const struct audit_tree *t, struct str absolute, struct str *rel)
{
	if (!t->prefix.n || !str_starts(absolute, t->prefix) || absolute.n <= t->prefix.n ||
		absolute.p[t->prefix.n] != '/')
		return false;
	*rel = str_sub(absolute, t->prefix.n + 1, absolute.n);
	return true;
}

/* Takes "." and ".." out of a path; false where it leads out of the tree or has too many bytes. */
static bool normalise(struct str path, char out[PATH_MAX], size_t *n)
{
	*n = 0;
	while (path.p) {
		struct str part = str_cut(&path, '/');

		if (!part.n || str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			ptrdiff_t slash = str_rchr(str_n(out, *n), '/');

			if (!*n)
				return false;
			*n = slash < 0 ? 0 : (size_t)slash;
			continue;
		}
		if (*n + part.n + 1 >= PATH_MAX)
			return false;
		if (*n)
			out[(*n)++] = '/';
		memcpy(out + *n, part.p, part.n);
		*n += part.n;
	}
	return true;
}

/* The link that the path, or the folder it lies in, is; *rest: what stands behind it. */
static const struct audit_file *link_in(
	const struct audit_tree *t, struct str path, struct str *rest)
{
	for (size_t i = 0; i <= path.n; i++) {
		const struct audit_file *f;

		if (i < path.n && path.p[i] != '/')
			continue;
		f = audit_tree_at(t, str_sub(path, 0, i));
		if (f && f->type == PATH_SOFTLINK) {
			*rest = str_sub(path, i, path.n);
			return f;
		}
	}
	return NULL;
}

/* Puts where the link leads in its place. */
static bool follow(const struct audit_tree *t, const struct audit_file *link, struct str rest,
	struct str *path, char out[PATH_MAX])
{
	struct str folder = str_sub(link->path, 0, (size_t)(str_rchr(link->path, '/') + 1));
	struct str to = link->link, parts[3];
	char whole[PATH_MAX];
	size_t n = 0;

	if (str_starts(to, STR("/"))) {
		folder.n = 0;
		if (!audit_inside(t, to, &to))
			return false;
	}
	parts[0] = folder, parts[1] = to, parts[2] = rest;
	for (int i = 0; i < 3; i++) {
		if (n + parts[i].n >= sizeof whole)
			return false;
		if (parts[i].n)
			memcpy(whole + n, parts[i].p, parts[i].n);
		n += parts[i].n;
	}
	if (!normalise(str_n(whole, n), out, &n))
		return false;
	*path = str_n(out, n);
	return true;
}

/* The path without links in it. */
static bool resolve(const struct audit_tree *t, struct str *path, char out[PATH_MAX])
{
	for (int i = 0; i < MAX_LINKS; i++) {
		struct str rest;
		const struct audit_file *link = link_in(t, *path, &rest);

		if (!link)
			return true;
		if (!follow(t, link, rest, path, out))
			return false;
	}
	return false;
}

bool audit_tree_leaves(
	struct arena *a, const struct audit_tree *t, struct str path, struct str *outside)
{
	char buffer[PATH_MAX];

	for (int i = 0; i < MAX_LINKS; i++) {
		struct str rest, rel;
		const struct audit_file *link = link_in(t, path, &rest);

		if (!link)
			return false;
		if (str_starts(link->link, STR("/")) && !audit_inside(t, link->link, &rel)) {
			*outside = arena_strf(a, "%.*s%.*s", STR_ARG(link->link), STR_ARG(rest));
			return true;
		}
		if (!follow(t, link, rest, &path, buffer))
			return false;
	}
	return false;
}

const struct audit_file *audit_tree_find(const struct audit_tree *t, struct str path)
{
	const struct audit_file *f = audit_tree_at(t, path);
	char buffer[PATH_MAX];

	if (f && f->type != PATH_SOFTLINK)
		return f;
	if (!resolve(t, &path, buffer))
		return NULL;
	f = audit_tree_at(t, path);
	return f && f->type != PATH_SOFTLINK ? f : NULL;
}

/* Most links name a file beside them: that needs no look at the folders above. */
static bool leads_to_file(const struct audit_tree *t, const struct audit_file *link)
{
	char buffer[PATH_MAX];
	const struct audit_file *f;
	struct str path;

	if (!follow(t, link, (struct str){0}, &path, buffer))
		return false;
	f = audit_tree_at(t, path);
	return f && f->type != PATH_SOFTLINK;
}

bool audit_tree_has(const struct audit_tree *t, struct str path)
{
	const struct audit_file *f = audit_tree_at(t, path);
	char buffer[PATH_MAX];

	if (f && (f->type != PATH_SOFTLINK || leads_to_file(t, f)))
		return true;

	if (!resolve(t, &path, buffer))
		return false;
	return !path.n || audit_tree_at(t, path) || audit_tree_has_below(t, path);
}

bool audit_is_placeholder(struct str path)
{
	return str_find(path, STR("_placehold")) >= 0 ||
	       str_find(path, STR("/anaconda1anaconda2anaconda3")) >= 0;
}

bool audit_is_in_bin(struct str path)
{
	return str_starts(path, STR("bin/")) || str_starts(path, STR("sbin/"));
}

bool audit_is_data(struct str path)
{
	static const char *const names[] = {"test", "tests", "testing", "testdata", "test_data",
		"test-data", "testfiles", "fixtures", "example", "examples", "doc", "docs",
		"__pycache__"};
	static const char *const tops[] = {"share", "include", "conda-meta", "info", "pkgs", "man"};
	struct str rest = path;

	for (size_t depth = 0; str_chr(rest, '/') >= 0; depth++) {
		struct str part = str_cut(&rest, '/');

		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (str_is(part, names[i]))
				return true;
		for (size_t i = 0; depth == 0 && i < sizeof tops / sizeof *tops; i++)
			if (str_is(part, tops[i]))
				return true;
	}
	return str_ends(path, STR(".debug"));
}

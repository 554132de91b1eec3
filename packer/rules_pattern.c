/* Patterns of rules, and the named ones. */
#include "packer/rules_pattern.h"

#include "base/buf.h"
#include "base/file.h"
#include "packer/papers.h"

#include <fnmatch.h>

/* A pattern with n of them has 2^n forms. */
enum { STARS_MAX = 4 };

static const char *const drop_names[N_DROPS] = {
	[DROP_STATIC_LIBRARIES] = "static-libraries",
	[DROP_HEADERS] = "headers",
	[DROP_BYTECODE] = "bytecode",
	[DROP_DOCUMENTATION] = "documentation",
};

const char *rules_drop_name(enum rules_drop drop)
{
	return drop_names[drop];
}

int rules_drop_parse(struct str name, enum rules_drop *out)
{
	for (int i = 0; i < N_DROPS; i++)
		if (str_is(name, drop_names[i])) {
			*out = (enum rules_drop)i;
			return 0;
		}
	return -1;
}

static bool below(struct str path, struct str folder)
{
	return str_starts(path, folder);
}

static bool is_documentation(struct str path)
{
	return below(path, STR("share/doc/")) || below(path, STR("share/man/")) ||
	       below(path, STR("share/info/")) || below(path, STR("share/gtk-doc/")) ||
	       below(path, STR("man/"));
}

static bool is_bytecode(struct str path)
{
	return below(path, STR("__pycache__/")) || str_find(path, STR("/__pycache__/")) >= 0 ||
	       str_ends(path, STR(".pyc")) || str_ends(path, STR(".pyo"));
}

bool drop_matches(enum rules_drop drop, struct str path)
{
	switch (drop) {
	case DROP_STATIC_LIBRARIES:
		return str_ends(path, STR(".a"));
	case DROP_HEADERS:
		return below(path, STR("include/"));
	case DROP_BYTECODE:
		return is_bytecode(path);
	case DROP_DOCUMENTATION:
		return is_documentation(path);
	case N_DROPS:
		break;
	}
	return false;
}

bool path_is_kept(struct str path)
{
	return str_is(path, "conda-meta") || str_starts(path, STR("conda-meta/"));
}

/* Where "**" and a slash begin a component; -1: nowhere. */
static ptrdiff_t find_stars(struct str text, size_t from)
{
	for (size_t i = from; i + 3 <= text.n; i++)
		if ((i == 0 || text.p[i - 1] == '/') && memcmp(text.p + i, "**/", 3) == 0)
			return (ptrdiff_t)i;
	return -1;
}

/* The text, with each "**" and slash once there and once not. */
static void add_forms(struct arena *a, struct rule_pattern *p, struct str text, size_t from)
{
	ptrdiff_t at = find_stars(text, from);
	size_t i = (size_t)at;

	if (at < 0) {
		p->forms[p->n_forms++] = arena_cstr(a, text);
		return;
	}
	add_forms(a, p, text, i + 3);
	add_forms(a, p,
		arena_strf(a, "%.*s%.*s", (int)i, text.p, STR_ARG(str_sub(text, i + 3, text.n))),
		i);
}

static size_t count_stars(struct str text)
{
	size_t n = 0;
	ptrdiff_t at = -3;

	while ((at = find_stars(text, (size_t)(at + 3))) >= 0)
		n++;
	return n;
}

static const char *complaint(struct str text)
{
	struct str rest = text;

	if (text.n > PATTERN_MAX || str_chr(text, '\0') >= 0)
		return "is no pattern";
	if (text.n == 0 || text.p[0] == '/')
		return "matches nothing: paths are those in the environment, such as "
		       "'share/doc/README'";
	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (str_is(part, "..") || str_is(part, ".") || part.n == 0)
			return "matches nothing: it has a component that no path has";
	}
	if (path_is_kept(text))
		return "is about conda-meta, which tells what is in the environment and stays";
	return count_stars(text) > STARS_MAX ? "has '**/' too often" : NULL;
}

int pattern_prepare(struct arena *a, struct rule_pattern *p, struct err *e)
{
	struct str text = p->text;
	const char *why;

	while (text.n > 1 && text.p[text.n - 1] == '/')
		text.n--;
	why = complaint(text);
	if (why)
		return err_set(e, rule_error(p->place), "%s: the pattern '%.*s' %s", p->place,
			STR_ARG(p->text), why);
	p->forms = arena_array(a, const char *, (size_t)1 << STARS_MAX);
	p->n_forms = 0;
	add_forms(a, p, text, 0);
	return 0;
}

bool pattern_is(const struct rule_pattern *p, const char *path)
{
	for (size_t i = 0; i < p->n_forms; i++)
		if (fnmatch(p->forms[i], path, 0) == 0)
			return true;
	return false;
}

bool pattern_matches(const struct rule_pattern *p, const char *path)
{
	for (size_t i = 0; i < p->n_forms; i++)
		if (fnmatch(p->forms[i], path, FNM_LEADING_DIR) == 0)
			return true;
	return false;
}

const char *path_complaint(struct str path)
{
	if (!path_is_safe(path))
		return "is no path in the environment";
	if (path_is_kept(path) || papers_own(path))
		return "is envbuild's or conda's own";
	return NULL;
}

struct str rename_target(struct arena *a, struct str to, struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/'), star = str_chr(to, '*');
	struct str folder = str_sub(path, 0, (size_t)(slash + 1)), out = to;

	if (star >= 0)
		out = arena_strf(a, "%.*s%.*s%.*s", (int)star, to.p,
			STR_ARG(str_sub(path, folder.n, path.n)),
			STR_ARG(str_sub(to, (size_t)star + 1, to.n)));
	if (str_chr(to, '/') >= 0)
		return out;
	return arena_strf(a, "%.*s%.*s", STR_ARG(folder), STR_ARG(out));
}
